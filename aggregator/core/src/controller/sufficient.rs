//! The grace period that would have kept a node: surely, and by the polls of an idle controller.

use std::time::Duration;

use super::{ControllerSettings, GapStart};

/// The shortest grace period in whole seconds under which no controller flips a node within a gap of this `length`, however busy it
/// is and whenever it looks.
pub const fn sure_grace(length: Duration) -> Duration {
    // A look is never sooner than the credit, and what has lasted no longer than the grace period is spared.
    let begun = length.subsec_nanos() > 0;
    Duration::from_secs(length.as_secs() + begun as u64)
}

impl ControllerSettings {
    /// The shortest grace period in whole seconds under which the controller, polling as it does, never flips the node within a
    /// gap of this `length`. A controller whose passes take longer than the settings say looks at other times: see [`sure_grace`].
    pub fn sufficient_grace(&self, length: Duration, start: GapStart) -> Duration {
        let keeps = |seconds: u64| {
            let grace_period = Duration::from_secs(seconds);
            let settings = self.with_periods(grace_period, self.monitor_period);
            settings.flip_probability(length, start) == 0.0
        };
        // A gap no longer than the grace period never flips, and a longer grace period never flips what a shorter one keeps.
        let (mut flips, mut keeps_it) = (0, length.as_secs() + 1);
        while flips + 1 < keeps_it {
            let middle = flips.midpoint(keeps_it);
            if keeps(middle) {
                keeps_it = middle;
            } else {
                flips = middle;
            }
        }
        Duration::from_secs(keeps_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::PassDuration;

    #[test]
    fn the_poll_spares_what_is_a_little_longer_than_the_grace_period() {
        let settings = ControllerSettings::default();
        for (gap, grace) in [(57.2, 56), (40.0, 36), (60.0, 56), (60.1, 61)] {
            let gap = Duration::from_secs_f64(gap);
            let sufficient = settings.sufficient_grace(gap, GapStart::Once);
            assert_eq!(sufficient, Duration::from_secs(grace), "{gap:?}");
            let with = |grace| settings.with_periods(grace, settings.monitor_period);
            let shorter = sufficient - Duration::from_secs(1);
            assert!(with(shorter).flip_probability(gap, GapStart::Once) > 0.0);
        }
    }

    #[test]
    fn a_busy_controller_flips_what_an_idle_one_spares_and_never_what_is_surely_kept() {
        let gap = Duration::from_secs_f64(57.2);
        let (idle, sure) = (
            ControllerSettings::default().sufficient_grace(gap, GapStart::Once),
            sure_grace(gap),
        );
        assert_eq!(sure, Duration::from_secs(58));
        assert_eq!(sure_grace(Duration::from_secs(40)), Duration::from_secs(40));
        let probability = |grace, millis| {
            let busy = ControllerSettings {
                pass: PassDuration::constant(Duration::from_millis(millis)),
                ..ControllerSettings::default().with_periods(grace, Duration::from_secs(5))
            };
            busy.flip_probability(gap, GapStart::Once)
        };
        assert!(
            (0..6000)
                .step_by(50)
                .any(|millis| probability(idle, millis) > 0.0)
        );
        assert!(
            (0..6000)
                .step_by(50)
                .all(|millis| probability(sure, millis) == 0.0)
        );
    }
}
