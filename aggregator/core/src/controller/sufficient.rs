//! The grace period that would have kept a node.

use std::time::Duration;

use super::{ControllerSettings, GapStart};

impl ControllerSettings {
    /// The shortest grace period in whole seconds under which the controller, polling as it does, never flips the node within a
    /// gap of this `length`.
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
}
