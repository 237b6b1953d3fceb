//! Durations and rates in words, short enough for a table.

use std::{fmt, time::Duration};

/// A duration in the unit that suits it: "38.2 s", "12 min", "3.5 h", "2.1 d".
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match seconds {
            ..600.0 => (seconds, "s"),
            ..7200.0 => (seconds / 60.0, "min"),
            ..172_800.0 => (seconds / 3600.0, "h"),
            _ => (seconds / 86_400.0, "d"),
        };
        // One decimal, and none where it says nothing.
        let rounded = (value * 10.0).round() / 10.0;
        write!(f, "{rounded} {unit}")
    }
}

/// A rate in the unit that suits it: "3.2 flips a day", "1.5 flips a week".
pub(super) fn rate(per_day: f64) -> String {
    let (value, unit) = if per_day >= 1.0 {
        (per_day, "day")
    } else if per_day >= 1.0 / 7.0 {
        (per_day * 7.0, "week")
    } else {
        (per_day * 30.0, "month")
    };
    format!("{value:.1} flips a {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_in_the_unit_that_suits_them() {
        let words = |seconds| Seconds(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!(words(38.24), "38.2 s");
        assert_eq!(words(40.0), "40 s");
        assert_eq!(words(750.0), "12.5 min");
        assert_eq!(words(9000.0), "2.5 h");
        assert_eq!(words(864_000.0), "10 d");
    }

    #[test]
    fn rates_read_in_the_unit_that_suits_them() {
        assert_eq!(rate(3.21), "3.2 flips a day");
        assert_eq!(rate(0.5), "3.5 flips a week");
        assert_eq!(rate(0.05), "1.5 flips a month");
    }
}
