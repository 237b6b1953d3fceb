//! How much is kept.

use std::time::Duration;

use crate::{
    class::{Class, PerClass},
    error::OpenError,
    segment, state,
};

/// Files are charged in whole blocks of this size, what common file systems allocate: many small segments (an agent that
/// restarts all the time) then cannot use more of the disk than the limit says.
pub(crate) const BLOCK: u64 = 4096;

/// Least budget of a class: four segments of one block, so that dropping a segment never empties it.
pub(crate) const LEAST_BUDGET: u64 = 4 * BLOCK;

/// A class is cut into about this many segments, or more of the largest: dropping the oldest one loses that share of it.
const SEGMENTS: u64 = 16;

/// Largest segment: the one being written is also held in memory, as long as the agent runs, and what is dropped is dropped by the
/// segment. Five minutes of samples of 1 KiB, half an hour of heartbeats.
const MOST_SEGMENT: u64 = 32 * 1024;

/// The bounds of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of each class, at least 16 KiB. On disk, files are charged in blocks of 4 KiB.
    pub budget: PerClass<u64>,
    /// Most bytes of each class that wait in memory while the disk refuses them. Without a directory `budget` is the bound.
    pub memory: u64,
    /// Records older than this are dropped (by whole segments: an eighth of it later at most).
    pub age: Duration,
    /// A replica that was not seen for this long is forgotten and holds nothing back any more.
    pub forget_replica_after: Duration,
}

impl Limits {
    /// Bounds for `bytes` in all: a quarter for heartbeats, a sixteenth for what explains them, the rest for samples, so that
    /// heartbeats reach back further than samples (100 bytes every 5 s against 1 KiB every 10 s).
    ///
    /// Age 7 days: an outage is over by then, or nobody wants its figures. 1 MiB of memory per class: 14 hours of heartbeats.
    /// Replicas are forgotten after 1 day: longer than any rollout.
    pub fn of_bytes(bytes: u64) -> Self {
        let logs = bytes.saturating_sub(state::RESERVE);
        let (heartbeats, others) = (logs / 4, logs / 16);
        let budget = PerClass::from_fn(|class| match class {
            Class::Heartbeat => heartbeats,
            Class::Other => others,
            Class::Sample => logs - heartbeats - others,
        });
        Self {
            budget,
            memory: 1024 * 1024,
            age: Duration::from_secs(7 * 86_400),
            forget_replica_after: Duration::from_secs(86_400),
        }
    }

    /// Most bytes in the directory: the budgets, and what the state needs while it is replaced. Segments that were set aside
    /// for a newer version are not counted.
    pub fn total(&self) -> u64 {
        self.budget.iter().map(|(_, bytes)| bytes).sum::<u64>() + state::RESERVE
    }

    /// Size at which a segment of a class is closed.
    pub(crate) fn segment_bytes(&self, class: Class) -> u64 {
        let share = self.budget[class] / SEGMENTS / BLOCK * BLOCK;
        share.clamp(BLOCK, MOST_SEGMENT)
    }

    /// Largest payload of a class: what fits into a segment of its own.
    pub fn most_payload(&self, class: Class) -> usize {
        let room = self.segment_bytes(class) as usize - segment::MOST_OVERHEAD;
        room.min(segment::MOST_PAYLOAD)
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        match self.budget.iter().find(|(_, bytes)| **bytes < LEAST_BUDGET) {
            None => Ok(()),
            Some((class, &bytes)) => Err(OpenError::BudgetTooSmall {
                class: class.name(),
                bytes,
                least: LEAST_BUDGET,
            }),
        }
    }
}

/// What a file of this length is charged.
pub(crate) const fn charge(len: u64) -> u64 {
    len.div_ceil(BLOCK) * BLOCK
}
