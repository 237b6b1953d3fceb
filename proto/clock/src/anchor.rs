//! Where a scaled clock began, in words that another process of the same machine understands.

use std::{fmt, str::FromStr, time::Duration, time::SystemTime};

use crate::{from_unix_nanos, unix_nanos};

/// A scaled clock's beginning: every process of one machine that is given it reads the same time ([`Clock::anchored`]).
///
/// As text it is `SPEED@SINCE@WALL`, both times in nanoseconds.
///
/// [`Clock::anchored`]: crate::Clock::anchored
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// How many times as fast as the machine's clock it runs; positive.
    pub speed: f64,
    /// When it began, by the machine's `CLOCK_MONOTONIC`.
    pub since: Duration,
    /// What its wall clock showed then.
    pub wall: SystemTime,
}

impl Anchor {
    /// A clock that begins now.
    pub fn now(speed: f64, wall: SystemTime) -> Self {
        Self {
            speed,
            since: machine_time(),
            wall,
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (since, wall) = (self.since.as_nanos(), unix_nanos(self.wall));
        write!(formatter, "{}@{since}@{wall}", self.speed)
    }
}

/// What a text lacks to be an [`Anchor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnchor;

impl fmt::Display for NoAnchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .write_str("must be SPEED@SINCE@WALL: a positive number and two times in nanoseconds")
    }
}

impl std::error::Error for NoAnchor {}

impl FromStr for Anchor {
    type Err = NoAnchor;

    fn from_str(text: &str) -> Result<Self, NoAnchor> {
        let mut parts = text.split('@');
        let mut next = || parts.next().ok_or(NoAnchor);
        let speed: f64 = next()?.parse().map_err(|_| NoAnchor)?;
        let since = next()?.parse().map_err(|_| NoAnchor)?;
        let wall = next()?.parse().map_err(|_| NoAnchor)?;
        let whole = parts.next().is_none() && speed.is_finite() && speed > 0.0;
        whole
            .then_some(Self {
                speed,
                since: Duration::from_nanos(since),
                wall: from_unix_nanos(wall),
            })
            .ok_or(NoAnchor)
    }
}

/// The machine's `CLOCK_MONOTONIC`, by which tokio's time runs.
pub(crate) fn machine_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn an_anchor_comes_back_from_its_text() {
        let anchor = Anchor::now(20.0, SystemTime::UNIX_EPOCH + Duration::from_nanos(7));
        assert_eq!(anchor.to_string().parse(), Ok(anchor));
        for text in [
            "", "20@1", "20@1@2@3", "0@1@2", "-1@1@2", "NaN@1@2", "20@-1@2",
        ] {
            assert_eq!(text.parse::<Anchor>(), Err(NoAnchor), "{text}");
        }
    }

    #[tokio::test]
    async fn clocks_of_one_anchor_read_the_same_time_whenever_they_were_made() {
        let anchor = Anchor::now(1000.0, SystemTime::UNIX_EPOCH);
        let early = Clock::anchored(anchor);
        early.sleep(Duration::from_secs(20)).await;
        let late = Clock::anchored(anchor);
        // What passes between two readings is bracketed by a third.
        let (before, between, after) = (early.now(), late.now(), early.now());
        // Each is off by what passed between two readings of one clock when it was made: microseconds, times a thousand.
        let slack = Duration::from_secs(10);
        assert!(between + slack >= before && between <= after + slack);
        assert!(late.wall() >= SystemTime::UNIX_EPOCH + Duration::from_secs(20));
    }
}
