//! A distribution of durations in little memory: a base-2 exponential histogram, as OpenTelemetry and Prometheus' native
//! histograms have it (scale 6, so each bucket is 2^(1/64) wide: 64 buckets an octave).
//!
//! A quantile is the midpoint of its bucket, so its relative error is at most (b-1)/(b+1) with b = 2^(1/64): 0.55 %. Count,
//! sum, smallest and largest value are exact, and two sketches merge without any loss.
//!
//! Memory is bounded: beyond [`MOST_BUCKETS`] buckets in use the lowest are taken together (as `DDSketch` does; Masson, Rim and
//! Lee, VLDB 2019), so that high quantiles keep their error whatever comes.

use std::time::Duration;

use crate::{
    figures::{Quantiles, Spread},
    snapshot::SketchSnapshot,
};

/// Buckets an octave.
const BUCKETS_PER_OCTAVE: f64 = 64.0;
/// Values up to this count as nothing: no figure here means anything below a millisecond.
const FLOOR: f64 = 1.0 / 1024.0;
/// Most buckets in use: five octaves without a hole. The periods and gaps of a node, however bad, spread over some 100.
pub const MOST_BUCKETS: usize = 320;
/// Most values: the sum over a million sketches stays within 64 bits.
const MOST_VALUES: u64 = u64::MAX >> 20;
/// Bound on the relative error of a quantile above a millisecond: (b-1)/(b+1) for b = 2^(1/64), rounded up.
pub const RELATIVE_ERROR: f64 = 0.0055;

/// A mergeable distribution of durations. 8 bytes for each bucket in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Buckets in use, ascending by index. Bucket `i` holds values in (2^(i/64), 2^((i+1)/64)] seconds.
    buckets: Vec<Bucket>,
    count: u64,
    sum_nanos: u128,
    min: Option<Duration>,
    max: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    index: i16,
    /// Saturates: four billion equal periods take a kubelet 1,300 years.
    count: u32,
}

/// Index of the bucket that holds `value`.
fn index(value: Duration) -> i16 {
    let seconds = value.as_secs_f64().max(FLOOR);
    // At most log2(2^64 s) * 64 = 4096, at least -640: within i16.
    ((seconds.log2() * BUCKETS_PER_OCTAVE).ceil() - 1.0) as i16
}

/// The value whose relative distance to both ends of the bucket is the same, in seconds.
fn middle(index: i16) -> f64 {
    let lower = (f64::from(index) / BUCKETS_PER_OCTAVE).exp2();
    let upper = (f64::from(index + 1) / BUCKETS_PER_OCTAVE).exp2();
    2.0 * lower * upper / (lower + upper)
}

impl SketchSnapshot {
    /// Whether a sketch can have been exported as this; nothing can be computed of another one.
    pub fn is_sound(&self) -> bool {
        let (lowest, highest) = (index(Duration::ZERO), index(Duration::MAX));
        let ascending = self.buckets.is_sorted_by(|(one, _), (next, _)| one < next);
        let within = |(index, _): &(i16, u32)| (lowest..=highest).contains(index);
        let counted: u64 = self.buckets.iter().map(|(_, n)| u64::from(*n)).sum();
        let sum_of = |value: Duration| u128::from(self.count).saturating_mul(value.as_nanos());
        let bounded = match self.min.zip(self.max) {
            Some((min, max)) => min <= max && (sum_of(min)..=sum_of(max)).contains(&self.sum_nanos),
            None => self.min == self.max && self.count == 0 && self.sum_nanos == 0,
        };
        // A bucket that is full counts no more.
        let counts = counted <= self.count && self.count <= MOST_VALUES;
        ascending && self.buckets.iter().all(within) && counts && bounded
    }
}

impl Sketch {
    /// A sketch of no value.
    pub const fn new() -> Self {
        Self {
            buckets: Vec::new(),
            count: 0,
            sum_nanos: 0,
            min: None,
            max: None,
        }
    }

    /// The sketch that was exported.
    pub fn import(snapshot: &SketchSnapshot) -> Self {
        let mut sketch = Self {
            buckets: Vec::new(),
            count: snapshot.count,
            sum_nanos: snapshot.sum_nanos,
            min: snapshot.min,
            max: snapshot.max,
        };
        for &(index, count) in &snapshot.buckets {
            sketch.add(index, count);
        }
        sketch
    }

    /// The sketch as plain data.
    pub fn export(&self) -> SketchSnapshot {
        let buckets = self.buckets.iter();
        SketchSnapshot {
            buckets: buckets.map(|bucket| (bucket.index, bucket.count)).collect(),
            count: self.count,
            sum_nanos: self.sum_nanos,
            min: self.min,
            max: self.max,
        }
    }

    /// Adds one value.
    pub fn insert(&mut self, value: Duration) {
        self.add(index(value), 1);
        self.count += 1;
        self.sum_nanos += value.as_nanos();
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
    }

    /// Adds every value of `other`; the same as having inserted them here.
    pub fn merge(&mut self, other: &Self) {
        for bucket in &other.buckets {
            self.add(bucket.index, bucket.count);
        }
        self.count += other.count;
        self.sum_nanos += other.sum_nanos;
        self.min = self.min.into_iter().chain(other.min).min();
        self.max = self.max.max(other.max);
    }

    fn add(&mut self, index: i16, count: u32) {
        match self.buckets.binary_search_by_key(&index, |b| b.index) {
            Ok(at) => self.buckets[at].count = self.buckets[at].count.saturating_add(count),
            // Below everything kept, with no room: it counts as the lowest.
            Err(0) if self.buckets.len() == MOST_BUCKETS => {
                self.buckets[0].count = self.buckets[0].count.saturating_add(count);
            }
            Err(at) if self.buckets.len() == MOST_BUCKETS => {
                // The lowest goes into the one above it, and what is below `at` moves down by one.
                let lowest = self.buckets[0].count;
                self.buckets[..at].rotate_left(1);
                self.buckets[at - 1] = Bucket { index, count };
                self.buckets[0].count = self.buckets[0].count.saturating_add(lowest);
            }
            Err(at) => {
                self.grow();
                self.buckets.insert(at, Bucket { index, count });
            }
        }
    }

    /// Makes room for a bucket: half as much again, not twice as much, since most sketches stay small.
    fn grow(&mut self) {
        let length = self.buckets.len();
        if length == self.buckets.capacity() {
            let more = (length / 2).max(4).min(MOST_BUCKETS - length);
            self.buckets.reserve_exact(more);
        }
    }

    /// Number of values.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all values, exact.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.sum_nanos).unwrap_or(u64::MAX))
    }

    /// Smallest value, exact. Absent: there is none.
    pub const fn min(&self) -> Option<Duration> {
        self.min
    }

    /// Largest value, exact. Absent: there is none.
    pub const fn max(&self) -> Option<Duration> {
        self.max
    }

    /// The value below which a share of `quantile` (0 to 1) of all values lies, within [`RELATIVE_ERROR`]. Absent: there is
    /// no value.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let (min, max) = self.min.zip(self.max)?;
        // Nearest rank: the smallest value with at least that share of all values at or below it.
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64)
            .ceil()
            .max(1.0) as u64;
        if rank >= self.count {
            return Some(max);
        }
        let mut below = 0;
        let bucket = self.buckets.iter().find(|bucket| {
            below += u64::from(bucket.count);
            below >= rank
        })?;
        Some(Duration::from_secs_f64(middle(bucket.index)).clamp(min, max))
    }

    /// The median. Absent: there is no value.
    pub fn median(&self) -> Option<Duration> {
        self.quantile(0.5)
    }

    /// Every bucket in use, ascending: a value within [`RELATIVE_ERROR`] of all it holds, and how many.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = (Duration, u64)> + '_ {
        let (min, max) = (self.min.unwrap_or_default(), self.max.unwrap_or_default());
        self.buckets.iter().map(move |bucket| {
            let value = Duration::from_secs_f64(middle(bucket.index)).clamp(min, max);
            (value, u64::from(bucket.count))
        })
    }

    /// Smallest and largest value, and the usual quantiles. Absent: there is no value.
    pub fn spread(&self) -> Option<Spread> {
        let at = |quantile| self.quantile(quantile);
        Some(Spread {
            min: self.min?,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            p999: at(0.999)?,
            max: self.max?,
        })
    }

    /// The usual quantiles, with their `resolution` where it is coarser than a millisecond.
    pub fn quantiles(&self, resolution: Option<Duration>) -> Quantiles {
        Quantiles {
            count: self.count,
            spread: self.spread(),
            relative_error: RELATIVE_ERROR,
            resolution,
        }
    }

    /// Bytes on the heap.
    pub const fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch_of(nanos: &[u64]) -> Sketch {
        let mut sketch = Sketch::new();
        for &value in nanos {
            sketch.insert(Duration::from_nanos(value));
        }
        sketch
    }

    /// From a tenth of a millisecond to more than a day, evenly over the magnitudes.
    fn durations() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((5.0..14.0_f64).prop_map(|e| 10_f64.powf(e) as u64), 1..300)
    }

    /// More of them than there are buckets.
    fn many_durations() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(
            (5.0..14.0_f64).prop_map(|e| 10_f64.powf(e) as u64),
            600..900,
        )
    }

    #[test]
    fn what_no_sketch_exports_is_not_sound() {
        assert!(Sketch::new().export().is_sound());
        let damage: [fn(&mut SketchSnapshot); 8] = [
            |sketch| sketch.buckets.reverse(),
            |sketch| sketch.buckets[0].0 = i16::MIN,
            |sketch| sketch.buckets[1].0 = i16::MAX,
            |sketch| sketch.buckets[0].1 = u32::MAX,
            |sketch| sketch.count = u64::MAX,
            |sketch| sketch.sum_nanos = u128::MAX,
            |sketch| sketch.min = Some(Duration::MAX),
            |sketch| sketch.max = None,
        ];
        for (number, damage) in damage.into_iter().enumerate() {
            let mut snapshot = sketch_of(&[10_000_000_000, 45_000_000_000]).export();
            damage(&mut snapshot);
            assert!(!snapshot.is_sound(), "damage {number}: {snapshot:?}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_the_stated_error_of_the_true_one(
            mut values in durations(),
            quantile in 0.0..=1.0_f64,
        ) {
            let found = sketch_of(&values).quantile(quantile).expect("not empty").as_secs_f64();
            values.sort_unstable();
            let rank = ((quantile * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let truth = values[rank - 1] as f64 * 1e-9;
            let error = (found - truth).abs();
            prop_assert!(error <= truth * RELATIVE_ERROR || truth.max(found) <= 0.001, "{found} for {truth}");
        }

        #[test]
        fn merging_is_the_same_as_inserting_everything(left in durations(), right in durations()) {
            let mut merged = sketch_of(&left);
            merged.merge(&sketch_of(&right));
            prop_assert_eq!(merged, sketch_of(&[left, right].concat()));
        }

        #[test]
        fn beyond_its_memory_a_sketch_keeps_the_high_quantiles_and_still_merges(
            mut left in many_durations(),
            right in many_durations(),
        ) {
            let mut merged = sketch_of(&left);
            merged.merge(&sketch_of(&right));
            left.extend(right);
            prop_assert_eq!(&merged, &sketch_of(&left));
            prop_assert_eq!(merged.buckets.capacity(), MOST_BUCKETS);
            left.sort_unstable();
            for quantile in [0.9, 0.99, 0.999] {
                let found = merged.quantile(quantile).expect("not empty").as_secs_f64();
                let rank = (quantile * left.len() as f64).ceil() as usize;
                let truth = left[rank - 1] as f64 * 1e-9;
                prop_assert!((found - truth).abs() <= truth * RELATIVE_ERROR, "{found} for {truth}");
            }
        }

        #[test]
        fn count_sum_and_extremes_are_exact(values in durations()) {
            let sketch = sketch_of(&values);
            prop_assert!(sketch.export().is_sound());
            prop_assert_eq!(sketch.count(), values.len() as u64);
            prop_assert_eq!(sketch.sum(), Duration::from_nanos(values.iter().sum()));
            prop_assert_eq!(sketch.min(), values.iter().min().map(|&v| Duration::from_nanos(v)));
            prop_assert_eq!(sketch.max(), values.iter().max().map(|&v| Duration::from_nanos(v)));
        }
    }

    #[test]
    fn nothing_inserted_gives_no_quantile() {
        assert_eq!(Sketch::new().quantile(0.5), None);
        assert_eq!(Sketch::new().quantiles(None).spread, None);
    }

    #[test]
    fn a_steady_kubelet_costs_few_bytes() {
        let mut sketch = Sketch::new();
        for beat in 0..100_000_u64 {
            sketch.insert(Duration::from_millis(10_000 + beat % 400));
        }
        assert!(sketch.heap_bytes() <= 128, "{} bytes", sketch.heap_bytes());
    }
}
