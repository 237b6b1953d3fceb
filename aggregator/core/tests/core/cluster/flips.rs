//! Flips: counted once, told apart, ended, and bounded.

use std::time::Duration;

use nodegrace_core::{
    ConditionStatus::{False, True, Unknown},
    cluster::{Cluster, ClusterBounds, FlipKind, SeenNode, What},
};

use super::{
    by_agent, cluster, endpoint, kinds, machine, moment, node, only_flip, see, wall, what,
};

#[test]
fn a_flip_is_counted_once_whoever_tells_of_it_first() {
    for agent_first in [true, false] {
        let mut cluster = cluster();
        if agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(100, 51), moment(100));
            // Told by the watch before it has heard of the flip.
            cluster.see_node(&node(True, 0), moment(100));
        }
        cluster.see_node(&node(Unknown, 100), moment(101));
        if !agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(100, 51), moment(100));
        }
        cluster.see_agents_flip(&"node".into(), &by_agent(100, 51), moment(100));
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
    stale.see_agents_flip(&"node".into(), &by_agent(100, 3), moment(100));
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
fn a_node_is_back_though_its_clock_is_behind_the_controllers() {
    let mut cluster = cluster();
    cluster.see_node(&node(Unknown, 100), moment(101));
    assert!(only_flip(&cluster).is_open());
    // The kubelet stamps this one, two minutes behind.
    cluster.see_node(&node(True, 10), moment(130));
    assert!(!only_flip(&cluster).is_open());
}

#[test]
fn a_node_that_is_not_ready_and_then_falls_silent_left_ready_once() {
    for agent_first in [true, false] {
        let mut cluster = cluster();
        cluster.see_node(&node(False, 100), moment(100));
        if agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(160, 51), moment(160));
        }
        cluster.see_node(&node(Unknown, 160), moment(160));
        cluster.see_agents_flip(&"node".into(), &by_agent(160, 51), moment(160));
        let flip = only_flip(&cluster);
        assert_eq!(kinds(&cluster), [FlipKind::KubeletNotReady]);
        assert_eq!(flip.went_on, Some(wall(160)));
        cluster.see_node(&node(False, 200), moment(200));
        cluster.see_node(&node(True, 210), moment(210));
        assert_eq!(only_flip(&cluster).ready_again, Some(wall(210)));
    }
}

#[test]
fn a_node_given_up_twice_before_it_is_ready_again_has_two_flips_whoever_tells_first() {
    for (first, agent_first) in [
        (Unknown, true),
        (Unknown, false),
        (False, true),
        (False, false),
    ] {
        let mut cluster = cluster();
        cluster.see_node(&node(first, 100), moment(100));
        if first == False {
            cluster.see_node(&node(Unknown, 150), moment(150));
        }
        let began = if first == False { 150 } else { 100 };
        cluster.see_agents_flip(&"node".into(), &by_agent(began, 51), moment(began));
        // The kubelet is back, is not ready yet, and falls silent once more.
        cluster.see_node(&node(False, 200), moment(200));
        if agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(260, 57), moment(260));
        }
        cluster.see_node(&node(Unknown, 260), moment(261));
        cluster.see_agents_flip(&"node".into(), &by_agent(260, 57), moment(262));
        cluster.see_node(&node(True, 300), moment(300));
        let flips = cluster.flips().iter();
        let flips: Vec<_> = flips
            .map(|flip| (flip.agent_seen, flip.after, flip.unready_for()))
            .collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            flips,
            [
                (Some(wall(began)), seconds(51), seconds(200)),
                (Some(wall(260)), seconds(57), seconds(39)),
            ],
            "{first:?}, the agent first: {agent_first}"
        );
    }
}
