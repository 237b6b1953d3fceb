//! The controller's settings, and what the poll makes of them.

use std::{fmt, time::Duration};

/// Settings of the node lifecycle controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerSettings {
    /// node-monitor-grace-period (G): a node last credited longer ago than this is marked Unknown.
    pub grace_period: Duration,
    /// node-monitor-period (P): the pause between the end of one pass over the nodes and the start of the next.
    pub monitor_period: Duration,
    /// node-startup-grace-period: the grace of a node without a Ready condition.
    pub startup_grace_period: Duration,
    /// How long a pass takes; it adds to the monitor period.
    pub pass: PassDuration,
    /// True from Kubernetes 1.37 on (kubernetes/kubernetes pull 138698): before marking a node, the controller reads its
    /// Lease from the API server, so that a late watch of its own cannot flip a node whose Lease was renewed.
    pub live_lease_read: bool,
}

/// How long the controller's pass over all nodes takes: for each gap some duration between two bounds, all equally likely.
///
/// An idle controller needs milliseconds. When many nodes flip at once its API client's limit (20 requests a second unless
/// set) stretches a pass to seconds, which shifts the polls of that time and so spares some gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassDuration {
    /// Duration of the shortest pass.
    pub shortest: Duration,
    /// Duration of the longest pass; not below the shortest.
    pub longest: Duration,
}

impl PassDuration {
    /// A pass over a few hundred nodes by an idle controller: the polls of a Kubernetes 1.36 controller with a grace period
    /// of 40 s and a period of 5 s came 40.007 to 40.016 s after the credit, eight passes later.
    pub const QUIET: Self = Self::constant(Duration::from_micros(2500));

    /// Every pass takes `duration`.
    pub const fn constant(duration: Duration) -> Self {
        Self {
            shortest: duration,
            longest: duration,
        }
    }
}

/// Why settings describe no controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// The grace period is zero.
    NoGracePeriod,
    /// The monitor period is below a tenth of a second: no controller looks that often, and polls would be too many to count.
    MonitorPeriodTooShort,
    /// The grace period is shorter than the monitor period: the controller would give up nodes that it never looks at in time.
    GraceBelowMonitorPeriod,
    /// The shortest pass is longer than the longest.
    PassBoundsSwapped,
    /// Some duration is longer than a week: no controller is set so, and sums of it would overflow.
    TooLong,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoGracePeriod => "the grace period must be longer than zero",
            Self::MonitorPeriodTooShort => "the monitor period must be at least 100 ms",
            Self::GraceBelowMonitorPeriod => {
                "the grace period must not be shorter than the monitor period"
            }
            Self::PassBoundsSwapped => "the shortest pass must not be longer than the longest",
            Self::TooLong => "a setting of the controller must not be longer than a week",
        })
    }
}

impl std::error::Error for SettingsError {}

/// Longest duration that is taken for a setting.
const LONGEST_SETTING: Duration = Duration::from_secs(7 * 24 * 3600);

/// Shortest monitor period that is taken for a setting.
const SHORTEST_MONITOR_PERIOD: Duration = Duration::from_millis(100);

impl Default for ControllerSettings {
    /// The defaults of Kubernetes 1.32 and later.
    fn default() -> Self {
        Self {
            grace_period: Duration::from_secs(50),
            monitor_period: Duration::from_secs(5),
            startup_grace_period: Duration::from_secs(60),
            pass: PassDuration::QUIET,
            live_lease_read: false,
        }
    }
}

impl ControllerSettings {
    /// These settings with another grace and monitor period.
    #[must_use]
    pub const fn with_periods(self, grace_period: Duration, monitor_period: Duration) -> Self {
        Self {
            grace_period,
            monitor_period,
            ..self
        }
    }

    /// Whether there can be such a controller. Every other method expects that there is.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let durations = [
            self.grace_period,
            self.monitor_period,
            self.startup_grace_period,
            self.pass.longest,
        ];
        if self.grace_period.is_zero() {
            Err(SettingsError::NoGracePeriod)
        } else if self.monitor_period < SHORTEST_MONITOR_PERIOD {
            Err(SettingsError::MonitorPeriodTooShort)
        } else if self.grace_period < self.monitor_period {
            Err(SettingsError::GraceBelowMonitorPeriod)
        } else if self.pass.shortest > self.pass.longest {
            Err(SettingsError::PassBoundsSwapped)
        } else if durations.iter().any(|&duration| duration > LONGEST_SETTING) {
            Err(SettingsError::TooLong)
        } else {
            Ok(())
        }
    }

    /// P': the time from one look at a node to the next, by the shortest and by the longest pass.
    pub fn poll_interval(&self) -> (Duration, Duration) {
        (
            self.monitor_period + self.pass.shortest,
            self.monitor_period + self.pass.longest,
        )
    }

    /// G': from the look that credits a heartbeat to the look that flips the node, while passes take `pass`: the first whole
    /// number of polls past the grace period.
    pub fn effective_grace(&self, pass: Duration) -> Duration {
        let interval = self.monitor_period + pass;
        interval.saturating_mul(polls(self.grace_period, interval))
    }
}

/// Number of polls, `interval` apart, until more than `grace` has passed.
pub(super) fn polls(grace: Duration, interval: Duration) -> u32 {
    u32::try_from(grace.as_nanos() / interval.as_nanos().max(1) + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_grace_of_whole_polls_is_overrun_by_the_passes_alone() {
        let settings = ControllerSettings::default().with_periods(s(40), s(5));
        let grace = settings.effective_grace(Duration::from_micros(2500));
        assert_eq!(grace, Duration::from_millis(40_020));
    }

    #[test]
    fn a_grace_between_two_polls_waits_for_the_later_one() {
        let settings = ControllerSettings::default().with_periods(s(42), s(5));
        assert_eq!(settings.effective_grace(Duration::ZERO), s(45));
    }

    #[test]
    fn a_poll_exactly_at_the_end_of_the_grace_period_does_not_flip_yet() {
        let settings = ControllerSettings::default().with_periods(s(40), s(5));
        assert_eq!(settings.effective_grace(Duration::ZERO), s(45));
    }

    #[test]
    fn settings_of_no_controller_are_named() {
        let error = |grace, period: Duration| {
            let settings = ControllerSettings::default().with_periods(grace, period);
            settings.validate().expect_err("no controller")
        };
        let often = error(s(40), Duration::from_micros(1));
        assert_eq!(often, SettingsError::MonitorPeriodTooShort);
        assert_eq!(error(s(40), s(0)), SettingsError::MonitorPeriodTooShort);
        assert_eq!(error(s(4), s(5)), SettingsError::GraceBelowMonitorPeriod);
        assert_eq!(error(s(4_000_000), s(5)), SettingsError::TooLong);
    }
}
