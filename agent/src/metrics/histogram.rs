//! A histogram of seconds in two forms at once: counts up to fixed bounds, which every Prometheus reads, and exponential buckets
//! of 2.2 %, which it calls a native histogram.

use std::{collections::BTreeMap, time::Duration};

/// Buckets to a doubling are 2 to the power of this: `schema` of a native histogram. 40 s are told from 40.9 s.
pub(super) const SCHEMA: i32 = 5;
/// Values up to this count as zero: a millisecond, and a whole power of two.
pub(super) const ZERO: f64 = 1.0 / 1024.0;
/// Values above this are in the last bucket, which bounds their number to 877: a day and a half.
const MOST: f64 = 131_072.0;

/// A histogram of seconds.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    /// Values up to each bound and above the one before, and those above all.
    counts: Vec<u64>,
    /// Values of each exponential bucket that has any, by its number: bucket `n` ends at 2^(n / 2^schema).
    buckets: BTreeMap<i32, u64>,
    zeros: u64,
    sum: f64,
}

impl Histogram {
    /// One without values.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            buckets: BTreeMap::new(),
            zeros: 0,
            sum: 0.0,
        }
    }

    /// Takes a value.
    pub(super) fn observe(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        let place = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[place] += 1;
        self.sum += seconds;
        if seconds <= ZERO {
            self.zeros += 1;
            return;
        }
        let per_doubling = f64::from(1 << SCHEMA);
        let bucket = (seconds.min(MOST).log2() * per_doubling).ceil() as i32;
        *self.buckets.entry(bucket).or_default() += 1;
    }

    /// How many values there are.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum in seconds.
    pub(super) const fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values there are up to each bound. All of them are up to infinity.
    pub(super) fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts.iter().scan(0, |so_far, count| {
            *so_far += count;
            Some(*so_far)
        });
        bounds.zip(counts)
    }

    /// The exponential buckets, ascending.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (i32, u64)> {
        self.buckets.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// Values that count as zero.
    pub(super) const fn zeros(&self) -> u64 {
        self.zeros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::new(&[10.0, 40.0]);
        for value in values {
            histogram.observe(Duration::from_secs_f64(*value));
        }
        histogram
    }

    #[test]
    fn a_bound_holds_what_is_as_large() {
        let histogram = of(&[10.0, 10.5, 40.0, 41.0]);
        let wanted = [(10.0, 1), (40.0, 3), (f64::INFINITY, 4)];
        assert_eq!(histogram.up_to().collect::<Vec<_>>(), wanted);
        assert!((histogram.sum() - 101.5).abs() < 1e-9);
    }

    #[test]
    fn every_value_is_in_the_bucket_that_ends_above_it() {
        for value in [0.002, 0.5, 1.0, 10.2, 40.032, 63.9, 3600.0] {
            let histogram = of(&[value]);
            let (bucket, count) = histogram.buckets().next().expect("one bucket");
            let end = |bucket: i32| (f64::from(bucket) / 32.0).exp2();
            assert_eq!(count, 1);
            assert!(
                end(bucket - 1) < value && value <= end(bucket),
                "{value}: {bucket}"
            );
        }
    }

    #[test]
    fn what_is_hardly_anything_or_beyond_all_measure_takes_no_bucket_of_its_own() {
        let histogram = of(&[0.0, 0.0005, 1e9, 2e9]);
        assert_eq!((histogram.zeros(), histogram.count()), (2, 4));
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(17 * 32, 2)]);
    }
}
