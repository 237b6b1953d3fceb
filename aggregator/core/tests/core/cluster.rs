//! The cluster's own watches and the agents' words, joined.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    ConditionStatus, ControllerSettings, GapStart, Ready, SeenFlip, WallTime,
    cluster::{Cluster, ClusterBounds, Endpoint, Flip, FlipKind, Moment, SeenNode, Service, What},
};

use ConditionStatus::{False, True, Unknown};

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
        uid: "uid".into(),
        boot_id: "boot".into(),
        ready: Some(Ready {
            status,
            reason: "Reason".into(),
            transition: wall(since),
        }),
        taints: Vec::new(),
    }
}

/// What the agent saw of the flip at `since`, after so many seconds without heartbeat.
fn by_agent(since: u64, after: u64) -> SeenFlip {
    SeenFlip {
        after: Some(Duration::from_secs(after)),
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
    let settings = ControllerSettings::default();
    let flips = cluster.flips().iter();
    flips.map(|flip| flip.kind(&settings)).collect()
}

fn only_flip(cluster: &Cluster) -> &Flip {
    let mut flips = cluster.flips().iter();
    let flip = flips.next().expect("a flip");
    assert_eq!(flips.next(), None, "counted once");
    flip
}

fn what(cluster: &Cluster) -> Vec<What> {
    let service = service();
    let changes = cluster.changes_of(&service);
    changes.map(|change| change.what).collect()
}

/// A cluster that saw the node Ready.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(ClusterBounds::default());
    cluster.see_node(&node(True, 0), moment(1));
    cluster
}

#[test]
fn a_flip_is_counted_once_whoever_tells_of_it_first() {
    for agent_first in [true, false] {
        let mut cluster = cluster();
        if agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(100, 51));
            // Told by the watch before it has heard of the flip.
            cluster.see_node(&node(True, 0), moment(100));
        }
        cluster.see_node(&node(Unknown, 100), moment(101));
        if !agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(100, 51));
        }
        cluster.see_agents_flip(&"node".into(), &by_agent(100, 51));
        let flip = only_flip(&cluster);
        assert!(flip.is_open(), "what is older than it does not end it");
        assert_eq!(flip.after, Some(Duration::from_secs(51)));
        assert_eq!(
            (flip.seen, flip.agent_seen),
            (Some(wall(101)), Some(wall(100)))
        );
        cluster.see_node(&node(True, 130), moment(130));
        assert_eq!(only_flip(&cluster).ready_again, Some(wall(130)));
    }
}

#[test]
fn kinds_are_told_apart() {
    let mut stale = cluster();
    stale.see_node(&node(Unknown, 100), moment(100));
    stale.see_agents_flip(&"node".into(), &by_agent(100, 3));
    assert_eq!(kinds(&stale), [FlipKind::ControllerStale]);

    let mut by_itself = cluster();
    by_itself.see_node(&node(False, 100), moment(100));
    assert_eq!(kinds(&by_itself), [FlipKind::KubeletNotReady]);

    let mut booted = cluster();
    booted.see_node(&node(Unknown, 100), moment(100));
    let anew = SeenNode {
        boot_id: "another boot".into(),
        ..node(True, 160)
    };
    booted.see_node(&anew, moment(160));
    assert_eq!(kinds(&booted), [FlipKind::NodeRebooted]);

    let mut deleted = cluster();
    deleted.see_node_gone("node", moment(100));
    assert_eq!(
        kinds(&deleted),
        [],
        "a Ready node that is deleted flips nothing"
    );
    deleted.see_node(&node(False, 200), moment(200));
    assert_eq!(kinds(&deleted), [], "nor does one that is new");

    let mut taken_out = cluster();
    taken_out.see_node(&node(Unknown, 100), moment(100));
    assert_eq!(kinds(&taken_out), [FlipKind::HeartbeatLost]);
    taken_out.nodes_listed(|_| false, moment(200));
    assert_eq!(kinds(&taken_out), [FlipKind::NodeDeleted]);
}

#[test]
fn addresses_go_with_their_node_and_come_back_each_in_its_time() {
    for slices_first in [true, false] {
        let mut cluster = cluster();
        see(
            &mut cluster,
            "a",
            vec![endpoint("1", true), endpoint("2", true)],
            10,
        );
        let gone = vec![endpoint("1", false), endpoint("2", false)];
        if slices_first {
            see(&mut cluster, "a", gone.clone(), 100);
        }
        cluster.see_node(&node(Unknown, 100), moment(100));
        if !slices_first {
            see(&mut cluster, "a", gone, 100);
        }
        see(
            &mut cluster,
            "a",
            vec![endpoint("1", true), endpoint("2", false)],
            121,
        );
        cluster.see_node(&node(True, 125), moment(125));
        see(&mut cluster, "a", vec![endpoint("1", true)], 130);
        let flip = only_flip(&cluster);
        let lost: Vec<_> = flip
            .lost
            .iter()
            .map(|lost| (lost.outage(), lost.gone))
            .collect();
        let outage = Some(Duration::from_secs(21));
        assert_eq!(lost, [(outage, None), (None, Some(wall(130)))]);
        assert_eq!(flip.services(), [(&service(), 2)]);
    }
}

#[test]
fn an_address_that_moves_to_another_slice_is_no_change() {
    let mut cluster = cluster();
    see(
        &mut cluster,
        "a",
        vec![endpoint("1", true), endpoint("2", true)],
        10,
    );
    see(&mut cluster, "b", vec![endpoint("2", true)], 20);
    see(&mut cluster, "a", vec![endpoint("1", true)], 20);
    assert_eq!(what(&cluster), [What::Added, What::Added]);
    cluster.see_slice_gone("b", moment(30));
    assert_eq!(what(&cluster)[2..], [What::Removed]);
    let share = &cluster.blast("node")[0];
    assert_eq!((share.loses, share.ready), (1, 1));
}

#[test]
fn what_is_beyond_a_bound_is_refused_and_counted_and_never_told_as_a_loss() {
    let mut cluster = Cluster::new(ClusterBounds {
        nodes: 1,
        endpoints: 2,
        changes: 3,
        flips: 1,
        ..ClusterBounds::default()
    });
    cluster.see_node(&node(True, 0), moment(1));
    let other = SeenNode {
        name: "other".into(),
        ..node(True, 0)
    };
    cluster.see_node(&other, moment(1));
    let both = || vec![endpoint("1", true), endpoint("2", true)];
    see(&mut cluster, "a", both(), 10);
    see(
        &mut cluster,
        "a",
        [both(), vec![endpoint("0", true)]].concat(),
        11,
    );
    assert_eq!(what(&cluster), [What::Added, What::Added]);
    for (number, status) in [Unknown, True, Unknown, True].into_iter().enumerate() {
        cluster.see_node(
            &node(status, 100 + number as u64),
            moment(100 + number as u64),
        );
    }
    see(&mut cluster, "a", Vec::new(), 200);
    let missed = cluster.missed();
    assert_eq!((missed.nodes, missed.endpoints, missed.flips), (1, 1, 1));
    assert_eq!(missed.changes, 1);
    assert_eq!(cluster.flips().iter().count(), 1);
}

#[test]
fn what_flipped_while_nobody_watched_is_found_once() {
    let mut cluster = cluster();
    cluster.see_node(&node(Unknown, 100), moment(100));
    let kept = only_flip(&cluster).clone();
    let mut next = Cluster::new(ClusterBounds::default());
    next.resume(wall(110), [kept]);
    next.see_node(&node(Unknown, 100), moment(120));
    assert!(only_flip(&next).is_open(), "known already");
    next.see_node(&node(True, 121), moment(121));
    assert_eq!(only_flip(&next).ready_again, Some(wall(121)));

    let mut unseen = Cluster::new(ClusterBounds::default());
    unseen.resume(wall(90), []);
    unseen.see_node(&node(Unknown, 100), moment(120));
    assert_eq!(only_flip(&unseen).transition, wall(100));
    let mut first_run = Cluster::new(ClusterBounds::default());
    first_run.see_node(&node(Unknown, 100), moment(120));
    assert_eq!(kinds(&first_run), [], "it may have been so for a year");
}

#[test]
fn a_node_that_joins_after_a_restart_has_not_flipped() {
    let mut cluster = Cluster::new(ClusterBounds::default());
    cluster.resume(wall(50), []);
    cluster.nodes_listed(|_| true, moment(60));
    cluster.see_node(&node(False, 70), moment(71));
    cluster.see_node(&node(True, 90), moment(91));
    assert_eq!(cluster.flips().iter().count(), 0);
}

#[test]
fn a_node_is_back_though_its_clock_is_behind_the_controllers() {
    let mut cluster = cluster();
    cluster.see_node(&node(Unknown, 100), moment(101));
    assert!(only_flip(&cluster).is_open());
    // The kubelet stamps this one, two minutes behind.
    cluster.see_node(&node(True, 10), moment(130));
    assert!(!only_flip(&cluster).is_open());
}
