//! A part of the system: a program, its disk, and when it ran and was full.

use std::time::Duration;

use anyhow::{bail, ensure};
use nodegrace_clock::Clock;

use super::{
    disk::Disk,
    process::{Process, Program},
    witness::{Span, end},
};

/// How long a part may need to find that it cannot start, and to meet room that was given back meanwhile, in real time.
const STARTING: Duration = Duration::from_millis(1500);
/// Exit status of a part that returned an error. A panic has another, a signal none.
const FAILED: i32 = 1;

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
    /// [`STARTING`] on the cluster's clock.
    starting: Duration,
}

impl Part {
    /// A part that does not run yet. The cluster's clock is `speed` times as fast as real time.
    pub(super) fn new(name: &str, program: Program, disk: Disk, speed: f64) -> Self {
        Self {
            name: name.to_owned(),
            program,
            disk,
            process: None,
            lives: Vec::new(),
            full: Vec::new(),
            refused_starts: 0,
            starting: STARTING.mul_f64(speed),
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
        if status.code() != Some(FAILED) || !self.cannot_start(clock.now()) {
            let log = self.program.log.display();
            bail!("{} ended by itself with {status}; see {log}", self.name);
        }
        eprintln!("{} could not start on its full disk", self.name);
        self.refused_starts += 1;
        end(&mut self.lives, clock.now());
        self.process = None;
        self.run(clock)
    }

    /// Whether the end of its process at `now` may be due to a full disk: while it was starting, and on a disk that is full or
    /// was a moment ago.
    fn cannot_start(&self, now: Duration) -> bool {
        let is_fresh = |since: Duration| now <= since + self.starting;
        let starting = self.lives.last().is_some_and(|life| is_fresh(life.from));
        let full = self.full.last();
        starting && full.is_some_and(|full| full.until.is_none_or(is_fresh))
    }
}
