//! Predicted and seen flips over time: a model that was right once may not be right today.

use std::collections::BTreeMap;

use crate::{controller::Judge, fleet::Fleet, time::WallTime};

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// One day (UTC).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// Its begin.
    pub start: WallTime,
    /// Sum of the flip probabilities of the gaps that ended on it.
    pub predicted: f64,
    /// Flips seen within these gaps.
    pub seen: u64,
    /// Gaps with a flip probability above zero.
    pub risky_gaps: u64,
}

/// What the fleet's settings predicted for each day, and what came: the latest day first. Days without a risky gap and without
/// a flip are left out. Only gaps that were kept exactly count, and all that can lead to a flip are, unless a node had too many.
pub fn by_day(fleet: &Fleet) -> Vec<Day> {
    let judge = Judge::new(fleet.config().controller);
    let mut days = BTreeMap::<i64, Day>::new();
    for gap in fleet.histories().flat_map(|node| node.gaps().exact()) {
        let judged = judge.judge(gap.duration, gap.start());
        if judged.is_none() && !gap.flip_seen {
            continue;
        }
        let number = gap.end_time.unix_nanos().div_euclid(DAY);
        let day = days.entry(number).or_insert(Day {
            start: WallTime::from_unix_nanos(number.saturating_mul(DAY)),
            predicted: 0.0,
            seen: 0,
            risky_gaps: 0,
        });
        day.predicted += judged.map_or(0.0, |judged| judged.flip_probability);
        day.risky_gaps += u64::from(judged.is_some());
        day.seen += u64::from(gap.flip_seen);
    }
    days.into_values().rev().collect()
}
