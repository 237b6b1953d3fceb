//! The programs that are measured: those of this tree, as they are shipped.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::args::Common;

/// Where the programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs(PathBuf);

impl Programs {
    /// Those that the flags name; or else they are built as `deploy/Dockerfile` does it.
    ///
    /// # Errors
    /// When they are not there, or cannot be built.
    pub(super) fn of(common: &Common) -> anyhow::Result<Self> {
        let directory = match &common.programs {
            Some(directory) => directory.clone(),
            None => build()?,
        };
        let programs = Self(directory);
        for program in [programs.agent(), programs.aggregator()] {
            ensure!(program.is_file(), "{}: no program", program.display());
        }
        Ok(programs)
    }

    pub(super) fn agent(&self) -> PathBuf {
        self.0.join("nodegrace-agent")
    }

    pub(super) fn aggregator(&self) -> PathBuf {
        self.0.join("nodegrace-aggregator")
    }
}

/// Builds both, and returns their directory.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let flags = format!("target.{target}.rustflags=['-Ctarget-feature=+crt-static']");
    let here = env::current_exe()?;
    let directory = here.ancestors().nth(2).context("a target directory")?;
    let status = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--locked", "--profile", "dist"])
        .args(["-p", "nodegrace-agent", "-p", "nodegrace-aggregator"])
        .args(["--target", &target, "--config", &flags, "--target-dir"])
        .arg(directory)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "the programs could not be built");
    Ok(directory.join(target).join("dist"))
}
