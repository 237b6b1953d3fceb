//! One time that a node's Ready left True, with what went with it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{FlipRule, Service};
use crate::{
    controller::{ControllerSettings, GapStart},
    event::ConditionStatus,
    time::WallTime,
};

/// Addresses kept of one flip: more than the pods that a kubelet accepts, in two families and a few Services each.
pub(super) const MOST_LOST: usize = 500;

/// Ready left True, or the controller gave the node up a second time before it was True again.
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
    /// When the aggregator's watch saw it, by the aggregator's wall clock; where it was away then, `transition` within that time.
    /// Absent: only the node's agent saw it.
    pub seen: Option<WallTime>,
    /// When the node's agent saw it, by the node's wall clock. Absent: there is none, it could not see, or reports later.
    pub agent_seen: Option<WallTime>,
    /// Time without heartbeat until then, measured by the agent. Absent: not known.
    pub after: Option<Duration>,
    /// How much longer that may have been.
    pub uncertainty: Duration,
    /// What the controller made of the last heartbeat.
    pub start: GapStart,
    /// lastTransitionTime of Ready's going on from False to Unknown. No address goes by that: the controller marks the pods of a node
    /// that was Ready. Absent: it did not.
    pub went_on: Option<WallTime>,
    /// When Ready was True again: when the aggregator's watch saw it or, where it was away or nobody watched then, by the condition's
    /// own lastTransitionTime. Absent: it is not, or nobody saw.
    pub ready_again: Option<WallTime>,
    /// When the Node object was deleted, while it was not Ready; where nobody watched then, when it was found missing. Absent: it
    /// was not.
    pub deleted: Option<WallTime>,
    /// True when it is over and nobody can say since when: nobody watched, and Ready has turned again since.
    pub ended_unseen: bool,
    /// The node's machine.
    pub machine: Machine,
    /// True when the node's machine was booted anew meanwhile: it did not lose heartbeats, it was down.
    pub rebooted: bool,
    /// Taints that came with it, as `key:effect`.
    pub taints: Vec<Arc<str>>,
    /// The addresses that left, in order; at most `MOST_LOST`, and none once newer flips took their room.
    pub lost: Vec<LostAddress>,
    /// Addresses that left, those not kept included.
    pub lost_count: u64,
}

/// What tells a node from another of its name, and one life of its machine from the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Of the Node object; changes when it is deleted and registered again. Empty: not known.
    pub uid: Arc<str>,
    /// Boot id, by the kubelet's last status. Empty: not known.
    pub boot_id: Arc<str>,
}

impl Machine {
    /// Whether `now` is another Node under the same name.
    pub(super) fn is_replaced_by(&self, now: &Self) -> bool {
        differ(&self.uid, &now.uid)
    }

    /// Whether the machine was booted before it became `now`.
    pub(super) fn was_booted_before(&self, now: &Self) -> bool {
        differ(&self.boot_id, &now.boot_id)
    }
}

/// Whether both are known, and are not the same.
fn differ(one: &str, other: &str) -> bool {
    !one.is_empty() && !other.is_empty() && one != other
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
    /// True when the watch was behind as it told of the address's leaving or return: either may have been long before it told.
    pub late: bool,
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
    /// Why it came.
    pub fn kind(&self, rule: &FlipRule) -> FlipKind {
        let after = self.after.map(|after| after + self.uncertainty);
        match self.status {
            ConditionStatus::False => FlipKind::KubeletNotReady,
            _ if after.is_some_and(|after| rule.is_too_soon(after)) => FlipKind::ControllerStale,
            _ if self.rebooted => FlipKind::NodeRebooted,
            _ if self.deleted.is_some() => FlipKind::NodeDeleted,
            _ => FlipKind::HeartbeatLost,
        }
    }

    /// Probability that a controller with these settings flips the node by the time it did. Absent: the last heartbeat is not known, or it was
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
        self.ready_again.is_none() && self.deleted.is_none() && !self.ended_unseen
    }

    /// Whether Ready may go on from what the kubelet said to Unknown. It does so once: what comes after that is another flip.
    pub(super) fn may_go_on(&self) -> bool {
        self.status == ConditionStatus::False && self.went_on.is_none()
    }

    /// Whether it is the one that Ready's condition of this lastTransitionTime tells of.
    pub(super) fn is_of(&self, transition: WallTime) -> bool {
        self.transition == transition || self.went_on == Some(transition)
    }

    /// Pods that lost addresses, of those that are kept: each once, however many Services and families it has addresses of.
    pub fn pods(&self) -> usize {
        let pods: HashSet<_> = self.lost.iter().map(LostAddress::behind).collect();
        pods.len()
    }

    /// The Services that lost addresses, each once, with how many, of those that are kept.
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
    /// Its namespace, and its pod or, where there is none, the address itself.
    fn behind(&self) -> (&str, Result<&str, &str>) {
        let pod = self.pod.as_deref().ok_or(&*self.address);
        (&self.service.namespace, pod)
    }

    /// For how long traffic had to do without it. Absent: it is not back, or nobody saw when it left or came back.
    pub fn outage(&self) -> Option<Duration> {
        let returned = self.returned.filter(|_| !self.late)?;
        returned.since(self.left).positive()
    }
}
