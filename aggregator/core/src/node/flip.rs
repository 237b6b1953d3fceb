//! A flip that was seen: Ready turning Unknown.

use std::time::Duration;

use crate::{
    controller::{ControllerSettings, GapStart},
    time::WallTime,
};

/// Ready was seen to turn Unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenFlip {
    /// Time from the arrival of the last heartbeat to the arrival of the change. Absent: the agent did not see the last
    /// heartbeat arrive, or may have missed a later one, or was blind and saw the change late.
    pub after: Option<Duration>,
    /// How much longer that may have been: the last heartbeat may have arrived by so much sooner.
    pub uncertainty: Duration,
    /// What the controller made of that last heartbeat.
    pub start: GapStart,
    /// When it was seen, on the aggregator's monotonic clock.
    pub at: Duration,
    /// When it was seen, by the node's wall clock.
    pub time: WallTime,
    /// lastTransitionTime, by the controller's clock; whole seconds. Absent: an earlier version kept it, and did not keep this.
    pub transition: Option<WallTime>,
}

/// Why the controller marked the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlipCause {
    /// Heartbeats stopped for longer than the grace period.
    HeartbeatLost,
    /// The last heartbeat had arrived within the grace period: the controller's own view was stale.
    ControllerStale,
}

impl SeenFlip {
    /// Why it came, judged by these settings. Absent: the last heartbeat is not known.
    ///
    /// From 1.37 on the controller reads the Lease live before it marks a node, so there a flip within the grace period
    /// rather says that the grace period is not what the settings say.
    pub fn cause(&self, settings: &ControllerSettings) -> Option<FlipCause> {
        let stale =
            self.after? + self.uncertainty < settings.grace_period && !settings.live_lease_read;
        Some(if stale {
            FlipCause::ControllerStale
        } else {
            FlipCause::HeartbeatLost
        })
    }
}
