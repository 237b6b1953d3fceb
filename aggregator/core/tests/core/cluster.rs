//! The cluster's own watches and the agents' words, joined.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    ConditionStatus, ControllerSettings, GapStart, Ready, SeenFlip, WallTime,
    cluster::{
        Cluster, ClusterBounds, Endpoint, Flip, FlipKind, FlipRule, LostAddress, Machine, Moment,
        SeenNode, Service, What,
    },
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
        machine: machine("uid", "boot"),
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
        machine: machine("uid", "another boot"),
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

#[test]
fn a_flip_that_ended_while_nobody_watched_ended_when_the_condition_says() {
    let mut cluster = cluster();
    cluster.see_node(&node(Unknown, 100), moment(101));
    let kept = only_flip(&cluster).clone();
    let next = |seen: &SeenNode| {
        let mut next = Cluster::new(ClusterBounds::default());
        next.resume(wall(110), [kept.clone()]);
        next.see_node(seen, moment(900));
        only_flip(&next).clone()
    };
    let back = next(&node(True, 130));
    assert_eq!(
        back.ready_again,
        Some(wall(130)),
        "not when it was found so"
    );
    assert_eq!(back.unready_for(), Some(Duration::from_secs(29)));
    // The kubelet's clock is an hour behind: when it was back nobody knows, and it is over all the same.
    let behind = SeenNode {
        ready: Some(Ready {
            transition: WallTime::from_unix_nanos(-3600 * 1_000_000_000),
            ..node(True, 0).ready.expect("it is set")
        }),
        ..node(True, 0)
    };
    let behind = next(&behind);
    assert_eq!((behind.ready_again, behind.is_open()), (None, false));
}

#[test]
fn of_flips_that_an_early_version_kept_only_the_last_can_be_open() {
    // It kept no transition, but when the agent saw it.
    let early = |seconds| {
        let mut cluster = Cluster::new(ClusterBounds::default());
        let mut flip = by_agent(seconds, 51);
        flip.transition = None;
        cluster.see_agents_flip(&"node".into(), &flip);
        only_flip(&cluster).clone()
    };
    let mut cluster = Cluster::new(ClusterBounds::default());
    cluster.resume(wall(5000), [early(100), early(1000), early(2000)]);
    let open = |cluster: &Cluster| {
        cluster
            .flips()
            .iter()
            .map(Flip::is_open)
            .collect::<Vec<_>>()
    };
    assert_eq!(open(&cluster), [false, false, true]);
    cluster.see_node(&node(True, 2021), moment(6000));
    assert_eq!(open(&cluster), [false; 3]);
    let ends = cluster.flips().iter().map(|flip| flip.ready_again);
    assert_eq!(ends.collect::<Vec<_>>(), [None, None, Some(wall(2021))]);
}

#[test]
fn a_node_deleted_or_booted_while_nobody_watched_lost_no_heartbeats() {
    let mut cluster = cluster();
    cluster.see_node(&node(Unknown, 100), moment(101));
    let kept = only_flip(&cluster).clone();
    let next = |sight: Option<SeenNode>| {
        let mut next = Cluster::new(ClusterBounds::default());
        next.resume(wall(110), [kept.clone()]);
        if let Some(sight) = &sight {
            next.see_node(sight, moment(900));
        }
        next.nodes_listed(|_| sight.is_some(), moment(901));
        kinds(&next)
    };
    assert_eq!(next(None), [FlipKind::NodeDeleted]);
    let with = |uid: &str, boot: &str, status| SeenNode {
        machine: machine(uid, boot),
        ..node(status, 300)
    };
    assert_eq!(
        next(Some(with("another", "other boot", True))),
        [FlipKind::NodeDeleted]
    );
    assert_eq!(
        next(Some(with("uid", "another boot", True))),
        [FlipKind::NodeRebooted]
    );
    assert_eq!(
        next(Some(with("uid", "boot", True))),
        [FlipKind::HeartbeatLost]
    );
}

#[test]
fn a_node_that_is_not_ready_and_then_falls_silent_left_ready_once() {
    for agent_first in [true, false] {
        let mut cluster = cluster();
        see(&mut cluster, "a", vec![endpoint("1", true)], 10);
        cluster.see_node(&node(False, 100), moment(100));
        if agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(160, 51));
        }
        cluster.see_node(&node(Unknown, 160), moment(160));
        cluster.see_agents_flip(&"node".into(), &by_agent(160, 51));
        see(&mut cluster, "a", vec![endpoint("1", false)], 161);
        let flip = only_flip(&cluster);
        assert_eq!(kinds(&cluster), [FlipKind::KubeletNotReady]);
        assert_eq!((flip.went_on, flip.lost.len()), (Some(wall(160)), 1));
        cluster.see_node(&node(False, 200), moment(200));
        cluster.see_node(&node(True, 210), moment(210));
        assert_eq!(only_flip(&cluster).ready_again, Some(wall(210)));
    }
}

#[test]
fn addresses_are_joined_however_late_either_watch_tells() {
    let both = || vec![endpoint("1", true), endpoint("2", true)];
    let none = || vec![endpoint("1", false), endpoint("2", false)];
    // The watch of nodes was broken, and tells of both turns after the slices did.
    let mut late_nodes = cluster();
    see(&mut late_nodes, "a", both(), 10);
    late_nodes.nodes_are_behind(true, Duration::from_secs(95));
    see(&mut late_nodes, "a", none(), 100);
    see(&mut late_nodes, "a", both(), 120);
    late_nodes.nodes_are_behind(false, Duration::from_secs(200));
    late_nodes.see_node(&node(Unknown, 100), moment(201));
    late_nodes.see_node(&node(True, 121), moment(201));
    let outages = |cluster: &Cluster| {
        let lost = only_flip(cluster).lost.iter().map(LostAddress::outage);
        lost.collect::<Vec<_>>()
    };
    assert_eq!(outages(&late_nodes), [Some(Duration::from_secs(20)); 2]);

    // That of slices was.
    let mut late_slices = cluster();
    see(&mut late_slices, "a", both(), 10);
    late_slices.slices_are_behind(true, Duration::from_secs(95));
    late_slices.see_node(&node(Unknown, 100), moment(100));
    late_slices.see_node(&node(True, 121), moment(121));
    late_slices.slices_are_behind(false, Duration::from_secs(200));
    see(&mut late_slices, "a", none(), 201);
    see(&mut late_slices, "a", both(), 202);
    assert_eq!(outages(&late_slices).len(), 2);

    // Neither was, and what leaves long before or after is another matter.
    let mut neither = cluster();
    see(&mut neither, "a", both(), 10);
    see(
        &mut neither,
        "a",
        vec![endpoint("1", false), endpoint("2", true)],
        60,
    );
    neither.see_node(&node(Unknown, 100), moment(100));
    neither.see_node(&node(True, 121), moment(121));
    see(&mut neither, "a", none(), 140);
    assert_eq!(outages(&neither), []);
}

#[test]
fn an_address_that_is_taken_off_one_slice_and_put_on_another_was_never_away() {
    let mut cluster = cluster();
    see(
        &mut cluster,
        "a",
        vec![endpoint("1", true), endpoint("2", true)],
        10,
    );
    // Ready all the while: off first, then on.
    see(&mut cluster, "a", vec![endpoint("1", true)], 20);
    see(&mut cluster, "b", vec![endpoint("2", true)], 21);
    assert_eq!(what(&cluster), [What::Added, What::Added]);
    // While its node is not ready, in either order.
    cluster.see_node(&node(Unknown, 100), moment(100));
    see(&mut cluster, "a", vec![endpoint("1", false)], 100);
    see(&mut cluster, "b", vec![endpoint("2", false)], 100);
    see(&mut cluster, "a", Vec::new(), 110);
    see(
        &mut cluster,
        "b",
        vec![endpoint("1", false), endpoint("2", false)],
        111,
    );
    see(&mut cluster, "c", vec![endpoint("2", false)], 112);
    see(&mut cluster, "b", vec![endpoint("1", false)], 112);
    let gone = |cluster: &Cluster| {
        let lost = only_flip(cluster).lost.iter();
        lost.filter(|lost| lost.gone.is_some()).count()
    };
    assert_eq!(gone(&cluster), 0);
    see(&mut cluster, "b", vec![endpoint("1", true)], 130);
    assert_eq!(only_flip(&cluster).lost[0].returned, Some(wall(130)));
    see(&mut cluster, "c", Vec::new(), 140);
    assert_eq!(gone(&cluster), 1, "that one is gone for good");
}

#[test]
fn a_pod_with_an_address_of_each_family_counts_once() {
    let mut cluster = cluster();
    let pod = |address: &str, pod: &str| Endpoint {
        pod: Some(pod.into()),
        ..endpoint(address, true)
    };
    see(
        &mut cluster,
        "v4",
        vec![pod("10.0.0.1", "a"), pod("10.0.0.2", "b")],
        10,
    );
    see(
        &mut cluster,
        "v6",
        vec![pod("fd00::1", "a"), pod("fd00::2", "b")],
        10,
    );
    let share = &cluster.blast("node")[0];
    assert_eq!((share.loses, share.ready), (2, 2));
    cluster.see_node(&node(Unknown, 100), moment(100));
    for (slice, addresses) in [
        ("v4", ["10.0.0.1", "10.0.0.2"]),
        ("v6", ["fd00::1", "fd00::2"]),
    ] {
        let away = addresses.into_iter().zip(["a", "b"]);
        let away = away.map(|(address, name)| Endpoint {
            ready: false,
            ..pod(address, name)
        });
        see(&mut cluster, slice, away.collect(), 101);
    }
    let flip = only_flip(&cluster);
    assert_eq!((flip.lost_count, flip.pods()), (4, 2));
    assert!(cluster.blast("node").is_empty());
}

#[test]
fn addresses_of_flips_are_bounded_together_and_what_is_dropped_is_counted() {
    let mut cluster = Cluster::new(ClusterBounds {
        flip_addresses: 3,
        ..ClusterBounds::default()
    });
    cluster.see_node(&node(True, 0), moment(1));
    for round in 0..3_u64 {
        let at = 100 * (round + 1);
        let all = |ready| vec![endpoint("1", ready), endpoint("2", ready)];
        see(&mut cluster, "a", all(true), at - 10);
        cluster.see_node(&node(Unknown, at), moment(at));
        see(&mut cluster, "a", all(false), at + 1);
        cluster.see_node(&node(True, at + 20), moment(at + 20));
    }
    let kept: Vec<_> = cluster.flips().iter().map(|flip| flip.lost.len()).collect();
    assert_eq!(kept, [0, 0, 2], "the oldest go first");
    let counts: Vec<_> = cluster.flips().iter().map(|flip| flip.lost_count).collect();
    assert_eq!(counts, [2; 3]);
    assert_eq!(cluster.missed().flip_addresses, 4);
}
