//! Thresholds of the verdicts as flags.

use std::time::Duration;

use clap::Args;
use nodegrace_core::Thresholds;

/// Days of a week and of a month, as rates are asked for.
const WEEK: f64 = 7.0;
const MONTH: f64 = 30.0;

/// Where one verdict ends and the next begins.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Thresholds")]
pub struct ThresholdArgs {
    /// STALE: no report for longer than this. Agents report every 10s.
    #[arg(
        long,
        env = "NODEGRACE_STALE_AFTER",
        default_value = "45s",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub stale_after: Duration,

    /// LEARNING: fewer gaps than this were measured. A healthy kubelet shows one every 10s.
    #[arg(
        long,
        env = "NODEGRACE_LEARNING_GAPS",
        default_value_t = 30,
        value_name = "GAPS"
    )]
    pub learning_gaps: u64,

    /// NEAR: the p99 gap is above this share of the grace period (0 to 1).
    #[arg(
        long,
        env = "NODEGRACE_NEAR_RATIO",
        default_value_t = 0.5,
        value_name = "RATIO"
    )]
    pub near_ratio: f64,

    /// NEAR: more flips than this are expected in 30 days.
    #[arg(
        long,
        env = "NODEGRACE_NEAR_FLIPS_PER_MONTH",
        default_value_t = 1.0,
        value_name = "FLIPS"
    )]
    pub near_flips_per_month: f64,

    /// FLIPPING: more flips than this are expected in 7 days.
    #[arg(
        long,
        env = "NODEGRACE_FLIPPING_FLIPS_PER_WEEK",
        default_value_t = 1.0,
        value_name = "FLIPS"
    )]
    pub flipping_flips_per_week: f64,

    /// FLIPPING: a flip was seen within this time.
    #[arg(
        long,
        env = "NODEGRACE_FLIPPING_SEEN_WITHIN",
        default_value = "24h",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub flipping_seen_within: Duration,

    /// OVERDUE: the gap running now is above this share of the grace period (0 to 1); a monitor period before the controller
    /// can act it is in any case.
    #[arg(
        long,
        env = "NODEGRACE_OVERDUE_RATIO",
        default_value_t = 0.5,
        value_name = "RATIO"
    )]
    pub overdue_ratio: f64,

    /// OVERDUE: the gap running now is above the node's own p99.9 and above this many times its median.
    #[arg(
        long,
        env = "NODEGRACE_OVERDUE_MEDIAN_FACTOR",
        default_value_t = 1.5,
        value_name = "FACTOR"
    )]
    pub overdue_median_factor: f64,
}

impl ThresholdArgs {
    /// What the flags mean.
    ///
    /// # Errors
    /// Names the flag whose value makes no sense.
    pub(super) fn thresholds(&self) -> Result<Thresholds, String> {
        for (flag, ratio) in [
            ("--near-ratio", self.near_ratio),
            ("--overdue-ratio", self.overdue_ratio),
        ] {
            if !(ratio > 0.0 && ratio <= 1.0) {
                return Err(format!("{flag} {ratio} must be above 0 and at most 1"));
            }
        }
        for (flag, number) in [
            ("--near-flips-per-month", self.near_flips_per_month),
            ("--flipping-flips-per-week", self.flipping_flips_per_week),
            ("--overdue-median-factor", self.overdue_median_factor),
        ] {
            if !(number > 0.0 && number.is_finite()) {
                return Err(format!("{flag} {number} must be above 0"));
            }
        }
        if self.stale_after.is_zero() {
            return Err("--stale-after must be longer than zero".to_owned());
        }
        if self.learning_gaps == 0 {
            return Err("--learning-gaps must be at least 1".to_owned());
        }
        Ok(Thresholds {
            stale_after: self.stale_after,
            learning_gaps: self.learning_gaps,
            near_grace_ratio: self.near_ratio,
            near_per_day: self.near_flips_per_month / MONTH,
            flipping_per_day: self.flipping_flips_per_week / WEEK,
            flipping_seen_within: self.flipping_seen_within,
            overdue_grace_ratio: self.overdue_ratio,
            overdue_median_factor: self.overdue_median_factor,
        })
    }
}
