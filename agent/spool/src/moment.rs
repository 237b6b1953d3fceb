//! Now, as the caller's clocks tell it: the spool reads none.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment on both of the caller's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic time: what ages are counted by while the spool is open, so that a stepped wall clock drops nothing.
    pub monotonic: Duration,
    /// Wall time: kept with each record, because only it says how old the records of an earlier run are.
    pub wall: SystemTime,
}

impl Moment {
    /// Monotonic time in milliseconds: the scale of every age inside. Negative values are before this boot.
    pub(crate) fn millis(&self) -> i64 {
        millis(self.monotonic)
    }

    /// Wall time in milliseconds since the Unix epoch, as it is stored.
    pub(crate) fn wall_millis(&self) -> i64 {
        match self.wall.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        }
    }

    /// Where a stored wall time lies on the monotonic scale. One in the future is taken as now: the clock was stepped back
    /// since, and an age below zero would never end.
    pub(crate) fn millis_of(&self, wall_millis: i64) -> i64 {
        let age = self.wall_millis().saturating_sub(wall_millis).max(0);
        self.millis().saturating_sub(age)
    }

    /// The wall time of a moment on the monotonic scale, as it is stored.
    pub(crate) fn wall_of(&self, millis: i64) -> i64 {
        self.wall_millis()
            .saturating_sub(self.millis().saturating_sub(millis))
    }
}

/// A duration in whole milliseconds; one of 292 million years and more is cut.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A stored wall time.
pub(crate) fn wall(wall_millis: i64) -> SystemTime {
    let distance = Duration::from_millis(wall_millis.unsigned_abs());
    let time = if wall_millis >= 0 {
        UNIX_EPOCH.checked_add(distance)
    } else {
        UNIX_EPOCH.checked_sub(distance)
    };
    // Only a stamp that no clock gave is out of range.
    time.unwrap_or(UNIX_EPOCH)
}
