//! Quantiles of durations, exact to the microsecond: all of them are kept.

use std::time::Duration;

use serde_json::{Value, json};

/// Durations in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Vec<u32>);

impl Latencies {
    pub(super) fn note(&mut self, took: Duration) {
        self.0
            .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    /// Count and quantiles, for another process.
    pub(super) fn told(mut self) -> Value {
        self.0.sort_unstable();
        json!({
            "count": self.0.len(),
            "p50": self.quantile(0.5),
            "p99": self.quantile(0.99),
            "max": self.0.last(),
        })
    }

    /// The quantile of sorted durations, in microseconds.
    fn quantile(&self, quantile: f64) -> Option<u32> {
        let rank = (quantile * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied()
    }

    /// p50, p99 and the longest. Absent: there is none.
    pub(super) fn quantiles(mut self) -> Option<[Duration; 3]> {
        self.0.sort_unstable();
        let micros = |micros: u32| Duration::from_micros(micros.into());
        let [p50, p99] = [0.5, 0.99].map(|quantile| self.quantile(quantile));
        Some([micros(p50?), micros(p99?), micros(*self.0.last()?)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_the_p99_is_the_last_but_one() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.clone().quantiles(), None);
        for millis in (1..=100).rev() {
            latencies.note(Duration::from_millis(millis));
        }
        let [p50, p99, max] = latencies.quantiles().expect("some");
        assert_eq!(
            (p50.as_millis(), p99.as_millis(), max.as_millis()),
            (50, 99, 100)
        );
    }
}
