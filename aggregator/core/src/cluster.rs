//! The cluster as the aggregator's own watches show it: its Nodes, the addresses of its Services, and what became of both.
//!
//! Agents time heartbeats; they cannot say which Service lost an address, nor anything of nodes that have no agent. Both are
//! here. [`Cluster`] takes what the watches say and what agents saw of flips, and joins them: one [`Flip`] for each time that
//! Ready left True, whoever saw it first, with the addresses that went with it and when each of them came back.

mod address;
mod agents;
mod blast;
mod book;
mod bounds;
mod flip;
mod keep;
mod lag;
mod moves;
mod node;
mod rule;
mod services;

use std::{sync::Arc, time::Duration};

pub use self::{
    address::{AddressChange, Endpoint, Service, What},
    agents::Coverage,
    blast::{Endangered, Share},
    book::FlipBook,
    bounds::{ClusterBounds, Missed},
    flip::{Flip, FlipKind, LostAddress, Machine},
    keep::KeptChanges,
    node::{SeenNode, Taint},
    rule::{FlipRule, delays, expected_flips},
};
use self::{
    book::is_before,
    keep::Changes,
    lag::{Absence, Lag},
    moves::Moves,
    node::{Nodes, Sight},
    services::Services,
};
use crate::{figures::Ready, node::SeenFlip, time::WallTime};

/// How much older than its sight a node's condition is believed to be: the controller's clock may be another.
const LATEST: Duration = Duration::from_secs(60);

/// A moment by both of the aggregator's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// On its monotonic timeline.
    pub at: Duration,
    /// By its wall clock.
    pub time: WallTime,
}

/// Everything known of the cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    bounds: ClusterBounds,
    nodes: Nodes,
    services: Services,
    changes: Changes,
    moves: Moves,
    flips: FlipBook,
    missed: Missed,
    /// How late the watches are.
    nodes_lag: Lag,
    slices_lag: Lag,
    /// Since when changes of addresses are told, whether flips led to them or not. Absent: no list of slices was complete.
    changes_since: Option<WallTime>,
    /// Whether a list of Nodes was complete: whoever is not known then is not there.
    nodes_complete: bool,
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
            moves: Moves::default(),
            flips: FlipBook::new(&bounds),
            missed: Missed::default(),
            nodes_lag: Lag::default(),
            slices_lag: Lag::default(),
            changes_since: None,
            nodes_complete: false,
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
        let watched_until = self.watched_until;
        let turn = self.nodes.see(node, watched_until);
        let absence = self.nodes_lag.absence(moment);
        // An earlier run watched up to then.
        let absence = absence.or_else(|| {
            let from = watched_until.filter(|_| turn.sight == Sight::First)?;
            let to = moment.time.max(from);
            Some(Absence { from, to })
        });
        if turn.sight == Sight::Replaced {
            // Another machine under the same name: what the old one's silence did ends with it.
            self.flips.delete(&node.name, moment.time);
        }
        if turn.unseen_flip {
            self.missed.unseen_flips += 1;
        }
        let goes_on = turn.sight == Sight::First && self.flips.meet_again(node, moment);
        if let Some(left) = turn.left.filter(|_| !goes_on) {
            let time = left.ready.transition;
            let seen = absence.map_or(moment.time, |away| away.turned(time, moment.time));
            self.flips.leave(node, &left, seen);
            self.join_addresses(node, &left.ready, moment);
        }
        self.flips.follow(node, turn.rebooted, moment, absence);
    }

    /// The two watches are two streams: what the node took along may have been told before it.
    fn join_addresses(&mut self, node: &SeenNode, ready: &Ready, moment: Moment) {
        let by_condition = moment.time.since(ready.transition).positive();
        let since = self.nodes_lag.earliest(moment.at);
        let since = since.min(
            moment
                .at
                .saturating_sub(by_condition.unwrap_or_default().min(LATEST)),
        );
        let since = since.max(self.flips.over_since(&node.name));
        for change in self.changes.on_node(&node.name, since) {
            self.flips.lose_or_regain(&change, moment.at);
        }
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
        // Those of which an earlier run knew that they were not ready.
        let open = self.flips.open_nodes();
        let gone: Vec<_> = open.filter(|name| !is_there(name)).cloned().collect();
        for name in gone {
            self.flips.delete(&name, moment.time);
        }
        self.nodes_complete = true;
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
        let (mut changes, refused) = self.services.see(slice, service, endpoints, room, moment);
        self.missed.endpoints += refused;
        if fresh {
            self.note(changes);
        } else {
            // An earlier run saw the last of them.
            for change in &mut changes {
                change.late = true;
            }
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
        self.changes_since.get_or_insert(moment.time);
        // What an earlier run saw leave may have been taken away while nobody watched.
        let services = &self.services;
        self.flips.settle(moment.time, |service, address| {
            services.has(service, address)
        });
    }

    /// Takes a flip that the agent of `node` saw: the one that the watch saw, too, or one more. It may be told hours late, and the watch
    /// has nothing more to say of how it ended then.
    pub fn see_agents_flip(&mut self, node: &Arc<str>, flip: &SeenFlip, moment: Moment) {
        let marked = flip.transition.unwrap_or(flip.time);
        let created = self.nodes.created(node);
        // The Node that it is of was deleted by then.
        let made_anew = created.filter(|created| is_before(marked, *created));
        let machine = self.nodes.machine(node);
        let machine = machine.filter(|_| made_anew.is_none());
        let number = self.flips.join(node, flip, machine);
        if let Some(created) = made_anew {
            self.flips.end_with_node(number, created);
        } else if let Some(ready) = self.nodes.ready(node) {
            self.flips.end_if_back(number, ready, moment);
        } else if !self.nodes.contains(node) && self.knows_all_nodes(moment.at) {
            self.flips.delete(node, moment.time);
        }
    }

    /// Whether a node that is not known is none of the cluster.
    fn knows_all_nodes(&self, at: Duration) -> bool {
        self.nodes_complete && self.missed.nodes == 0 && !self.nodes_lag.is_behind(at)
    }

    /// Takes that the machine of `node` was booted anew, by its agent's word, between these two moments of its wall clock.
    pub fn see_reboot(&mut self, node: &str, from: WallTime, to: WallTime) {
        self.flips.reboot(node, from, to);
    }

    /// Takes that the watch of Nodes was found broken at `at`, and told nothing since `since`.
    pub fn nodes_broke(&mut self, since: Duration, at: Duration) {
        self.nodes_lag.breaks(since, at);
    }

    /// Takes that the watch of Nodes goes on.
    pub fn nodes_go_on(&mut self, at: Duration) {
        self.nodes_lag.goes_on(at);
    }

    /// Takes that the watch of `EndpointSlices` was found broken at `at`, and told nothing since `since`.
    pub fn slices_broke(&mut self, since: Duration, at: Duration) {
        self.slices_lag.breaks(since, at);
    }

    /// Takes that the watch of `EndpointSlices` goes on.
    pub fn slices_go_on(&mut self, at: Duration) {
        self.slices_lag.goes_on(at);
    }

    /// Lets time pass: what is too old goes.
    pub fn expire(&mut self, now: Duration) {
        self.changes
            .expire(now.saturating_sub(self.bounds.changes_for));
        self.moves.expire(now);
        self.flips.expire(self.slices_lag.earliest(now));
    }

    fn note(&mut self, changes: Vec<AddressChange>) {
        for mut change in changes {
            change.late = self.slices_lag.absence(change.moment).is_some();
            if let Some(moved) = self.moves.take_back(&change) {
                self.changes.revoke(moved.change);
                let address = || (change.service.clone(), Arc::clone(&change.endpoint.address));
                if let Some(place) = moved.lost {
                    self.flips.un_go(address(), place);
                    self.regain(&change);
                }
                continue;
            }
            let gone = self.regain(&change);
            if change.what == What::Listed {
                continue;
            }
            let (number, dropped) = self.changes.keep(change.clone(), self.bounds.changes);
            self.missed.changes += u64::from(dropped);
            if matches!(change.what, What::Removed | What::Gone) {
                self.moves.take_off(&change, number, gone);
            }
        }
    }

    fn regain(&mut self, change: &AddressChange) -> Option<book::Place> {
        let since = self.slices_lag.earliest(change.moment.at);
        self.flips.lose_or_regain(change, since)
    }

    /// What the first list finds is no change but for what an open flip waits for.
    fn find(&mut self, changes: Vec<AddressChange>) {
        for change in changes {
            self.regain(&change);
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

    /// What became of addresses of Services.
    pub fn changes(&self) -> KeptChanges {
        self.changes.all()
    }

    /// Since when changes of addresses that no flip led to are known. Absent: no list of slices was complete.
    pub fn changes_since(&self) -> Option<WallTime> {
        self.changes_since
    }

    /// Whether there is a node of this name.
    pub fn has_node(&self, name: &str) -> bool {
        self.nodes.contains(name)
    }

    /// A node's Ready condition. Absent: there is no such node, or it never had one.
    pub fn ready(&self, node: &str) -> Option<&Ready> {
        self.nodes.ready(node)
    }

    /// What was left out.
    pub fn missed(&self) -> Missed {
        Missed {
            flips: self.flips.dropped(),
            flip_addresses: self.flips.dropped_addresses(),
            ..self.missed
        }
    }
}
