//! A moment as typed: so long ago, or a point of time.

use std::{
    str::FromStr,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use nodegrace_proto::prost_types;

/// A moment in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago, by this machine's clock.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ago) = humantime::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        let at = text.parse().map(Self::At);
        at.map_err(|_| {
            "is neither a duration such as 6h nor a time such as 2026-11-25T07:12:33Z".to_owned()
        })
    }
}

impl Since {
    /// The moment for the wire, `now` being the time of day. Before all time the wire knows is as much as ever.
    pub fn moment(self, now: SystemTime) -> prost_types::Timestamp {
        let at = match self {
            Self::At(at) => return wire(at),
            Self::Ago(ago) => now
                .checked_sub(ago)
                .and_then(|at| Timestamp::try_from(at).ok()),
        };
        wire(at.unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

fn wire(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    // The wire counts nanoseconds forward, jiff away from 1970.
    if nanos < 0 {
        return prost_types::Timestamp {
            seconds: seconds - 1,
            nanos: nanos + 1_000_000_000,
        };
    }
    prost_types::Timestamp { seconds, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Result<(i64, i32), String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100_000);
        let moment = text.parse::<Since>()?.moment(now);
        Ok((moment.seconds, moment.nanos))
    }

    #[test]
    fn a_moment_is_so_long_ago_or_a_point_of_time() {
        assert_eq!(moment("1h 30m"), Ok((94_600, 0)));
        assert_eq!(moment("1970-01-02T00:00:00.5Z"), Ok((86_400, 500_000_000)));
        assert_eq!(moment("1969-12-31T23:59:59.25Z"), Ok((-1, 250_000_000)));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn before_all_time_is_as_much_as_ever() {
        assert_eq!(moment("1000000000years"), Ok((0, 0)));
    }
}
