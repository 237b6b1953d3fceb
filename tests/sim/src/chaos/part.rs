//! A part of the system: a program, its disk, and when it ran and was full.

use std::time::Duration;

use anyhow::{bail, ensure};
use nodegrace_clock::Clock;

use super::{
    disk::Disk,
    process::{Process, Program},
    witness::{Span, end},
};

/// A part.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    program: Program,
    disk: Disk,
    process: Option<Process>,
    /// When it lived, from each start to the kill, on the cluster's clock.
    pub(super) lives: Vec<Span>,
    /// When its disk was full.
    pub(super) full: Vec<Span>,
    /// Times it could not start because its disk was full.
    pub(super) refused_starts: u64,
}

impl Part {
    /// A part that does not run yet.
    pub(super) fn new(name: &str, program: Program, disk: Disk) -> Self {
        Self {
            name: name.to_owned(),
            program,
            disk,
            process: None,
            lives: Vec::new(),
            full: Vec::new(),
            refused_starts: 0,
        }
    }

    /// Its disk.
    pub(super) const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Runs it. Idle when it does already.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn run(&mut self, clock: &Clock) -> anyhow::Result<()> {
        if self.process.is_none() {
            self.lives.push(Span::since(clock.now()));
            self.process = Some(self.program.start()?);
        }
        Ok(())
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn kill(&mut self, clock: &Clock) -> anyhow::Result<()> {
        end(&mut self.lives, clock.now());
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// When it does not end well within `patience` of real time.
    pub(super) async fn stop(&mut self, clock: &Clock, patience: Duration) -> anyhow::Result<()> {
        end(&mut self.lives, clock.now());
        if let Some(process) = self.process.take() {
            let well = process.stop(patience).await?;
            ensure!(well, "{} did not stop as it should", self.name);
        }
        Ok(())
    }

    /// Fills its disk.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn fill(&mut self, clock: &Clock) -> anyhow::Result<()> {
        self.full.push(Span::since(clock.now()));
        Ok(self.disk.fill()?)
    }

    /// Gives its disk room again.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn free(&mut self, clock: &Clock) -> anyhow::Result<()> {
        self.disk.free()?;
        end(&mut self.full, clock.now());
        Ok(())
    }

    /// Starts it again when it could not start on a full disk.
    ///
    /// # Errors
    /// When it ended by itself for another reason.
    pub(super) fn look_after(&mut self, clock: &Clock) -> anyhow::Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Some(status) = process.ended()? else {
            return Ok(());
        };
        let started = self.lives.last().map_or(Duration::ZERO, |life| life.from);
        let last_full = self.full.last();
        let was_full =
            last_full.is_some_and(|full| full.until.is_none_or(|until| until >= started));
        if !was_full {
            let log = self.program.log.display();
            bail!("{} ended by itself with {status}; see {log}", self.name);
        }
        self.refused_starts += 1;
        end(&mut self.lives, clock.now());
        self.process = None;
        self.run(clock)
    }
}
