//! One time that a node's Ready left True, with what went with it.

use std::{sync::Arc, time::Duration};

use super::Service;
use crate::{
    controller::{ControllerSettings, GapStart},
    event::ConditionStatus,
    time::WallTime,
};

/// Addresses kept of one flip: more than the pods that a kubelet accepts, in two families and a few Services each.
pub(super) const MOST_LOST: usize = 500;

/// Ready left True.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// The node.
    pub node: Arc<str>,
    /// What Ready turned to: `Unknown` by the controller, `False` by the kubelet.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: Arc<str>,
    /// lastTransitionTime, by the clock of whoever wrote it; whole seconds. With the node's name it tells a flip from all others.
    pub transition: WallTime,
    /// When the aggregator's watch saw it, by the aggregator's wall clock. Absent: only the node's agent did.
    pub seen: Option<WallTime>,
    /// When the node's agent saw it, by the node's wall clock. Absent: there is none, it could not see, or reports later.
    pub agent_seen: Option<WallTime>,
    /// Time without heartbeat until then, measured by the agent. Absent: not known.
    pub after: Option<Duration>,
    /// What the controller made of the last heartbeat.
    pub start: GapStart,
    /// When Ready was True again, by the aggregator's watch. Absent: it is not, or nobody saw.
    pub ready_again: Option<WallTime>,
    /// When the Node object was deleted, while it was not Ready. Absent: it was not.
    pub deleted: Option<WallTime>,
    /// True when the node's machine was booted anew meanwhile: it did not lose heartbeats, it was down.
    pub rebooted: bool,
    /// Taints that came with it, as `key:effect`.
    pub taints: Vec<Arc<str>>,
    /// The addresses that left, in order; at most `MOST_LOST`.
    pub lost: Vec<LostAddress>,
    /// Addresses that left, those not kept included.
    pub lost_count: u64,
}

/// An address that a flip took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostAddress {
    /// The Service.
    pub service: Service,
    /// The address.
    pub address: Arc<str>,
    /// Its pod. Absent: none.
    pub pod: Option<Arc<str>>,
    /// When it left, by the aggregator's wall clock.
    pub left: WallTime,
    /// When it was ready again. Absent: it is not.
    pub returned: Option<WallTime>,
    /// When it was taken off the list without having returned: its pod was evicted or deleted. Absent: it was not.
    pub gone: Option<WallTime>,
}

/// Why Ready left True.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlipKind {
    /// The controller marked the node: its heartbeats had stopped for longer than the grace period. Until the node is back it
    /// is told so, too, when its machine is down.
    HeartbeatLost,
    /// The kubelet said so itself.
    KubeletNotReady,
    /// The controller marked the node although the heartbeats had arrived in time: its own view was stale.
    ControllerStale,
    /// The controller marked the node while its machine was being booted: it was down, not late.
    NodeRebooted,
    /// The controller marked the node, and the Node was deleted before it was ever back: it was taken out of the cluster.
    NodeDeleted,
}

impl FlipKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::HeartbeatLost,
        Self::KubeletNotReady,
        Self::ControllerStale,
        Self::NodeRebooted,
        Self::NodeDeleted,
    ];

    /// The name it has in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeartbeatLost => "HEARTBEAT_LOST",
            Self::KubeletNotReady => "KUBELET_NOT_READY",
            Self::ControllerStale => "CONTROLLER_STALE",
            Self::NodeRebooted => "NODE_REBOOTED",
            Self::NodeDeleted => "NODE_DELETED",
        }
    }
}

impl Flip {
    /// Why it came, under a controller with these settings.
    ///
    /// From 1.37 on the controller reads the Lease live before it marks a node, so there a flip within the grace period rather
    /// says that the grace period is not what the settings say.
    pub fn kind(&self, settings: &ControllerSettings) -> FlipKind {
        let in_time = |after| after < settings.grace_period && !settings.live_lease_read;
        match self.status {
            ConditionStatus::False => FlipKind::KubeletNotReady,
            _ if self.after.is_some_and(in_time) => FlipKind::ControllerStale,
            _ if self.rebooted => FlipKind::NodeRebooted,
            _ if self.deleted.is_some() => FlipKind::NodeDeleted,
            _ => FlipKind::HeartbeatLost,
        }
    }

    /// Probability that such a controller flips the node by the time it did. Absent: the last heartbeat is not known, or it was
    /// no flip of the controller's.
    pub fn probability(&self, settings: &ControllerSettings) -> Option<f64> {
        let after = self
            .after
            .filter(|_| self.status == ConditionStatus::Unknown)?;
        Some(settings.flip_probability(after, self.start))
    }

    /// When it was seen first: by the aggregator or, where only it saw, by the agent.
    pub fn time(&self) -> WallTime {
        self.seen.or(self.agent_seen).unwrap_or(self.transition)
    }

    /// For how long Ready was not True. Absent: it still is not, or nobody saw when it was again.
    pub fn unready_for(&self) -> Option<Duration> {
        self.ready_again?.since(self.time()).positive()
    }

    /// True until it is known how it ended.
    pub const fn is_open(&self) -> bool {
        self.ready_again.is_none() && self.deleted.is_none()
    }

    /// The Services that lost addresses, each once, with how many.
    pub fn services(&self) -> Vec<(&Service, u64)> {
        let mut services: Vec<(&Service, u64)> = Vec::new();
        for lost in &self.lost {
            match services
                .iter_mut()
                .find(|(service, _)| **service == lost.service)
            {
                Some((_, count)) => *count += 1,
                None => services.push((&lost.service, 1)),
            }
        }
        services
    }
}

impl LostAddress {
    /// For how long traffic had to do without it. Absent: it is not back.
    pub fn outage(&self) -> Option<Duration> {
        self.returned?.since(self.left).positive()
    }
}
