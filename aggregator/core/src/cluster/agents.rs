//! Which nodes are watched by an agent: every node should have one, and every agent a node.

use std::{sync::Arc, time::Duration};

use super::Cluster;
use crate::{event::ConditionStatus, fleet::Fleet};

/// Nodes and agents that lack each other, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Nodes in the cluster.
    pub nodes: u64,
    /// Nodes for which no agent ever reported.
    pub without_agent: Vec<Arc<str>>,
    /// Names for which an agent reports, and that no Node has.
    pub without_node: Vec<Arc<str>>,
    /// Nodes whose agent fell silent while Ready stays True: their kubelets go on beating.
    pub silent_agents: Vec<Arc<str>>,
}

impl Cluster {
    /// Holds the nodes of the cluster against the agents of the fleet, at `now`.
    pub fn coverage(&self, fleet: &Fleet, now: Duration) -> Coverage {
        let stale_after = fleet.config().thresholds.stale_after;
        let mut coverage = Coverage {
            nodes: self.nodes.len() as u64,
            ..Coverage::default()
        };
        for (name, ready) in self.nodes.iter() {
            let age = fleet
                .history(name)
                .filter(|node| node.has_reported())
                .map(|node| node.report_age(now));
            let is_ready = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
            match age {
                None => coverage.without_agent.push(Arc::clone(name)),
                Some(age) if is_ready && age.is_none_or(|age| age > stale_after) => {
                    coverage.silent_agents.push(Arc::clone(name));
                }
                Some(_) => {}
            }
        }
        let strangers = fleet
            .histories()
            .filter(|node| node.is_connected() && !self.nodes.contains(node.name()));
        coverage.without_node = strangers.map(|node| Arc::clone(node.name())).collect();
        coverage.without_agent.sort_unstable();
        coverage.silent_agents.sort_unstable();
        coverage
    }
}
