//! Runs the programs that these tests need, and says in one line which one is missing or what it complained about.

use std::{ffi::OsStr, process::Command};

use anyhow::{Context as _, bail};

/// Runs `program` to its end and returns what it printed to stdout.
///
/// # Errors
/// When the program is not installed, or ends with anything but success; the message holds its stderr.
pub(super) fn output_of<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("{program} does not start; `.ci/run` installs it"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{program} ended with {}: {}", output.status, stderr.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{program} printed no UTF-8"))
}
