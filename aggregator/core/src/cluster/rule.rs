//! By what flips are told apart: the controller's settings, and what its own flips say of them.

use std::time::Duration;

use crate::{controller::ControllerSettings, fleet::Fleet, infer::infer_grace, node::NodeHistory};

/// How much sooner than the grace period a flip may seem to come: the heartbeat before it and the flip itself reach the node each
/// in its own time.
const SLACK: Duration = Duration::from_secs(1);

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
        let survived = |length| fleet.histories().map(|node| survived(node, length)).sum();
        Self::of(fleet.config().controller, delays, survived)
    }

    /// The same by the delays of flips after the last heartbeat, and by how many gaps were longer than some length and led to none.
    pub fn of(
        settings: ControllerSettings,
        mut delays: Vec<Duration>,
        survived: impl Fn(Duration) -> u64,
    ) -> Self {
        let rule = Self::new(settings);
        delays.sort_unstable();
        let (_, interval) = settings.poll_interval();
        let mut delays = delays.as_slice();
        while let Some(shortest) = delays.first().filter(|delay| rule.is_too_soon(**delay)) {
            // Under a grace period that led to this flip no gap longer by a poll would have gone without one.
            if survived(*shortest + interval) <= delays.len() as u64 {
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

/// Gaps of a node that were longer than `length` and led to no flip.
pub fn survived(node: &NodeHistory, length: Duration) -> u64 {
    let exact = node.gaps().exact();
    let flipped = exact.filter(|gap| gap.duration > length && gap.flip_seen);
    let all: u64 = node.gaps().beyond(length).map(|gap| gap.count).sum();
    all.saturating_sub(flipped.count() as u64)
}
