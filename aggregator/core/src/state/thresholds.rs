//! Where one state ends and the next begins.

use std::time::Duration;

/// Thresholds of the verdict; each is a setting of the aggregator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Without a report for longer than this a node is stale.
    pub stale_after: Duration,
    /// Gaps that must be measured before a node is judged by their distribution.
    pub learning_gaps: u64,
    /// A 99th percentile of the gap above this share of the grace period is near.
    pub near_grace_ratio: f64,
    /// More expected flips per day than this are near.
    pub near_per_day: f64,
    /// More expected flips per day than this are flipping.
    pub flipping_per_day: f64,
    /// A flip seen within this time is flipping.
    pub flipping_seen_within: Duration,
    /// A running gap above this share of the grace period is overdue. One monitor period before the controller can act it is
    /// in any case.
    pub overdue_grace_ratio: f64,
    /// A running gap above the 99.9th percentile is overdue only when it is also this many times the median: in a tight
    /// distribution the former is passed by milliseconds once in a thousand gaps, which says nothing.
    pub overdue_median_factor: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            // Agents send a sample every 10 s; four may get lost or late before anything is wrong.
            stale_after: Duration::from_secs(45),
            // Five minutes of a healthy kubelet.
            learning_gaps: 30,
            near_grace_ratio: 0.5,
            // One a month.
            near_per_day: 1.0 / 30.0,
            // One a week.
            flipping_per_day: 1.0 / 7.0,
            flipping_seen_within: Duration::from_secs(24 * 3600),
            overdue_grace_ratio: 0.5,
            overdue_median_factor: 1.5,
        }
    }
}
