//! `completion` and `man`: what packages install beside the program; and what kubectl asks while its user types.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::{CompletionCandidate, Shell, engine::complete};

use crate::{failure::Failure, show::line::printable};

/// The program, as a shell finds it.
const PROGRAM: &str = "kubectl-nodegrace";

/// What kubectl runs to complete what follows `kubectl nodegrace`: found on the path, with the words typed so far, the last of them
/// the one that is not complete.
const FOR_KUBECTL: &str = "\
#!/bin/sh
# Completes `kubectl nodegrace`. kubectl finds it on the path as kubectl_complete-nodegrace.
exec kubectl-nodegrace __complete \"$@\"
";

/// Which shell.
#[derive(Clone, Copy, Debug, Args)]
pub struct CompletionArgs {
    /// The shell; bash: `source <(kubectl-nodegrace completion bash)`. It completes `kubectl-nodegrace`. For `kubectl nodegrace`,
    /// in any shell in which kubectl completes: `kubectl`, whose script goes to an executable file `kubectl_complete-nodegrace` on the
    /// path.
    pub shell: For,
}

/// Who completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum For {
    /// The shell.
    Bash,
    /// The shell.
    Elvish,
    /// The shell.
    Fish,
    /// kubectl, whatever the shell.
    Kubectl,
    /// The shell.
    #[value(name = "powershell")]
    PowerShell,
    /// The shell.
    Zsh,
}

/// What kubectl has typed so far.
#[derive(Clone, Debug, Args)]
pub struct CompleteArgs {
    /// The words after `kubectl nodegrace`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// The script that completes the command line.
pub fn script(whose: For) -> String {
    let shell = match whose {
        For::Kubectl => return FOR_KUBECTL.to_owned(),
        For::Bash => Shell::Bash,
        For::Elvish => Shell::Elvish,
        For::Fish => Shell::Fish,
        For::PowerShell => Shell::PowerShell,
        For::Zsh => Shell::Zsh,
    };
    let mut script = Vec::new();
    // By the program's own name: a shell completes what is typed first, and `kubectl` completes itself.
    let mut command = crate::Args::command().bin_name(PROGRAM);
    clap_complete::generate(shell, &mut command, PROGRAM, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// What may stand where the last of the words does, as kubectl reads it: a line for each, with a description after a tab, and a number
/// that says what a shell is to do beside that (spf13/cobra, `ShellCompDirective`).
///
/// # Errors
/// When the words make no sense.
pub fn candidates(args: &CompleteArgs, here: &Path) -> Result<String, Failure> {
    /// Bits of the number: no space after what was chosen, and no names of files where nothing is to be chosen.
    const NO_SPACE: u8 = 2;
    const NO_FILES: u8 = 4;
    let mut words = vec![OsString::from(PROGRAM)];
    words.extend(args.words.iter().cloned());
    if args.words.is_empty() {
        words.push(OsString::new());
    }
    let (last, mut command) = (words.len() - 1, crate::Args::command());
    let flag = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-");
    let wants_flag = flag(&words[last]);
    let found = complete(&mut command, words, last, Some(here)).context("what was typed")?;
    // As kubectl itself: flags once a dash is typed.
    let found = found.into_iter();
    let found: Vec<CompletionCandidate> = found
        .filter(|candidate| wants_flag || !flag(candidate.get_value()))
        .collect();
    let goes_on = found.iter().any(|candidate| {
        let value = candidate.get_value().to_string_lossy();
        value.ends_with(['/', '='])
    });
    let directive = if goes_on {
        NO_SPACE | NO_FILES
    } else {
        NO_FILES
    };
    let lines = found.iter().map(line);
    Ok(format!("{}:{directive}\n", lines.collect::<String>()))
}

fn line(candidate: &CompletionCandidate) -> String {
    let value = printable(&candidate.get_value().to_string_lossy());
    let help = candidate.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    // The first sentence: there is one line for it.
    let help = help.lines().next().unwrap_or_default();
    let help = help.split(". ").next().unwrap_or_default();
    if help.is_empty() {
        return format!("{value}\n");
    }
    format!("{value}\t{help}\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> Vec<String> {
        let args = CompleteArgs {
            words: words.iter().map(OsString::from).collect(),
        };
        let told = candidates(&args, Path::new("/")).expect("it makes sense");
        let first = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        told.lines().map(first).collect()
    }

    #[test]
    fn what_is_typed_is_completed_as_kubectl_reads_it() {
        assert_eq!(told(&["wh"]), ["what-if", ":4"]);
        assert_eq!(told(&["explain", ""]), ["endpoint", "help", ":4"]);
        assert_eq!(told(&["node", ""]), [":4"]);
        assert_eq!(told(&["top", "--sort"]), ["--sort-by", ":4"]);
        let kinds = told(&["flips", "--kind", "node"]);
        assert_eq!(kinds, ["node-rebooted", "node-deleted", ":4"]);
        assert_eq!(told(&["top", "-o", "ya"]), ["yaml", ":4"]);
    }

    #[test]
    fn nothing_that_fits_is_nothing() {
        assert_eq!(told(&["zzz"]), [":4"]);
        assert!(told(&[]).contains(&"top".to_owned()));
    }

    #[test]
    fn hidden_commands_are_not_told() {
        let all = told(&[""]);
        assert!(
            !all.iter().any(|word| word == "man" || word == "__complete"),
            "{all:?}"
        );
    }
}
