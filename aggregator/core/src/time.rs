//! The two kinds of time that pass through the core: wall times for display, and differences that may be negative.
//!
//! Monotonic times are plain [`Duration`]s: since the boot of the machine they were read on, or since the start of the
//! aggregator's own clock. Which of the two is said where one is taken.

use std::time::Duration;

/// A wall clock reading: nanoseconds since the Unix epoch, negative before it.
///
/// For display and for joining with logs; no figure is computed from the difference of two machines' wall times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// The wall time `nanos` nanoseconds after the Unix epoch.
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// How much later this reading is than `earlier`; negative when the clock was stepped back in between.
    pub const fn since(self, earlier: Self) -> SignedDuration {
        SignedDuration(self.0.saturating_sub(earlier.0))
    }
}

/// A difference of durations: nanoseconds, negative where something ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedDuration(i64);

impl SignedDuration {
    /// The difference `minuend - subtrahend`.
    pub fn difference(minuend: Duration, subtrahend: Duration) -> Self {
        Self(nanos(minuend).saturating_sub(nanos(subtrahend)))
    }

    /// The length in nanoseconds, negative below zero.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The length in seconds, negative below zero.
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// The same length when it is not negative.
    pub fn positive(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

/// Nanoseconds of `duration`, at most `i64::MAX` (292 years).
fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
