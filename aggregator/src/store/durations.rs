//! How long something took, counted by length.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds in seconds: from a commit into the page cache to a disk that hangs.
const BOUNDS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0];

/// Durations counted by length.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// How many lie below each bound and above the one before; the last: above all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_micros: AtomicU64,
}

impl Durations {
    /// Counts one.
    pub(super) fn add(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let place = BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many took at most so many seconds, for each bound and for infinity.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count.load(Ordering::Relaxed);
            Some(*sum)
        });
        BOUNDS
            .into_iter()
            .chain([f64::INFINITY])
            .zip(counts)
            .collect()
    }

    /// Their sum in seconds.
    pub(crate) fn sum_seconds(&self) -> f64 {
        self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_at_every_bound_that_it_does_not_exceed() {
        let durations = Durations::default();
        for milliseconds in [1, 2, 20_000] {
            durations.add(Duration::from_millis(milliseconds));
        }
        let buckets = durations.buckets();
        assert_eq!(buckets[..2], [(0.001, 1), (0.003, 2)]);
        assert_eq!(buckets[7..], [(10.0, 2), (f64::INFINITY, 3)]);
        assert!((durations.sum_seconds() - 20.003).abs() < 1e-9);
    }
}
