//! One side of the system: its process, restarted or not, and what it took over time.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use nodegrace_clock::Clock;

use super::{heap, slope::Point, usage::Usage};
use crate::{
    chaos::{Process, Program},
    malloc::ONE_ARENA,
};

/// How long a process stays away after SIGKILL.
const AWAY: Duration = Duration::from_secs(3);

/// One side of the system.
pub(super) struct Side {
    program: Program,
    process: Option<Process>,
    /// Where the process tells what it has allocated.
    heap: PathBuf,
    started: Duration,
    run: usize,
    resident: Resident,
    anonymous: Vec<Point>,
    allocated: Vec<Point>,
}

/// Resident memory, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resident {
    /// When it was measured first.
    pub(super) first: u64,
    /// When it was measured last.
    pub(super) last: u64,
    /// The most there ever was.
    pub(super) most: u64,
}

impl Side {
    /// Starts the process.
    pub(super) fn start(mut program: Program, clock: &Clock) -> anyhow::Result<Self> {
        let heap = program.log.with_extension("heap");
        let (name, value) = ONE_ARENA;
        program.environment.push((name, value.into()));
        program.environment.push((heap::FILE, heap.clone().into()));
        Ok(Self {
            process: Some(program.start()?),
            program,
            heap,
            started: clock.now(),
            run: 0,
            resident: Resident::default(),
            anonymous: Vec::new(),
            allocated: Vec::new(),
        })
    }

    /// What the process takes now.
    pub(super) fn usage(&mut self) -> anyhow::Result<Usage> {
        let process = self.process.as_mut().context("a process")?;
        if let Some(status) = process.ended()? {
            let said = std::fs::read_to_string(&self.program.log).unwrap_or_default();
            let last = said.lines().last().unwrap_or_default();
            bail!("a process ended by itself with {status}: {last}");
        }
        let id = process.id().context("a process without an id")?;
        let mut usage = Usage::of(id).context("a process that runs")?;
        usage.allocated_kib = heap::told(&self.heap).unwrap_or_default();
        self.resident.most = self.resident.most.max(usage.rss_kib);
        Ok(usage)
    }

    /// Notes what it takes `now`, for the slope, but for this many bytes of it.
    pub(super) fn note(&mut self, now: Duration, usage: Usage, but_for: u64) {
        if self.anonymous.is_empty() {
            self.resident.first = usage.rss_kib;
        }
        self.resident.last = usage.rss_kib;
        let point = |kib: u64| Point {
            at: now,
            run: self.run,
            value: kib as f64 - but_for as f64 / 1024.0,
        };
        self.anonymous.push(point(usage.anonymous_kib));
        // A process that was just started has told nothing yet.
        let told = (usage.allocated_kib > 0).then(|| point(usage.allocated_kib));
        self.allocated.extend(told);
    }

    /// Kills it with SIGKILL and starts it again.
    pub(super) async fn restart(&mut self, clock: &Clock) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            process.kill().await?;
        }
        clock.sleep(AWAY).await;
        self.process = Some(self.program.start()?);
        self.started = clock.now();
        self.run += 1;
        Ok(())
    }

    /// When its process was started last.
    pub(super) const fn started(&self) -> Duration {
        self.started
    }

    /// How often its process was killed.
    pub(super) const fn restarts(&self) -> usize {
        self.run
    }

    /// Its resident memory.
    pub(super) const fn resident(&self) -> Resident {
        self.resident
    }

    /// The anonymous memory that was noted, in KiB.
    pub(super) fn anonymous(&self) -> &[Point] {
        &self.anonymous
    }

    /// What it had allocated when that was noted, in KiB.
    pub(super) fn allocated(&self) -> &[Point] {
        &self.allocated
    }

    /// Lines of its log that hold `words`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn said(&self, words: &str) -> anyhow::Result<usize> {
        let log = std::fs::read_to_string(&self.program.log).context("log")?;
        Ok(log.lines().filter(|line| line.contains(words)).count())
    }
}
