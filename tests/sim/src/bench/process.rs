//! A process on a core of its own, and what it says.

use std::{
    ffi::OsString,
    fs::File,
    path::PathBuf,
    process::{ExitStatus, Stdio},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::malloc::{ONE_ARENA, Variable};

/// Before whatever else the machine does, where that is allowed.
const NICENESS: &str = "-10";

/// How a process is started.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<Variable>,
    /// The core it may run on. Absent: all.
    core: Option<usize>,
    /// File that takes what it logs.
    log: PathBuf,
}

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Launch {
    pub(super) fn new<I>(program: impl Into<PathBuf>, arguments: I, log: PathBuf) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: vec![ONE_ARENA],
            core: None,
            log,
        }
    }

    /// This program in another role.
    pub(super) fn role<I>(arguments: I, log: PathBuf) -> anyhow::Result<Self>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Ok(Self::new(std::env::current_exe()?, arguments, log))
    }

    /// Sets a variable of its environment.
    pub(super) fn with(mut self, variable: Variable) -> Self {
        self.environment.push(variable);
        self
    }

    /// Keeps it on one core.
    pub(super) const fn on_core(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn start(&self) -> anyhow::Result<Running> {
        let log = File::create(&self.log).context("log")?;
        let mut command = Command::new("nice");
        command.args(["-n", NICENESS]);
        if let Some(core) = self.core {
            command.args(["taskset", "--cpu-list", &core.to_string()]);
        }
        let mut child = command
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", self.program.display()))?;
        let output = child.stdout.take().context("standard output")?;
        Ok(Running {
            input: child.stdin.take(),
            output: BufReader::new(output).lines(),
            child,
            log: self.log.clone(),
        })
    }
}

impl Running {
    /// Its process id.
    pub(super) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("a process ended")
    }

    /// The next thing it says, in JSON.
    ///
    /// # Errors
    /// When it ends instead; its last word is in the error.
    pub(super) async fn hear(&mut self) -> anyhow::Result<Value> {
        match self.output.next_line().await? {
            Some(line) => serde_json::from_str(&line).with_context(|| line.clone()),
            None => bail!("a process ended: {}", self.last_word()),
        }
    }

    /// Tells it a line.
    ///
    /// # Errors
    /// When it ended.
    pub(super) async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("standard input")?;
        let written = input.write_all(format!("{line}\n").as_bytes()).await;
        written.with_context(|| format!("a process ended: {}", self.last_word()))
    }

    /// Asks and takes the answer.
    ///
    /// # Errors
    /// When it ended.
    pub(super) async fn ask(&mut self, line: &str) -> anyhow::Result<Value> {
        self.tell(line).await?;
        self.hear().await
    }

    /// How it ended. Absent: it runs.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The last line of its log.
    pub(super) fn last_word(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.id()?.cast_signed();
        kill_process(Pid::from_raw(id).context("a process id")?, Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }
}
