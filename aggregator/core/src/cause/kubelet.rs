//! Which kubelet runs: another process is another kubelet, and what it replaced had ended before.

use std::time::Duration;

use super::facts::Facts;
use crate::time::WallTime;

/// Starts that differ by less are the same: start times are read in ticks, and from wall clocks that are slewed.
const SAME_START: Duration = Duration::from_secs(1);

/// The kubelet as seen last, by its process and by its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kubelet {
    /// When its process started and when that was seen last, both since boot. Absent: it was never seen.
    pub process: Option<(Duration, Duration)>,
    /// When it started by its metrics, on the wall clock, and when they were read last, since boot. Absent: they never were.
    pub metrics: Option<(WallTime, Duration)>,
}

/// A kubelet that another one took the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// When it was seen last, since boot.
    pub(crate) last_sight: Duration,
    /// When the other one started, since boot.
    pub(crate) started: Duration,
}

impl Kubelet {
    /// True when what a sample saw is another kubelet.
    pub(crate) fn is_replaced(mut self, facts: &Facts) -> bool {
        self.see(facts).is_some()
    }

    /// Takes what a sample saw of it; tells when that is another kubelet than before.
    pub(crate) fn see(&mut self, facts: &Facts) -> Option<Replaced> {
        let by_process = self.see_process(facts);
        let by_metrics = self.see_metrics(facts);
        // The process is looked at more often, and its start is exact.
        by_process.or(by_metrics)
    }

    fn see_process(&mut self, facts: &Facts) -> Option<Replaced> {
        let start = facts.process?.start;
        let (known, last_sight) = self.process.replace((start, facts.at))?;
        (start > known + SAME_START).then_some(Replaced {
            last_sight,
            started: start,
        })
    }

    fn see_metrics(&mut self, facts: &Facts) -> Option<Replaced> {
        let start = facts.metrics_start?;
        let (known, last_read) = self.metrics.replace((start, facts.at))?;
        let later = start.since(known).positive()?;
        // A stepped clock moves neither: the start is told as the clock said then.
        let running_for = facts.wall.since(start).positive()?;
        let started = facts.at.checked_sub(running_for)?;
        (later > SAME_START && started > last_read.saturating_sub(SAME_START)).then_some(Replaced {
            last_sight: last_read,
            started,
        })
    }
}
