//! By what flips are told apart: the controller's settings, and what its own flips say of them.

use std::time::Duration;

use crate::{controller::ControllerSettings, fleet::Fleet, infer::infer_grace, node::NodeHistory};

/// How much sooner than the grace period a flip may seem to come: the heartbeat before it and the flip itself reach the node each
/// in its own time.
const SLACK: Duration = Duration::from_secs(1);

/// How many times as many flips as came a grace period may be expected to have led to, and how many besides: chance, and flips that
/// no agent saw.
const PLAUSIBLE: f64 = 2.0;
const FEW: f64 = 3.0;

/// What tells a controller that did not see heartbeats from one that saw none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlipRule {
    settings: ControllerSettings,
    /// A flip sooner than this after the last heartbeat was none of the controller's rule.
    stale_below: Duration,
}

impl FlipRule {
    /// The rule by the settings alone.
    ///
    /// From 1.37 on the controller reads the Lease live before it marks a node, so there a flip within the grace period rather
    /// says that the grace period is not what the settings say.
    pub const fn new(settings: ControllerSettings) -> Self {
        Self {
            settings,
            stale_below: if settings.live_lease_read {
                Duration::ZERO
            } else {
                settings.grace_period
            },
        }
    }

    /// The rule by the settings and by the flips of the fleet: where they point to a shorter grace period than is set, flips that
    /// one would lead to are no stale controller's.
    pub fn learn(fleet: &Fleet) -> Self {
        let delays = fleet.histories().flat_map(delays).collect();
        let settings = fleet.config().controller;
        let expected = |delay| {
            fleet
                .histories()
                .map(|node| expected_flips(node, &settings, delay))
                .sum()
        };
        Self::of(settings, delays, expected)
    }

    /// The same by the delays of flips after the last heartbeat, and by how many flips all gaps would have led to if the earliest came
    /// after some delay.
    pub fn of(
        settings: ControllerSettings,
        mut delays: Vec<Duration>,
        expected: impl Fn(Duration) -> f64,
    ) -> Self {
        let rule = Self::new(settings);
        delays.sort_unstable();
        let mut delays = delays.as_slice();
        while let Some(shortest) = delays.first().filter(|delay| rule.is_too_soon(**delay)) {
            // A grace period that led to this flip would have led to about as many as came. One as short as a stale controller's flips
            // come after would have had every healthy node flip all the time.
            if expected(*shortest) <= PLAUSIBLE * delays.len() as f64 + FEW {
                break;
            }
            delays = &delays[1..];
        }
        let is_wrong = delays.first().is_some_and(|delay| rule.is_too_soon(*delay));
        let inferred = is_wrong.then(|| infer_grace(&settings, delays)).flatten();
        let contradicting = inferred.filter(|inferred| inferred.contradicts_settings);
        Self {
            stale_below: contradicting.map_or(rule.stale_below, |inferred| {
                inferred.shortest.min(rule.stale_below)
            }),
            ..rule
        }
    }

    /// The settings.
    pub const fn settings(&self) -> &ControllerSettings {
        &self.settings
    }

    /// Whether the controller cannot have waited for its grace period, so long after the last heartbeat.
    pub fn is_too_soon(&self, after: Duration) -> bool {
        after + SLACK < self.stale_below
    }
}

/// The delays of a node's flips after the last heartbeat.
pub fn delays(node: &NodeHistory) -> impl Iterator<Item = Duration> {
    let flips = node.flips().iter();
    flips.filter_map(|flip| Some(flip.after? + flip.uncertainty))
}

/// Flips that a node's gaps would have led to if the earliest came `delay` after a heartbeat, and every one a poll later.
pub fn expected_flips(node: &NodeHistory, settings: &ControllerSettings, delay: Duration) -> f64 {
    let (interval, _) = settings.poll_interval();
    let gaps = node.gaps().beyond(delay);
    gaps.map(|gap| {
        let beyond = (gap.duration - delay).as_secs_f64() / interval.as_secs_f64();
        beyond.min(1.0) * gap.count as f64
    })
    .sum()
}
