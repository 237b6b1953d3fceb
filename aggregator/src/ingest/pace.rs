//! How fast one stream may report: whoever has more to say has to wait, and nothing of it is lost.

use std::time::Duration;

/// What may come at once: what an agent has kept through an outage of a day comes in a few such bursts. In records.
const BURST: f64 = 32_768.0;
/// What may come for ever, in records a second. An agent that samples every second and sees two channels makes three.
const RATE: f64 = 1000.0;
/// What a batch costs besides its records: an acknowledgement and its share of a write.
const BATCH: usize = 16;
/// Bytes that cost as much as a record: several times what one has.
const BYTES: usize = 1024;

/// A bucket that fills at [`RATE`], and that batches are paid from.
#[derive(Debug)]
pub(super) struct Pace {
    /// What is left; below zero: what is owed.
    left: f64,
    /// When that was so, on the aggregator's clock.
    at: Duration,
}

impl Pace {
    /// A full bucket.
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            left: BURST,
            at: now,
        }
    }

    /// Pays for a batch of so many records and bytes. The wait before the next one may come.
    pub(super) fn pay(&mut self, records: usize, bytes: usize, now: Duration) -> Duration {
        let since = now.saturating_sub(self.at).as_secs_f64();
        let cost = (BATCH + records + bytes / BYTES) as f64;
        self.left = (self.left + since * RATE).min(BURST) - cost;
        self.at = now;
        Duration::from_secs_f64((-self.left).max(0.0) / RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_never_waits_and_a_flood_does() {
        let mut pace = Pace::new(Duration::ZERO);
        for second in 0..3600 {
            let now = Duration::from_secs(second);
            assert_eq!(pace.pay(3, 4096, now), Duration::ZERO);
        }
        let mut now = Duration::from_secs(3600);
        let started = now;
        for _ in 0..100_000 {
            now += pace.pay(0, 0, now);
        }
        let took = (now - started).as_secs_f64();
        let fastest = (100_000.0 * BATCH as f64 - BURST) / RATE;
        assert!((took - fastest).abs() < 1.0, "{took} s, not {fastest} s");
    }

    #[test]
    fn the_backlog_of_a_day_comes_within_a_minute() {
        let (mut pace, mut now) = (Pace::new(Duration::ZERO), Duration::ZERO);
        for _ in 0..(24 * 3600 * 3 / 10) / 256 {
            now += pace.pay(256, 64 << 10, now);
        }
        assert!(now < Duration::from_secs(60), "{now:?}");
    }
}
