//! The cluster as the aggregator's own watches show it: its Nodes, the addresses of its Services, and what became of both.
//!
//! Agents time heartbeats; they cannot say which Service lost an address, nor anything of nodes that have no agent. Both are
//! here. [`Cluster`] takes what the watches say and what agents saw of flips, and joins them: one [`Flip`] for each time that
//! Ready left True, whoever saw it first, with the addresses that went with it and when each of them came back.

mod address;
mod agents;
mod blast;
mod book;
mod flip;
mod keep;
mod node;
mod services;

use std::{sync::Arc, time::Duration};

pub use self::{
    address::{AddressChange, Endpoint, Service, What},
    agents::Coverage,
    blast::{Endangered, Share},
    book::FlipBook,
    flip::{Flip, FlipKind, LostAddress},
    node::{SeenNode, Taint},
};
use self::{keep::Changes, node::Nodes, services::Services};
use crate::{node::SeenFlip, time::WallTime};

/// How much of a cluster is kept. Whatever is beyond is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterBounds {
    /// Nodes watched.
    pub nodes: usize,
    /// Addresses of Services watched.
    pub endpoints: usize,
    /// Changes of addresses kept.
    pub changes: usize,
    /// For so long they are kept.
    pub changes_for: Duration,
    /// Flips kept, the oldest dropped first.
    pub flips: usize,
}

impl Default for ClusterBounds {
    fn default() -> Self {
        Self {
            // Twice the largest cluster that Kubernetes promises.
            nodes: 10_000,
            // Thrice what such a cluster is tested with, at some 250 bytes each.
            endpoints: 450_000,
            // A day of a cluster that rolls out a hundred thousand pods a day, at some 100 bytes each.
            changes: 200_000,
            changes_for: Duration::from_secs(24 * 3600),
            // Every node of the largest cluster, twice.
            flips: 10_000,
        }
    }
}

/// How much later than a change of its addresses a node's own may be told, by another watch. The server sends both within
/// milliseconds.
const ACROSS_WATCHES: Duration = Duration::from_secs(2);

/// A moment by both of the aggregator's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// On its monotonic timeline.
    pub at: Duration,
    /// By its wall clock.
    pub time: WallTime,
}

/// What was left out because a bound was reached, and what could not be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Sights of nodes beyond the bound.
    pub nodes: u64,
    /// Addresses beyond the bound, counted each time their slice changes.
    pub endpoints: u64,
    /// Changes of addresses that made room for newer ones before their time.
    pub changes: u64,
    /// Flips that made room for newer ones.
    pub flips: u64,
    /// Times a node was found Ready again after it had been not ready unseen, while the watch was broken.
    pub unseen_flips: u64,
}

/// Everything known of the cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    bounds: ClusterBounds,
    nodes: Nodes,
    services: Services,
    changes: Changes,
    flips: FlipBook,
    missed: Missed,
    /// Flips after this are new even if the node is seen for the first time: up to then an earlier run watched. Absent: there was
    /// none.
    watched_until: Option<WallTime>,
}

impl Cluster {
    /// A cluster of which nothing is known.
    pub fn new(bounds: ClusterBounds) -> Self {
        Self {
            bounds,
            nodes: Nodes::default(),
            services: Services::default(),
            changes: Changes::default(),
            flips: FlipBook::new(bounds.flips),
            missed: Missed::default(),
            watched_until: None,
        }
    }

    /// How much is kept.
    pub const fn bounds(&self) -> &ClusterBounds {
        &self.bounds
    }

    /// Goes on where an earlier run stopped, at `watched_until` by its wall clock, with the flips that it kept.
    pub fn resume(&mut self, watched_until: WallTime, flips: impl IntoIterator<Item = Flip>) {
        self.watched_until = Some(watched_until);
        for flip in flips {
            self.flips.restore(flip);
        }
    }

    /// Takes a node as it is now.
    pub fn see_node(&mut self, node: &SeenNode, moment: Moment) {
        if !self.nodes.has_room(&node.name, self.bounds.nodes) {
            self.missed.nodes += 1;
            return;
        }
        let turn = self.nodes.see(node, self.watched_until);
        if turn.replaced {
            // Another machine under the same name: what the old one's silence did ends with it.
            self.flips.delete(&node.name, moment.time);
        }
        if turn.unseen_flip {
            self.missed.unseen_flips += 1;
        }
        if let Some(ready) = turn.left {
            self.flips.leave(&node.name, &ready, moment);
            // The two watches are two streams: what the node took along may have been told before.
            let since = moment.at.saturating_sub(ACROSS_WATCHES);
            let left: Vec<_> = self.changes.left_on(&node.name, since).collect();
            for change in left.into_iter().rev() {
                self.flips.lose_or_regain(change);
            }
        }
        self.flips.follow(node, turn.rebooted, moment);
    }

    /// Takes that a node is gone.
    pub fn see_node_gone(&mut self, name: &str, moment: Moment) {
        if self.nodes.forget(name) {
            self.flips.delete(name, moment.time);
        }
    }

    /// Takes that the list of all nodes is complete: whatever was not on it is gone.
    pub fn nodes_listed(&mut self, is_there: impl Fn(&str) -> bool, moment: Moment) {
        for name in self.nodes.without(&is_there) {
            self.see_node_gone(&name, moment);
        }
        // Whoever is seen for the first time from now on has joined since, and is not ready at first.
        self.watched_until = None;
    }

    /// Takes an `EndpointSlice` as it is now; its endpoints in any order. `fresh`: it came about now, and was not only found so.
    pub fn see_slice(
        &mut self,
        slice: &Arc<str>,
        service: &Service,
        endpoints: Vec<Endpoint>,
        moment: Moment,
        fresh: bool,
    ) {
        let room = self.bounds.endpoints;
        let (changes, refused) = self.services.see(slice, service, endpoints, room, moment);
        self.missed.endpoints += refused;
        if fresh {
            self.note(changes);
        } else {
            self.find(changes);
        }
    }

    /// Takes that an `EndpointSlice` is gone.
    pub fn see_slice_gone(&mut self, slice: &str, moment: Moment) {
        let changes = self.services.forget(slice, moment);
        self.note(changes);
    }

    /// Takes that the list of all slices is complete: whatever was not on it is gone.
    pub fn slices_listed(&mut self, is_there: impl Fn(&str) -> bool, moment: Moment) {
        for slice in self.services.without(&is_there) {
            self.see_slice_gone(&slice, moment);
        }
        // What an earlier run saw leave may have been taken away while nobody watched.
        let services = &self.services;
        self.flips.settle(moment.time, |service, address| {
            services.has(service, address)
        });
    }

    /// Takes a flip that the agent of `node` saw: the one that the watch saw, too, or one more.
    pub fn see_agents_flip(&mut self, node: &Arc<str>, flip: &SeenFlip) {
        self.flips.join(node, flip);
    }

    /// Takes that the machine of `node` was booted anew, by its agent's word, between these two moments of its wall clock.
    pub fn see_reboot(&mut self, node: &str, from: WallTime, to: WallTime) {
        self.flips.reboot(node, from, to);
    }

    /// Lets time pass: what is too old goes.
    pub fn expire(&mut self, now: Duration) {
        self.changes
            .expire(now.saturating_sub(self.bounds.changes_for));
    }

    fn note(&mut self, changes: Vec<AddressChange>) {
        for change in changes {
            self.flips.lose_or_regain(&change);
            self.missed.changes += u64::from(self.changes.keep(change, self.bounds.changes));
        }
    }

    /// What the first list finds is no change but for what an open flip waits for.
    fn find(&mut self, changes: Vec<AddressChange>) {
        for change in changes {
            self.flips.lose_or_regain(&change);
        }
    }

    /// The flips, whoever saw them.
    pub const fn flips(&self) -> &FlipBook {
        &self.flips
    }

    /// The flips, for whoever writes them down.
    pub const fn flips_mut(&mut self) -> &mut FlipBook {
        &mut self.flips
    }

    /// What became of the addresses of one Service, oldest first.
    pub fn changes_of<'a>(
        &'a self,
        service: &'a Service,
    ) -> impl Iterator<Item = &'a AddressChange> {
        self.changes.of(service)
    }

    /// What was left out.
    pub fn missed(&self) -> Missed {
        Missed {
            flips: self.flips.dropped(),
            ..self.missed
        }
    }
}
