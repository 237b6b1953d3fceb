//! The programs that are measured: those of this tree, as they are shipped.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::args::Common;

/// The programs, and the packages that they are of.
const AGENT: &str = "nodegrace-agent";
const AGGREGATOR: &str = "nodegrace-aggregator";

/// Where the programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    agent: PathBuf,
    aggregator: PathBuf,
}

impl Programs {
    /// Those in the directory that the flags name; or else they are built as `deploy/Dockerfile` does it.
    ///
    /// # Errors
    /// When they are not there, or cannot be built.
    pub(super) fn of(common: &Common) -> anyhow::Result<Self> {
        let programs = match &common.programs {
            Some(directory) => Self {
                agent: directory.join(AGENT),
                aggregator: directory.join(AGGREGATOR),
            },
            None => Self {
                agent: build("small", AGENT)?,
                aggregator: build("dist", AGGREGATOR)?,
            },
        };
        for program in [&programs.agent, &programs.aggregator] {
            ensure!(program.is_file(), "{}: no program", program.display());
        }
        Ok(programs)
    }

    pub(super) fn agent(&self) -> &Path {
        &self.agent
    }

    pub(super) fn aggregator(&self) -> &Path {
        &self.aggregator
    }
}

/// Builds a program with this profile, and returns where it is.
fn build(profile: &str, program: &str) -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let flags = format!(
        "target.{target}.rustflags=['-Ctarget-feature=+crt-static', '-Clink-arg=-Wl,-z,pack-relative-relocs']"
    );
    let here = env::current_exe()?;
    let directory = here.ancestors().nth(2).context("a target directory")?;
    let status = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--locked", "--profile", profile, "-p", program])
        .args(["--target", &target, "--config", &flags, "--target-dir"])
        .arg(directory)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "{program} could not be built");
    Ok(directory.join(target).join(profile).join(program))
}
