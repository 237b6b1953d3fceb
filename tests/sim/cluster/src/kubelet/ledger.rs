//! The truth to compare with: every heartbeat that reached the API server.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Entries kept per node, the oldest dropped first: more than a day of both channels at 10 s.
const PER_NODE: usize = 20_000;

/// The way a heartbeat took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The Lease's renewTime.
    Lease,
    /// The Ready condition's lastHeartbeatTime.
    NodeStatus,
}

/// One heartbeat in the API server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posted {
    /// The way it took.
    pub channel: Channel,
    /// The kubelet's stamp, as finely as the object holds it.
    pub stamp: SystemTime,
    /// When the API server had it, on the cluster's monotonic clock.
    pub at: Duration,
    /// The resourceVersion that it made.
    pub revision: u64,
    /// False for a stamp that did not move forward although no status was posted since the last one that did (Lease), or did not
    /// change (status): the controller does not credit it.
    pub credited: bool,
}

/// The heartbeats of a cluster: cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<String, VecDeque<Posted>>>>);

impl Ledger {
    /// Books a heartbeat, and decides whether it is credited.
    pub(super) fn book(
        &self,
        node: &str,
        channel: Channel,
        stamp: SystemTime,
        at: Duration,
        revision: u64,
    ) {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = nodes.entry(node.to_owned()).or_default();
        let newest = list
            .iter()
            .rev()
            .find(|posted| posted.channel == channel && posted.credited);
        let newest_of_all = list.iter().rev().find(|posted| posted.credited);
        // A status post makes the controller forget the Lease that it knew.
        let forgotten = newest_of_all.is_some_and(|posted| posted.channel == Channel::NodeStatus);
        let credited = newest.is_none_or(|newest| match channel {
            Channel::Lease => newest.stamp < stamp || forgotten,
            Channel::NodeStatus => newest.stamp != stamp,
        });
        if list.len() == PER_NODE {
            list.pop_front();
        }
        list.push_back(Posted {
            channel,
            stamp,
            at,
            revision,
            credited,
        });
    }

    /// A node's heartbeats, oldest first; empty for a node that is not known.
    pub fn of(&self, node: &str) -> Vec<Posted> {
        let nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.get(node).into_iter().flatten().copied().collect()
    }

    /// A node's credited heartbeats of one channel, oldest first.
    pub fn credited(&self, node: &str, channel: Channel) -> Vec<Posted> {
        let mut posted = self.of(node);
        posted.retain(|posted| posted.credited && posted.channel == channel);
        posted
    }

    /// A node's gaps as an ideal controller sees them: between credited heartbeats of either channel.
    pub fn gaps(&self, node: &str) -> Vec<Duration> {
        let mut posted = self.of(node);
        posted.retain(|posted| posted.credited);
        posted
            .windows(2)
            .map(|pair| pair[1].at.saturating_sub(pair[0].at))
            .collect()
    }
}
