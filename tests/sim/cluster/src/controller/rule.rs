//! The node lifecycle controller's rule, pure: told what it sees at each poll, it says which nodes it gives up.
//!
//! It keeps, per node, when it last saw a sign of life on its own clock; the stamps inside the objects are only compared with
//! each other. A poll gives a node up when that moment is more than the grace period ago.

use std::{collections::HashMap, time::Duration};

/// The controller's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// node-monitor-grace-period.
    pub grace_period: Duration,
    /// node-monitor-period: the pause between the end of a poll and the start of the next.
    pub monitor_period: Duration,
    /// Grace for a node that never had a Ready condition.
    pub startup_grace_period: Duration,
    /// How long one poll takes.
    pub pass: Duration,
    /// Before it gives a node up it reads its Lease from the API server instead of trusting its watch: Kubernetes 1.37 and
    /// later.
    pub reads_lease_live: bool,
}

impl Default for Rule {
    /// Kubernetes 1.32 to 1.36, idle: polls take milliseconds.
    fn default() -> Self {
        Self {
            grace_period: Duration::from_secs(50),
            monitor_period: Duration::from_secs(5),
            startup_grace_period: Duration::from_secs(60),
            pass: Duration::from_millis(2),
            reads_lease_live: false,
        }
    }
}

/// A node as a poll sees it. Stamps are opaque numbers that only need an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its Ready condition; none: the kubelet never posted a status.
    pub ready: Option<ReadyView>,
    /// The Lease's renewTime, in microseconds since the Unix epoch; none: no Lease.
    pub renewed: Option<i64>,
}

/// A Ready condition as a poll sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyView {
    /// Whether its status is Unknown.
    pub unknown: bool,
    /// lastHeartbeatTime, in seconds since the Unix epoch.
    pub heartbeat: i64,
}

/// A node that a poll gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its name.
    pub name: String,
    /// When the controller last saw a sign of life, on its own clock.
    pub probed: Duration,
}

/// What the controller remembers of a node.
#[derive(Clone, Copy, Debug)]
struct Health {
    ready: Option<ReadyView>,
    /// The newest Lease it has seen; forgotten whenever a status is credited.
    renewed: Option<i64>,
    probed: Duration,
}

/// The controller's memory.
#[derive(Debug, Default)]
pub struct NodeLifecycle {
    nodes: HashMap<String, Health>,
}

impl NodeLifecycle {
    /// Looks at every node at `now`, and returns those to be marked Unknown. `live_lease` reads a node's Lease from the API
    /// server; it is only used where the rule says so.
    pub fn poll(
        &mut self,
        now: Duration,
        rule: &Rule,
        view: &[NodeView],
        live_lease: impl Fn(&str) -> Option<i64>,
    ) -> Vec<Lost> {
        let mut lost = Vec::new();
        for node in view {
            let grace = match node.ready {
                Some(_) => rule.grace_period,
                None => rule.startup_grace_period,
            };
            let health = self.observe(now, node);
            let is_late = |health: &Health| now > health.probed + grace;
            if !is_late(health) || node.ready.is_some_and(|ready| ready.unknown) {
                continue;
            }
            if rule.reads_lease_live {
                credit_lease(health, health.renewed, live_lease(&node.name), now);
                if !is_late(health) {
                    continue;
                }
            }
            lost.push(Lost {
                name: node.name.clone(),
                probed: health.probed,
            });
        }
        if view.len() < self.nodes.len() {
            let known: std::collections::HashSet<&str> =
                view.iter().map(|node| node.name.as_str()).collect();
            self.nodes.retain(|name, _| known.contains(name.as_str()));
        }
        lost
    }

    /// Credits what is new of a node.
    fn observe(&mut self, now: Duration, node: &NodeView) -> &mut Health {
        let fresh = Health {
            ready: node.ready,
            renewed: None,
            probed: now,
        };
        let is_new = !self.nodes.contains_key(&node.name);
        let health = self.nodes.entry(node.name.clone()).or_insert(fresh);
        // What was known of the Lease before this poll, even if the record is rebuilt now.
        let known_lease = health.renewed;
        let heartbeat = |ready: Option<ReadyView>| ready.map(|ready| ready.heartbeat);
        if !is_new && heartbeat(health.ready) != heartbeat(node.ready) {
            // The record is rebuilt without its Lease: unless the Lease moved too, the next poll takes the old one for new and
            // credits the node once more.
            *health = fresh;
        }
        health.ready = node.ready;
        credit_lease(health, known_lease, node.renewed, now);
        health
    }
}

/// Credits a Lease that is newer than the one known, or the first.
fn credit_lease(health: &mut Health, known: Option<i64>, seen: Option<i64>, now: Duration) {
    if let Some(seen) = seen
        && known.is_none_or(|known| known < seen)
    {
        health.renewed = Some(seen);
        health.probed = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        grace_period: Duration::from_secs(40),
        monitor_period: Duration::from_secs(5),
        startup_grace_period: Duration::from_secs(60),
        pass: Duration::ZERO,
        reads_lease_live: false,
    };

    fn node(heartbeat: i64, renewed: Option<i64>) -> NodeView {
        NodeView {
            name: "n".to_owned(),
            ready: Some(ReadyView {
                unknown: false,
                heartbeat,
            }),
            renewed,
        }
    }

    /// Polls every 5 s from 0 on with what `view` shows, and returns the first poll that gives the node up.
    fn given_up_at(rule: &Rule, view: impl Fn(u32) -> NodeView) -> Option<u32> {
        let mut controller = NodeLifecycle::default();
        (0..60).map(|poll| poll * 5).find(|second| {
            let now = Duration::from_secs(u64::from(*second));
            !controller
                .poll(now, rule, &[view(*second)], |_| Some(99))
                .is_empty()
        })
    }

    #[test]
    fn a_silent_node_is_given_up_by_the_first_poll_past_its_grace() {
        assert_eq!(given_up_at(&RULE, |_| node(1, Some(1))), Some(45));
    }

    #[test]
    fn a_lease_that_moves_backward_is_no_sign_of_life() {
        let view = |second| {
            node(
                1,
                Some(if second < 10 {
                    100
                } else {
                    50 + i64::from(second / 100)
                }),
            )
        };
        assert_eq!(given_up_at(&RULE, view), Some(45));
    }

    #[test]
    fn a_status_post_without_a_renewal_earns_one_poll_more() {
        // Credited at 10 by the status, and at 15 by the old Lease, forgotten and seen again.
        let view = |second| node(i64::from(second >= 10), Some(1));
        assert_eq!(given_up_at(&RULE, view), Some(60));
        let both = |second| node(i64::from(second >= 10), Some(i64::from(second >= 10)));
        assert_eq!(given_up_at(&RULE, both), Some(55));
    }

    #[test]
    fn a_node_that_never_posted_gets_the_startup_grace() {
        let view = |_| NodeView {
            ready: None,
            ..node(0, None)
        };
        assert_eq!(given_up_at(&RULE, view), Some(65));
    }

    #[test]
    fn a_live_lease_saves_a_node_from_a_stale_watch() {
        let rule = Rule {
            reads_lease_live: true,
            ..RULE
        };
        assert_eq!(given_up_at(&rule, |_| node(1, Some(1))), Some(90));
    }

    #[test]
    fn a_node_already_unknown_is_not_given_up_again() {
        let mut unknown = node(1, None);
        unknown.ready = Some(ReadyView {
            unknown: true,
            heartbeat: 1,
        });
        assert_eq!(given_up_at(&RULE, |_| unknown.clone()), None);
    }
}
