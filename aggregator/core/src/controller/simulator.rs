//! The controller's rule, poll by poll: given what its caches hold at each look at a node, says when it credits and flips.
//!
//! The closed form is the average of this over the phase of the poll; a property test holds the two together.
//!
//! From Kubernetes 1.37 on the controller reads a Lease live before it marks a node. Where the live one is newer than the cached
//! one, it credits that and marks nothing until its cache has caught up (kubernetes/kubernetes pull 138698). For one node both
//! come to the same: no flip at this look, and a new grace period.

use std::time::Duration;

use super::ControllerSettings;
use crate::{event::Channel, time::WallTime};

/// What the controller sees of a node at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// renewTime of the Lease in the controller's cache. Absent: there is no Lease.
    pub lease_renew: Option<WallTime>,
    /// renewTime of the Lease in the API server, read only before a node is marked and only from 1.37 on. Absent: there is no
    /// Lease.
    pub live_lease_renew: Option<WallTime>,
    /// lastHeartbeatTime of the Ready condition in the cache. Absent: the kubelet never posted one.
    pub ready_heartbeat: Option<WallTime>,
}

/// What a look led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credited {
    /// A heartbeat was credited.
    Yes,
    /// Nothing new; the grace period goes on.
    No,
    /// Nothing new for longer than the grace period: the node is (or stays) marked Unknown.
    Overdue,
}

/// The controller's record of one node.
#[derive(Clone, Copy, Debug)]
pub struct Simulator {
    settings: ControllerSettings,
    /// The controller's time at the last credit ("probe timestamp").
    credit: Duration,
    saved_lease: Option<WallTime>,
    saved_heartbeat: Option<WallTime>,
}

impl Simulator {
    /// The record made when the controller first looks at a node, at `now` of its clock.
    pub fn new(settings: ControllerSettings, now: Duration, view: NodeView) -> Self {
        Self {
            settings,
            credit: now,
            saved_lease: view.lease_renew,
            saved_heartbeat: view.ready_heartbeat,
        }
    }

    /// Looks at the node at `now` of the controller's clock, which never runs backward.
    pub fn look(&mut self, now: Duration, view: NodeView) -> Credited {
        // The Lease known before this look decides, even when a status post makes the controller forget it.
        let known_lease = self.saved_lease;
        let mut credited = false;
        if view.ready_heartbeat.is_some() && view.ready_heartbeat != self.saved_heartbeat {
            self.saved_heartbeat = view.ready_heartbeat;
            self.saved_lease = None;
            credited = true;
        }
        credited |= self.take_lease(known_lease, view.lease_renew);
        if credited {
            self.credit = now;
            return Credited::Yes;
        }
        let grace = if view.ready_heartbeat.is_some() {
            self.settings.grace_period
        } else {
            self.settings.startup_grace_period
        };
        if now.saturating_sub(self.credit) <= grace {
            return Credited::No;
        }
        if self.settings.live_lease_read && self.take_lease(known_lease, view.live_lease_renew) {
            self.credit = now;
            return Credited::Yes;
        }
        Credited::Overdue
    }

    /// Saves the observed Lease when it is later than the known one, or when none is known; true when it was.
    fn take_lease(&mut self, known: Option<WallTime>, observed: Option<WallTime>) -> bool {
        let moved = observed.is_some_and(|renew| known.is_none_or(|known| known < renew));
        if moved {
            self.saved_lease = observed;
        }
        moved
    }
}

/// When the controller first flips a node that beats at `beats` (ascending arrivals at the controller and their channels),
/// polling at `phase`, `phase + x`, ... with x the monitor period and a pass of `pass`. Absent: not before `until`.
///
/// The node is known, Ready and just credited when the first poll comes; with `has_lease` it has a Lease. Stamps are taken to
/// move forward with every heartbeat.
pub fn first_flip(
    settings: ControllerSettings,
    pass: Duration,
    phase: Duration,
    has_lease: bool,
    beats: &[(Duration, Channel)],
    until: Duration,
) -> Option<Duration> {
    let seen = |now: Duration, channel| {
        let count = beats
            .iter()
            .filter(|beat| beat.0 <= now && beat.1 == channel)
            .count();
        Some(WallTime::from_unix_nanos(
            i64::try_from(count).unwrap_or(i64::MAX),
        ))
    };
    let view = |now| {
        let lease = seen(now, Channel::Lease).filter(|_| has_lease);
        NodeView {
            lease_renew: lease,
            live_lease_renew: lease,
            ready_heartbeat: seen(now, Channel::NodeStatus),
        }
    };
    let mut now = phase;
    let mut simulator = Simulator::new(settings, now, view(now));
    while now < until {
        now += settings.monitor_period + pass;
        if simulator.look(now, view(now)) == Credited::Overdue {
            return Some(now);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> WallTime {
        WallTime::from_unix_nanos(seconds * 1_000_000_000)
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn view(lease: i64, heartbeat: i64) -> NodeView {
        NodeView {
            lease_renew: Some(at(lease)),
            live_lease_renew: Some(at(lease)),
            ready_heartbeat: Some(at(heartbeat)),
        }
    }

    fn settings() -> ControllerSettings {
        ControllerSettings::default().with_periods(s(40), s(5))
    }

    #[test]
    fn a_lease_that_moves_backward_is_not_credited() {
        let mut controller = Simulator::new(settings(), s(0), view(100, 1));
        assert_eq!(controller.look(s(5), view(90, 1)), Credited::No);
        assert_eq!(controller.look(s(41), view(95, 1)), Credited::Overdue);
        assert_eq!(controller.look(s(46), view(101, 1)), Credited::Yes);
    }

    #[test]
    fn a_status_post_makes_the_next_look_credit_the_old_lease_again() {
        let mut controller = Simulator::new(settings(), s(0), view(100, 1));
        assert_eq!(controller.look(s(5), view(100, 2)), Credited::Yes);
        assert_eq!(controller.look(s(10), view(100, 2)), Credited::Yes);
        assert_eq!(controller.look(s(15), view(100, 2)), Credited::No);
        assert_eq!(controller.look(s(50), view(100, 2)), Credited::No);
        assert_eq!(controller.look(s(51), view(100, 2)), Credited::Overdue);
    }

    #[test]
    fn a_status_post_together_with_a_renewal_earns_nothing() {
        let mut controller = Simulator::new(settings(), s(0), view(100, 1));
        assert_eq!(controller.look(s(5), view(101, 2)), Credited::Yes);
        assert_eq!(controller.look(s(10), view(101, 2)), Credited::No);
    }

    #[test]
    fn a_node_without_a_ready_condition_has_the_startup_grace() {
        let unready = NodeView::default();
        let mut controller = Simulator::new(settings(), s(0), unready);
        assert_eq!(controller.look(s(60), unready), Credited::No);
        assert_eq!(controller.look(s(61), unready), Credited::Overdue);
    }

    #[test]
    fn from_1_37_on_a_renewal_that_the_cache_missed_saves_the_node() {
        let stale = NodeView {
            live_lease_renew: Some(at(130)),
            ..view(100, 1)
        };
        let mut old = Simulator::new(settings(), s(0), view(100, 1));
        assert_eq!(old.look(s(45), stale), Credited::Overdue);
        let live = ControllerSettings {
            live_lease_read: true,
            ..settings()
        };
        let mut new = Simulator::new(live, s(0), view(100, 1));
        assert_eq!(new.look(s(45), stale), Credited::Yes);
        assert_eq!(new.look(s(86), stale), Credited::Overdue);
    }
}
