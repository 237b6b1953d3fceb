//! A moment on both of the node's clocks: one measures, the other is shown and joined with stamps.

use std::time::Duration;

use jiff::Timestamp;
use nodegrace_clock::Clock;

/// Least step of the wall clock, in seconds: slewing at the usual 500 ppm takes a quarter of an hour for as much.
const STEP_SECONDS: f64 = 0.5;

/// A moment, by the monotonic clock and by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since boot.
    pub(crate) monotonic: Duration,
    /// By the node's wall clock.
    pub(crate) wall: Timestamp,
}

impl Moment {
    /// Now.
    pub(crate) fn now(clock: &Clock) -> Self {
        Self {
            monotonic: clock.now(),
            // A wall clock outside the years -9999 to 9999 is as wrong as one at the epoch.
            wall: Timestamp::try_from(clock.wall()).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// When `stamp` was, on the monotonic clock, if the wall clock was not stepped since.
    ///
    /// `None` when that would be after this moment or before boot: then the wall clock was stepped, or the stamp is
    /// another machine's.
    pub(crate) fn monotonic_of(&self, stamp: Timestamp) -> Option<Duration> {
        let age = Duration::try_from(self.wall.duration_since(stamp)).ok()?;
        self.monotonic.checked_sub(age)
    }

    /// Whether the wall clock was stepped, either way, between `earlier` and this moment.
    pub(crate) fn stepped_since(&self, earlier: &Self) -> bool {
        let wall = self.wall.duration_since(earlier.wall).as_secs_f64();
        let monotonic = self.monotonic.as_secs_f64() - earlier.monotonic.as_secs_f64();
        (wall - monotonic).abs() > STEP_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(monotonic: u64, wall: i64) -> Moment {
        Moment {
            monotonic: Duration::from_secs(monotonic),
            wall: Timestamp::from_second(wall).unwrap(),
        }
    }

    #[test]
    fn a_step_is_told_from_time_that_passes() {
        let earlier = moment(100, 1000);
        assert!(!moment(160, 1060).stepped_since(&earlier));
        assert!(moment(160, 1055).stepped_since(&earlier));
        assert!(moment(160, 1065).stepped_since(&earlier));
        assert!(moment(160, 900).stepped_since(&earlier));
    }
}
