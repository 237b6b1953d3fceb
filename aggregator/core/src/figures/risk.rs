//! How endangered a node is, as one number to rank nodes by.

use super::NodeFigures;

/// Days a month has in rates.
const MONTH: f64 = 30.0;
/// Seconds a day has.
const DAY: f64 = 86_400.0;

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
        Some(self.flips_per_day() * MONTH + near)
    }

    /// Flips to count with: those that its gaps lead to or, where more were seen than they can account for, those that were
    /// seen. The gaps behind them were not measured.
    fn flips_per_day(&self) -> f64 {
        let Some(expected) = self.expected_flips else {
            return 0.0;
        };
        if self.flips_seen == 0 || self.flips_seen <= expected.likely().most {
            return expected.per_day;
        }
        let days = expected.observed.as_secs_f64() / DAY;
        expected.per_day.max(self.flips_seen as f64 / days)
    }
}
