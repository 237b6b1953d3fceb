//! Pauses between attempts: short at first, then longer and longer up to a bound, jittered so that all who lost the same
//! server do not return in step.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// A row of pauses that starts anew after a success.
#[derive(Debug)]
pub struct Pauses {
    builder: ExponentialBuilder,
    longest: Duration,
    /// The pauses still to come. `None` before the first failure.
    row: Option<ExponentialBackoff>,
}

impl Pauses {
    /// Pauses from about `shortest`, doubling up to about `longest`; jitter adds up to as much again.
    pub fn between(shortest: Duration, longest: Duration) -> Self {
        Self {
            builder: ExponentialBuilder::default()
                .with_min_delay(shortest)
                .with_max_delay(longest)
                .without_max_times()
                .with_jitter(),
            longest,
            row: None,
        }
    }

    /// Whether nothing failed since the last success.
    pub fn is_fresh(&self) -> bool {
        self.row.is_none()
    }

    /// Something worked: the next pause is a short one again.
    pub fn reset(&mut self) {
        self.row = None;
    }

    /// Something failed: how long to wait before the next attempt.
    #[allow(
        clippy::should_implement_trait,
        reason = "a row that never ends and starts anew is no iterator"
    )]
    pub fn next(&mut self) -> Duration {
        let row = self.row.get_or_insert_with(|| self.builder.build());
        row.next().unwrap_or(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_start_anew() {
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut pauses = Pauses::between(shortest, longest);
        assert!(pauses.is_fresh());
        let first = pauses.next();
        assert!(first >= shortest && first <= 2 * shortest, "{first:?}");
        for _ in 0..50 {
            assert!(pauses.next() <= 2 * longest);
        }
        assert!(pauses.next() >= longest);
        assert!(!pauses.is_fresh());
        pauses.reset();
        assert!(pauses.next() <= 2 * shortest);
    }
}
