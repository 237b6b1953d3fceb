//! `completion` and `man`: what packages install beside the program.

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::failure::Failure;

/// Which shell.
#[derive(Clone, Copy, Debug, Args)]
pub struct CompletionArgs {
    /// The shell. bash: `source <(kubectl-nodegrace completion bash)`.
    pub shell: Shell,
}

/// The script that completes the command line of `kubectl-nodegrace`.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    // By the program's own name: a shell completes what is typed first, and `kubectl` completes itself.
    let mut command = crate::Args::command().bin_name("kubectl-nodegrace");
    clap_complete::generate(shell, &mut command, "kubectl-nodegrace", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page: the program, then each command.
///
/// # Errors
/// When it cannot be written, which no memory refuses.
pub fn manual() -> Result<String, Failure> {
    let mut command = crate::Args::command();
    command.build();
    let mut page = Vec::new();
    let mut render = |command: clap::Command| clap_mangen::Man::new(command).render(&mut page);
    render(command.clone()).context("manual page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
