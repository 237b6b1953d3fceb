//! Figures in words: each kind in one form, wherever it is shown. What is not known is a dash, never a zero.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use nodegrace_proto::{prost_types, v1};

/// What stands for a figure that is not known.
pub const UNKNOWN: &str = "-";

/// A length of time on the wire.
type Wire = prost_types::Duration;

/// A wire duration in seconds.
pub fn as_seconds(duration: Wire) -> f64 {
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}

/// A length of time in the unit that suits it: "24.5s", "12.5min", "3.5h", "2.1d".
pub fn seconds(duration: Option<Wire>) -> String {
    duration.map_or_else(unknown, |duration| of_seconds(as_seconds(duration)))
}

/// The same of so many seconds.
pub fn of_seconds(seconds: f64) -> String {
    // The limits are those of the sentences that the aggregator writes: aggregator/core/src/state/words.rs.
    let (value, unit) = match seconds.abs() {
        ..600.0 => (seconds, "s"),
        ..7200.0 => (seconds / 60.0, "min"),
        ..172_800.0 => (seconds / 3600.0, "h"),
        _ => (seconds / 86_400.0, "d"),
    };
    format!("{value:.1}{unit}")
}

/// A setting, which has no digits that say nothing: "40s", "2.5s".
pub fn setting(duration: Option<Wire>) -> String {
    duration.map_or_else(unknown, |duration| format!("{}s", as_seconds(duration)))
}

/// A figure per day: three digits where there are as many, "<0.01" where there is hardly any.
pub fn per_day(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..0.01 => "<0.01".to_owned(),
        ..1.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Both ends of an interval of figures per day: "92.0..418".
pub fn interval(lower: f64, upper: f64) -> String {
    format!("{}..{}", per_day(lower), per_day(upper))
}

/// A share of one: "13%".
pub fn share(ratio: f64) -> String {
    match ratio * 100.0 {
        0.0 => "0%".to_owned(),
        ..1.0 => "<1%".to_owned(),
        percent if percent > 99.0 && ratio < 1.0 => ">99%".to_owned(),
        percent => format!("{percent:.0}%"),
    }
}

/// A moment in UTC to the second, as logs have it: "2026-11-25T07:12:33Z".
pub fn moment(time: Option<prost_types::Timestamp>) -> String {
    let time = time.and_then(|time| SystemTime::try_from(time).ok());
    let time = time.and_then(|time| Timestamp::try_from(time).ok());
    time.map_or_else(unknown, |time| {
        let part = SignedDuration::from_nanos(time.subsec_nanosecond().into());
        time.checked_sub(part).unwrap_or(time).to_string()
    })
}

/// A text, or a dash where there is none.
pub fn text(text: &str) -> String {
    if text.is_empty() {
        unknown()
    } else {
        text.to_owned()
    }
}

/// Names that a cell shows at most.
const NAMES: usize = 3;

/// The first of some names, and how many there are beside them: "a,b,c,+4". A dash where there is none.
pub fn some_of(names: impl ExactSizeIterator<Item = String>) -> String {
    let rest = names.len().saturating_sub(NAMES);
    let mut shown: Vec<String> = names.take(NAMES).collect();
    if rest > 0 {
        shown.push(format!("+{rest}"));
    }
    text(&shown.join(","))
}

/// The name of a state, a cause, a channel, without the prefix of its enum.
pub fn name(of: &'static str, prefix: &str) -> String {
    let name = of.trim_start_matches(prefix);
    if name == "UNSPECIFIED" {
        unknown()
    } else {
        name.to_owned()
    }
}

/// A cause's name.
pub fn cause(kind: v1::CauseKind) -> String {
    name(kind.as_str_name(), "CAUSE_KIND_")
}

/// A channel's name.
pub fn channel(channel: v1::Channel) -> String {
    name(channel.as_str_name(), "CHANNEL_")
}

/// What stands for a figure that is not known.
pub fn unknown() -> String {
    UNKNOWN.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(seconds: f64) -> Wire {
        Wire {
            seconds: seconds.trunc() as i64,
            nanos: (seconds.fract() * 1e9) as i32,
        }
    }

    #[test]
    fn durations_read_in_the_unit_that_suits_them() {
        let shown = |value| seconds(Some(wire(value)));
        assert_eq!(shown(38.24), "38.2s");
        assert_eq!(shown(-7.0), "-7.0s");
        assert_eq!(shown(750.0), "12.5min");
        assert_eq!(shown(9000.0), "2.5h");
        assert_eq!(shown(864_000.0), "10.0d");
        assert_eq!(seconds(None), "-");
        assert_eq!(setting(Some(wire(40.0))), "40s");
        assert_eq!(setting(Some(wire(2.5))), "2.5s");
    }

    #[test]
    fn rates_have_three_digits_at_most_and_hardly_any_is_not_none() {
        let shown = [0.0, 0.0001, 0.123, 1.0, 12.34, 420.4].map(per_day);
        assert_eq!(shown, ["0", "<0.01", "0.12", "1.0", "12.3", "420"]);
        assert_eq!(share(0.0004), "<1%");
        assert_eq!(share(0.9999), ">99%");
        assert_eq!(share(1.0), "100%");
    }

    #[test]
    fn a_cell_has_a_few_names_and_says_how_many_are_left_out() {
        let names = |count: usize| some_of((0..count).map(|number| format!("n{number}")));
        assert_eq!(names(0), "-");
        assert_eq!(names(3), "n0,n1,n2");
        assert_eq!(names(5), "n0,n1,n2,+2");
    }

    #[test]
    fn moments_have_whole_seconds() {
        let time = prost_types::Timestamp {
            seconds: 1_795_000_000,
            nanos: 987_000_000,
        };
        assert_eq!(moment(Some(time)), "2026-11-18T11:06:40Z");
        assert_eq!(moment(None), "-");
    }
}
