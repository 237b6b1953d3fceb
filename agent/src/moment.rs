//! A moment on both of the node's clocks: one measures, the other is shown and joined with stamps.

use std::time::Duration;

use jiff::Timestamp;
use nodegrace_clock::Clock;

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
}
