//! A way between processes: a relay in a process of its own, which can be killed, silenced and started again.

use std::{net::SocketAddr, path::Path};

use nodegrace_clock::Clock;

use super::{
    process::{Process, Program},
    witness::{Span, end},
};

/// A way that carries connections while its relay runs.
#[derive(Debug)]
pub(super) struct Way {
    relay: Program,
    process: Option<Process>,
    /// When it carried bytes, on the cluster's clock.
    pub(super) spans: Vec<Span>,
}

impl Way {
    /// A way from `entrance` to `exit` that carries nothing yet. `name` is that of its log.
    pub(super) fn new(name: &str, entrance: SocketAddr, exit: SocketAddr, logs: &Path) -> Self {
        let (listen, to) = (entrance.to_string(), exit.to_string());
        let arguments = ["relay", "--listen", &listen, "--to", &to];
        Self {
            relay: Program::new(arguments, logs.join(format!("{name}.log"))),
            process: None,
            spans: Vec::new(),
        }
    }

    /// Carries from now on. Idle when it does already.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn open(&mut self, clock: &Clock) -> anyhow::Result<()> {
        if self.process.is_none() {
            self.process = Some(self.relay.start()?);
            self.spans.push(Span::since(clock.now()));
        }
        Ok(())
    }

    /// Breaks every connection with SIGKILL; none can be opened until it is opened again.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn cut(&mut self, clock: &Clock) -> anyhow::Result<()> {
        end(&mut self.spans, clock.now());
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Nothing moves on it any more, with SIGSTOP, and no end says so. To carry again it must be cut first.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn silence(&mut self, clock: &Clock) -> anyhow::Result<()> {
        end(&mut self.spans, clock.now());
        self.process.as_ref().map_or(Ok(()), Process::freeze)
    }

    /// Whether its relay ended by itself.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(super) fn failed(&mut self) -> anyhow::Result<bool> {
        let ended = self.process.as_mut().map(Process::ended).transpose()?;
        Ok(ended.flatten().is_some())
    }
}
