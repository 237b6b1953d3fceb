//! Real processes: the built binaries, started with flags and read line by line, killed when the test lets go of them.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command as AsyncCommand},
};

/// Longest time a test waits for a line or an exit. Far above what either takes: it only keeps a broken test from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running binary and its standard error.
pub struct Process {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    seen: Vec<String>,
}

/// How a process that was expected to end ended.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Everything it wrote to standard error.
    pub stderr: String,
    /// Everything it wrote to standard output.
    pub stdout: String,
}

impl Process {
    /// Starts the workspace's binary `name` with `args`, with no environment of ours but the path.
    ///
    /// # Panics
    /// When the binary cannot be started: nothing can be tested then.
    pub fn start(name: &str, args: &[&str]) -> Self {
        let mut child = AsyncCommand::new(binary(name))
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("standard error is piped");
        Self {
            child,
            stderr: BufReader::new(stderr).lines(),
            seen: Vec::new(),
        }
    }

    /// Waits for a line on standard error that contains `text`, and returns it.
    ///
    /// # Panics
    /// When no such line comes, with what came instead.
    pub async fn line(&mut self, text: &str) -> String {
        let found = tokio::time::timeout(PATIENCE, async {
            while let Ok(Some(line)) = self.stderr.next_line().await {
                self.seen.push(line.clone());
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        })
        .await;
        match found {
            Ok(Some(line)) => line,
            _ => panic!("no line with {text:?} among:\n{}", self.seen.join("\n")),
        }
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When the process does not end.
    pub async fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().expect("the process runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM is sent");
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("the process ends after SIGTERM")
            .expect("its status is known")
    }

    /// Kills the process without a chance to say anything, as a crash would.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is killed");
    }
}

/// Runs the workspace's binary `name` with `args` to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run_to_end(name: &str, args: &[&str]) -> Ended {
    let output = Command::new(binary(name))
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Ended {
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// The path of a binary of this workspace, built on first use in the same target directory and profile as the tests.
///
/// `cargo test` builds the binaries of the tested package only; ours belong to other packages.
///
/// # Panics
/// When it does not build.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let test = env::current_exe().expect("the test knows its own path");
            let profile_dir = test
                .ancestors()
                .nth(2)
                .expect("tests run from target/PROFILE/deps");
            build(profile_dir);
            profile_dir.to_path_buf()
        })
        .join(name)
}

fn build(profile_dir: &Path) {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--quiet",
        "--package=nodegrace-agent",
        "--package=nodegrace-aggregator",
        "--package=nodegrace-sim",
        "--package=kubectl-nodegrace",
        "--bins",
    ]);
    // What the outer cargo says of this package would have ring's build script run again, and all that rests on it built anew.
    for (name, _) in env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if of_package
            .iter()
            .any(|start| name.to_string_lossy().starts_with(start))
        {
            cargo.env_remove(name);
        }
    }
    if profile_dir.ends_with("release") {
        cargo.arg("--release");
    }
    if let Some(target_dir) = profile_dir.parent() {
        cargo.arg("--target-dir").arg(target_dir);
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "the binaries build");
}
