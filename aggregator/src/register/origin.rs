//! When this run of the aggregator started.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nodegrace_clock::Clock;
use nodegrace_core::WallTime;

/// The start of this run by both clocks. Moments on the monotonic clock are shown as wall times counted from here, so that
/// they keep their distances when the wall clock is stepped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    monotonic: Duration,
    wall: WallTime,
}

impl Origin {
    /// Now is the start.
    pub(super) fn of(clock: &Clock) -> Self {
        Self {
            monotonic: clock.now(),
            wall: wall(clock.wall()),
        }
    }

    /// Wall time of the start.
    pub(crate) const fn wall(self) -> WallTime {
        self.wall
    }

    /// Wall time of a moment on the aggregator's monotonic clock.
    pub(crate) fn wall_at(self, monotonic: Duration) -> WallTime {
        let since_start = nanos(monotonic).saturating_sub(nanos(self.monotonic));
        WallTime::from_unix_nanos(self.wall.unix_nanos().saturating_add(since_start))
    }

    /// A number that differs from run to run.
    pub(crate) const fn run(self) -> u64 {
        self.wall.unix_nanos().cast_unsigned()
    }
}

fn wall(time: SystemTime) -> WallTime {
    WallTime::from_unix_nanos(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    })
}

/// Nanoseconds, at most 292 years of them.
fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
