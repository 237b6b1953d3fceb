//! The aggregator's own time, which goes on across restarts.
//!
//! The fleet measures on a monotonic clock. A machine's starts anew with every boot, and a history that is restored must not
//! start anew with it: so the timeline begins with the machine's clock when the history begins, and a restart adds the time
//! that passed meanwhile. Only that time is taken from the wall clock, which nothing else knows; while the aggregator runs, no
//! step of the wall clock changes any duration.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nodegrace_clock::Clock;
use nodegrace_core::WallTime;

/// Wall clocks that agree within this were not stepped: they were read a little apart, and NTP slews them a little.
const SAME_WALL_NANOS: u64 = 1_000_000_000;

/// A moment by both of the aggregator's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// On the timeline.
    pub(crate) moment: Duration,
    /// By the wall clock.
    pub(crate) wall: WallTime,
}

/// Monotonic time, whole across restarts.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    clock: Clock,
    /// This run's start, on the machine's monotonic clock.
    started: Duration,
    /// This run's start.
    start: Mark,
    /// What wall times are counted from.
    anchor: Mark,
}

impl Timeline {
    /// A timeline that begins now: the machine's own monotonic clock.
    pub(crate) fn begin(clock: Clock) -> Self {
        let start = Mark {
            moment: clock.now(),
            wall: wall(&clock),
        };
        Self {
            started: start.moment,
            clock,
            start,
            anchor: start,
        }
    }

    /// The timeline that was last seen at `last`, its wall times counted from `anchor`.
    pub(crate) fn resume(clock: Clock, last: Mark, anchor: Mark) -> Self {
        let wall = wall(&clock);
        // A wall clock that was set back tells nothing of the time between; none is the least it can have been.
        let between = wall.since(last.wall).positive().unwrap_or_default();
        let start = Mark {
            moment: last.moment + between,
            wall,
        };
        let off = wall.since(anchor.wall_at(start.moment)).nanos();
        Self {
            started: clock.now(),
            clock,
            start,
            // Moments keep their wall times from run to run, unless the clock was set: then it is believed.
            anchor: if off.unsigned_abs() < SAME_WALL_NANOS {
                anchor
            } else {
                start
            },
        }
    }

    /// Now.
    pub(crate) fn now(&self) -> Duration {
        self.start.moment + self.clock.now().saturating_sub(self.started)
    }

    /// Now by both clocks.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            moment: self.now(),
            wall: wall(&self.clock),
        }
    }

    /// What wall times are counted from.
    pub(crate) const fn anchor(&self) -> Mark {
        self.anchor
    }

    /// Wall time of this run's start.
    pub(crate) const fn start_time(&self) -> WallTime {
        self.start.wall
    }

    /// Wall time of a moment. Counted from the anchor, so that moments keep their distances when the wall clock is stepped.
    pub(crate) fn wall_at(&self, moment: Duration) -> WallTime {
        self.anchor.wall_at(moment)
    }

    /// A number that differs from run to run.
    pub(crate) const fn run(&self) -> u64 {
        self.start.wall.unix_nanos().cast_unsigned()
    }
}

impl Mark {
    /// Wall time of another moment, counted from this one.
    pub(crate) fn wall_at(self, moment: Duration) -> WallTime {
        let since = nanos(moment).saturating_sub(nanos(self.moment));
        WallTime::from_unix_nanos(self.wall.unix_nanos().saturating_add(since))
    }
}

fn wall(clock: &Clock) -> WallTime {
    let time: SystemTime = clock.wall();
    WallTime::from_unix_nanos(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    })
}

/// Nanoseconds, at most 292 years of them.
fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::scaled(1.0, UNIX_EPOCH + Duration::from_secs(1_000_000))
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_adds_the_time_between_and_keeps_every_wall_time() {
        let clock = clock();
        let first = Timeline::begin(clock.clone());
        clock.sleep(Duration::from_secs(100)).await;
        let last = first.mark();
        clock.sleep(Duration::from_secs(20)).await;
        let second = Timeline::resume(clock.clone(), last, first.anchor());
        assert_eq!(second.now(), last.moment + Duration::from_secs(20));
        assert_eq!(second.wall_at(last.moment), first.wall_at(last.moment));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_of_the_wall_clock_changes_no_duration_while_it_runs() {
        let clock = clock();
        let timeline = Timeline::begin(clock.clone());
        let before = timeline.now();
        clock.step_wall(-3600.0);
        clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(timeline.now(), before + Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_was_set_back_between_two_runs_does_not_turn_time_back() {
        let clock = clock();
        let last = Timeline::begin(clock.clone()).mark();
        clock.step_wall(-3600.0);
        let second = Timeline::resume(clock.clone(), last, last);
        assert_eq!(second.now(), last.moment);
        assert_eq!(second.wall_at(second.now()), second.start_time());
    }
}
