//! Outages of the aggregator that are long enough to overflow a tight spool, as the driver knows them.

use std::time::Duration;

use super::witness::Span;

/// The shortest outage, on the cluster's clock, that can overflow a tight spool: half the time in which its heartbeats fill it,
/// as it gives room back by whole segments only.
const OVERFLOWS_AFTER: Duration = Duration::from_secs(120);

/// When nothing could be delivered for long enough, up to `now`. `ways` are spans in which each part of the way carried;
/// times between two outages shorter than `settle` do not end one, as nothing may have been acknowledged in them.
pub(super) fn outages(
    ways: &[&[Span]],
    full: &[Span],
    settle: Duration,
    now: Duration,
) -> Vec<Span> {
    let mut away: Vec<(Duration, Duration)> = Vec::new();
    for spans in ways {
        let ends = spans.iter().filter_map(|span| span.until);
        let begins = spans.iter().skip(1).map(|span| span.from);
        away.extend(ends.zip(begins.chain(std::iter::repeat(now))));
    }
    away.extend(
        full.iter()
            .map(|full| (full.from, full.until.unwrap_or(now))),
    );
    away.sort_unstable();
    let mut merged: Vec<(Duration, Duration)> = Vec::new();
    for (from, until) in away {
        match merged.last_mut() {
            Some(last) if from <= last.1 + settle => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    let long = merged
        .into_iter()
        .filter(|(from, until)| *until - *from >= OVERFLOWS_AFTER);
    // What waited when it began is dropped first, what came before everybody was back last.
    let span = |(from, until): (Duration, Duration)| Span {
        from: from.saturating_sub(settle),
        until: Some(until + settle),
    };
    long.map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_a_long_outage_overflows_and_short_ones_close_to_each_other_are_a_long_one() {
        let lives = [
            Span::between(0, 100),
            Span::between(150, 500),
            Span::between(700, 1000),
            Span::between(1060, 2000),
        ];
        let way = [Span::between(0, 1065), Span::between(1130, 2000)];
        let found = outages(&[&lives, &way], &[], seconds(10), seconds(2001));
        assert_eq!(found, [Span::between(490, 710), Span::between(990, 1140)]);
    }
}
