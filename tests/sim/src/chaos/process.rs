//! A process of this program: started, frozen, killed, asked to stop.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How a process of this program is started, again and again.
#[derive(Clone, Debug)]
pub struct Program {
    /// The role and its flags.
    pub arguments: Vec<OsString>,
    /// What its environment has besides this one's.
    pub environment: Vec<(&'static str, OsString)>,
    /// File that takes what it logs, appended.
    pub log: PathBuf,
}

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Program {
    /// The program with this role and its flags.
    pub fn new<I>(arguments: I, log: PathBuf) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            log,
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(&self) -> anyhow::Result<Process> {
        let program = std::env::current_exe().context("this program")?;
        let mut log = OpenOptions::new();
        let log: File = log
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("log {}", self.log.display()))?;
        let child = Command::new(program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("could not start a process")?;
        Ok(Process { child })
    }
}

impl Process {
    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("SIGKILL")
    }

    /// Asks it to stop with SIGTERM and waits until it has; true when it ended well within `patience` of real time.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn stop(mut self, patience: Duration) -> anyhow::Result<bool> {
        self.signal(Signal::TERM)?;
        if let Ok(ended) = timeout(patience, self.child.wait()).await {
            return Ok(ended?.success());
        }
        self.child.kill().await.context("SIGKILL")?;
        Ok(false)
    }

    /// Lets it stand still (SIGSTOP).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// How it ended by itself. Absent: it runs.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Its process id. Absent: it ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).context("the process ended")?;
        kill_process(id, signal).context("signal")
    }
}
