//! The cluster as the API server shows it: all Nodes and all `EndpointSlices`, one watch each.
//!
//! Agents see when their own node flips; which Services lost addresses by it, for how long, and what becomes of nodes without an
//! agent is seen here. Pods are not watched: their readiness comes with the slices, and so does their eviction, as an address
//! that is taken off the list while its node is not ready. A cluster has many more pods than nodes, and each is larger than
//! what a slice says of it.

mod follow;
mod learn;
mod object;
mod status;
mod target;

use std::{
    collections::HashSet,
    convert::Infallible,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use nodegrace_core::{
    Applied, ControllerSettings, WallTime,
    cause::CauseKind,
    cluster::{Cluster, ClusterBounds, Flip, FlipRule, Moment},
};

pub(crate) use self::status::{Phase, Progress};
use self::{
    follow::Follower,
    learn::Rule,
    object::{EndpointSlice, Node},
    status::Status,
};
use crate::{aggregator::Parts, register::Register, timeline::Timeline};

/// A client of the API server whose cluster is watched.
#[derive(Clone)]
pub struct ApiServer(kube::Client);

impl ApiServer {
    /// The API server that `client` reaches. Its connection is to notice a dead server within seconds: see `nodegrace_kube`.
    pub const fn new(client: kube::Client) -> Self {
        Self(client)
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiServer")
    }
}

/// What is known of the cluster, and how far its watches are.
#[derive(Debug)]
pub(crate) struct ClusterState {
    cluster: RwLock<Cluster>,
    nodes: Status,
    slices: Status,
    rule: Rule,
}

impl ClusterState {
    /// A cluster of which nothing is known, whose controller has these settings, and that is watched where `watched`.
    pub(crate) fn new(bounds: ClusterBounds, settings: ControllerSettings, watched: bool) -> Self {
        Self {
            cluster: RwLock::new(Cluster::new(bounds)),
            nodes: Status::new(watched),
            slices: Status::new(watched),
            rule: Rule::new(settings),
        }
    }

    /// How much is kept of it.
    pub(crate) fn bounds(&self) -> ClusterBounds {
        *self.read().bounds()
    }

    /// Goes on where an earlier run stopped.
    pub(crate) fn resume(&self, until: WallTime, flips: Vec<Flip>) {
        self.write().resume(until, flips);
    }

    /// How far the watch of Nodes is.
    pub(crate) fn nodes(&self) -> Progress {
        self.nodes.get()
    }

    /// How far the watch of `EndpointSlices` is.
    pub(crate) fn slices(&self) -> Progress {
        self.slices.get()
    }

    /// The cluster, for one look at it.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Cluster> {
        // Nothing in here is left half done by a panic that a later event would not put right.
        self.cluster.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The flips that changed since they were last taken.
    pub(crate) fn take_changed_flips(&self) -> Vec<Arc<Flip>> {
        self.write().flips_mut().take_changed()
    }

    /// Takes what applying a batch of an agent, received at `received` of the timeline, said of flips and reboots.
    pub(crate) fn take(
        &self,
        node: &Arc<str>,
        applied: &Applied,
        timeline: &Timeline,
        received: Duration,
    ) {
        let reboots = applied
            .explained
            .iter()
            .filter(|explained| explained.why.main() == CauseKind::NodeRebooted);
        let mut reboots = reboots.peekable();
        if applied.flips.is_empty() && reboots.peek().is_none() {
            return;
        }
        let mut cluster = self.write();
        let moment = Moment {
            at: received,
            time: timeline.wall_at(received),
        };
        for flip in &applied.flips {
            cluster.see_agents_flip(node, flip, moment);
        }
        for reboot in reboots {
            cluster.see_reboot(node, reboot.gap.start_time, reboot.gap.end_time);
        }
    }

    /// By what flips are told apart now.
    pub(crate) fn rule(&self) -> FlipRule {
        self.rule.get()
    }

    /// Lets time pass, and learns from the fleet's flips how they are told apart.
    pub(crate) async fn expire(&self, register: &Register, now: Duration) {
        self.write().expire(now);
        self.rule.learn(register, now).await;
    }

    fn write(&self) -> RwLockWriteGuard<'_, Cluster> {
        self.cluster.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the cluster for as long as the aggregator runs; waits for ever where it is told not to.
pub(crate) async fn watch(parts: &Parts) -> Infallible {
    let Some(ApiServer(client)) = &parts.config.cluster else {
        return std::future::pending().await;
    };
    let nodes = Follower::new(client.clone(), parts.clock.clone(), NodesOf(parts));
    let slices = Follower::new(client.clone(), parts.clock.clone(), SlicesOf(parts));
    tokio::select! {
        never = nodes.follow() => never,
        never = slices.follow() => never,
    }
}

/// What takes in what a watch of one kind says.
trait Sink {
    /// The kind.
    type Object: object::Object;

    /// Where its watch says how far it is.
    fn status(&self) -> &Status;

    /// Takes an object as it is now. `fresh`: it came about now, and was not only found so.
    fn see(&self, object: Self::Object, fresh: bool);

    /// Takes that an object is gone.
    fn see_gone(&self, object: &Self::Object);

    /// Takes that all there are were seen: those of these keys.
    fn listed(&self, keys: &HashSet<String>);

    /// Takes that the watch is broken, and told nothing for `silent`.
    fn breaks(&self, silent: Duration);

    /// Takes that the watch goes on.
    fn goes_on(&self);
}

struct NodesOf<'a>(&'a Parts);

impl Sink for NodesOf<'_> {
    type Object = Node;

    fn status(&self) -> &Status {
        &self.0.cluster.nodes
    }

    fn see(&self, node: Node, _: bool) {
        let moment = moment(&self.0.timeline);
        self.0.cluster.write().see_node(&node.seen(), moment);
    }

    fn see_gone(&self, node: &Node) {
        let moment = moment(&self.0.timeline);
        let mut cluster = self.0.cluster.write();
        cluster.see_node_gone(&node.metadata.name, moment);
    }

    fn listed(&self, keys: &HashSet<String>) {
        let moment = moment(&self.0.timeline);
        let mut cluster = self.0.cluster.write();
        cluster.nodes_listed(|name| keys.contains(name), moment);
    }

    fn breaks(&self, silent: Duration) {
        let at = self.0.timeline.now();
        let since = at.saturating_sub(silent);
        self.0.cluster.write().nodes_broke(since, at);
    }

    fn goes_on(&self) {
        let at = self.0.timeline.now();
        self.0.cluster.write().nodes_go_on(at);
    }
}

struct SlicesOf<'a>(&'a Parts);

impl Sink for SlicesOf<'_> {
    type Object = EndpointSlice;

    fn status(&self) -> &Status {
        &self.0.cluster.slices
    }

    fn see(&self, slice: EndpointSlice, fresh: bool) {
        let key = object::Object::key(&slice);
        let Some((key, service, endpoints)) = slice.seen() else {
            // A slice of no Service serves nobody who could lose it. It may have been one's until now.
            let moment = moment(&self.0.timeline);
            self.0.cluster.write().see_slice_gone(&key, moment);
            return;
        };
        let moment = moment(&self.0.timeline);
        let mut cluster = self.0.cluster.write();
        cluster.see_slice(&key, &service, endpoints, moment, fresh);
    }

    fn see_gone(&self, slice: &EndpointSlice) {
        let moment = moment(&self.0.timeline);
        let key = object::Object::key(slice);
        self.0.cluster.write().see_slice_gone(&key, moment);
    }

    fn listed(&self, keys: &HashSet<String>) {
        let moment = moment(&self.0.timeline);
        let mut cluster = self.0.cluster.write();
        cluster.slices_listed(|key| keys.contains(key), moment);
    }

    fn breaks(&self, silent: Duration) {
        let at = self.0.timeline.now();
        let since = at.saturating_sub(silent);
        self.0.cluster.write().slices_broke(since, at);
    }

    fn goes_on(&self) {
        let at = self.0.timeline.now();
        self.0.cluster.write().slices_go_on(at);
    }
}

fn moment(timeline: &Timeline) -> Moment {
    let at = timeline.now();
    Moment {
        at,
        time: timeline.wall_at(at),
    }
}
