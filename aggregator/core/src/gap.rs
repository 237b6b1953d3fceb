//! One gap between two credited heartbeats, kept exactly.

use std::time::Duration;

use crate::{
    controller::{ControllerSettings, EarlierPosts, GapStart},
    event::Channel,
    time::WallTime,
};

/// A gap between consecutive arrivals merged over both channels: what the controller sees.
///
/// Ordered by length first, so that the shortest is the first to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Its length.
    pub duration: Duration,
    /// Arrival of the heartbeat before it, by the node's wall clock.
    pub start_time: WallTime,
    /// Arrival of the heartbeat that ended it, by the node's wall clock.
    pub end_time: WallTime,
    /// Channel of the heartbeat before it.
    pub start_channel: Channel,
    /// Channel of the heartbeat that ended it.
    pub end_channel: Channel,
    /// For a status post before the gap on a node that has a Lease: time since the last Lease heartbeat. Absent otherwise.
    pub since_lease: Option<Duration>,
    /// The status posts between the two; none where `since_lease` is absent.
    pub earlier_posts: EarlierPosts,
    /// How far its ends are uncertain, because the agent was blind there. Zero: measured.
    pub uncertainty: Duration,
    /// True when Ready was seen to turn Unknown within it.
    pub flip_seen: bool,
    /// True when it is told and in no figure: it spans a reboot, or its ends are too uncertain because the agent was blind there.
    pub uncounted: bool,
}

impl Gap {
    /// What the controller made of the heartbeat before it.
    pub fn start(&self) -> GapStart {
        GapStart::after(self.since_lease, self.earlier_posts)
    }

    /// Probability that such a controller flipped the node within it.
    pub fn flip_probability(&self, settings: &ControllerSettings) -> f64 {
        settings.flip_probability(self.duration, self.start())
    }
}
