//! How endangered a node is, as one number to rank nodes by.

use super::NodeFigures;

/// Days a month has in rates.
const MONTH: f64 = 30.0;

impl NodeFigures {
    /// The flips expected in a month, plus the share of the grace period that its p99 gap takes, or the gap running now where
    /// that is longer (at most all of it: what comes after is no risk but a flip). Absent: no gap was measured.
    ///
    /// Either part alone is what the state `NEAR` looks at; the sum ranks nodes that flip by how often they do, and the others
    /// by how near they come.
    pub fn risk(&self) -> Option<f64> {
        let margin = self.margin?;
        let running = self.running_gap.map_or(0.0, |gap| {
            gap.duration.as_secs_f64() / margin.grace_period.as_secs_f64()
        });
        let near = (1.0 - margin.p99_ratio).max(running.min(1.0));
        let flips = self.expected_flips.map_or(0.0, |flips| flips.per_day);
        Some(flips * MONTH + near)
    }
}
