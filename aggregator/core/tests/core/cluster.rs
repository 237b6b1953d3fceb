//! The cluster's own watches and the agents' words, joined.

mod addresses;
mod flips;
mod late;
mod unwatched;

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    ConditionStatus, ControllerSettings, GapStart, Ready, SeenFlip, WallTime,
    cluster::{
        Cluster, ClusterBounds, Endpoint, Flip, FlipKind, FlipRule, Machine, Moment, SeenNode,
        Service, What,
    },
};

use ConditionStatus::True;

fn moment(seconds: u64) -> Moment {
    Moment {
        at: Duration::from_secs(seconds),
        time: wall(seconds),
    }
}

fn wall(seconds: u64) -> WallTime {
    WallTime::from_unix_nanos(seconds.cast_signed() * 1_000_000_000)
}

/// The node whose Ready turned to `status` at `since`.
fn node(status: ConditionStatus, since: u64) -> SeenNode {
    SeenNode {
        name: "node".into(),
        machine: machine("uid", "boot"),
        created: None,
        ready: Some(Ready {
            status,
            reason: "Reason".into(),
            transition: wall(since),
        }),
        taints: Vec::new(),
    }
}

fn machine(uid: &str, boot_id: &str) -> Machine {
    Machine {
        uid: uid.into(),
        boot_id: boot_id.into(),
    }
}

/// What the agent saw of the flip at `since`, after so many seconds without heartbeat.
fn by_agent(since: u64, after: u64) -> SeenFlip {
    SeenFlip {
        after: Some(Duration::from_secs(after)),
        uncertainty: Duration::ZERO,
        start: GapStart::Once,
        at: Duration::from_secs(since),
        time: wall(since),
        transition: Some(wall(since)),
    }
}

fn endpoint(address: &str, ready: bool) -> Endpoint {
    Endpoint {
        address: address.into(),
        node: Some("node".into()),
        pod: None,
        ready,
        terminating: false,
    }
}

fn service() -> Service {
    Service {
        namespace: "shop".into(),
        name: "web".into(),
    }
}

fn see(cluster: &mut Cluster, slice: &str, endpoints: Vec<Endpoint>, seconds: u64) {
    cluster.see_slice(
        &Arc::from(slice),
        &service(),
        endpoints,
        moment(seconds),
        true,
    );
}

fn kinds(cluster: &Cluster) -> Vec<FlipKind> {
    let rule = FlipRule::new(ControllerSettings::default());
    let flips = cluster.flips().iter();
    flips.map(|flip| flip.kind(&rule)).collect()
}

fn only_flip(cluster: &Cluster) -> &Flip {
    let mut flips = cluster.flips().iter();
    let flip = flips.next().expect("a flip");
    assert_eq!(flips.next(), None, "counted once");
    flip
}

fn what(cluster: &Cluster) -> Vec<What> {
    let service = service();
    let changes = cluster.changes();
    changes.of(&service).map(|change| change.what).collect()
}

/// A cluster that saw the node Ready.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(ClusterBounds::default());
    cluster.see_node(&node(True, 0), moment(1));
    cluster
}
