//! What happened while nobody watched.

use std::time::Duration;

use nodegrace_core::{
    ConditionStatus::{False, True, Unknown},
    Ready, SeenFlip, WallTime,
    cluster::{Cluster, ClusterBounds, Flip, FlipKind, SeenNode},
};

use super::{by_agent, cluster, kinds, machine, moment, node, only_flip, wall};

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
    unseen.see_node(&node(True, 130), moment(130));
    let away = only_flip(&unseen).unready_for();
    assert_eq!(
        away,
        Some(Duration::from_secs(30)),
        "not since it was found"
    );
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
        cluster.see_agents_flip(&"node".into(), &flip, moment(seconds));
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
fn a_flip_that_is_told_after_its_node_was_listed_ended_when_the_condition_says() {
    let told = |sight: &SeenNode, flips: &[SeenFlip]| {
        let mut cluster = Cluster::new(ClusterBounds::default());
        cluster.see_node(sight, moment(9000));
        cluster.nodes_listed(|_| true, moment(9001));
        for flip in flips {
            cluster.see_agents_flip(&"node".into(), flip, moment(9003));
        }
        // What the kubelet posts later is no news of it.
        cluster.see_node(sight, moment(9300));
        let flips = cluster.flips().iter();
        flips
            .map(|flip| (flip.ready_again, flip.is_open()))
            .collect::<Vec<_>>()
    };
    let back = node(True, 130);
    assert_eq!(
        told(&back, &[by_agent(100, 51)]),
        [(Some(wall(130)), false)]
    );
    assert_eq!(told(&back, &[by_agent(9002, 51)]), [(None, true)]);
    // The agent saw it late, too: it was over by then.
    let late = SeenFlip {
        after: None,
        time: wall(300),
        ..by_agent(100, 51)
    };
    assert_eq!(told(&back, &[late]), [(None, false)]);
    // The way back is the last one's.
    let both = [by_agent(100, 51), by_agent(1000, 51)];
    assert_eq!(
        told(&node(True, 1030), &both),
        [(None, false), (Some(wall(1030)), false)]
    );
    assert_eq!(told(&node(Unknown, 100), &both[..1]), [(None, true)]);
}

#[test]
fn a_flip_of_a_node_that_no_complete_list_has_ended_with_it() {
    let told = |bounds: ClusterBounds, listed: bool, behind: bool| {
        let mut cluster = Cluster::new(bounds);
        cluster.see_node(&node(True, 0), moment(10));
        if listed {
            cluster.nodes_listed(|_| true, moment(11));
        }
        if behind {
            cluster.nodes_broke(Duration::from_secs(20), Duration::from_secs(20));
        }
        cluster.see_agents_flip(&"other".into(), &by_agent(5, 51), moment(30));
        only_flip(&cluster).deleted
    };
    let wide = ClusterBounds::default();
    assert_eq!(told(wide, true, false), Some(wall(30)));
    assert_eq!(told(wide, false, false), None, "it may be on the list yet");
    assert_eq!(told(wide, true, true), None, "it may have joined since");
    // There may be nodes beyond the bound.
    let mut narrow = Cluster::new(ClusterBounds { nodes: 1, ..wide });
    for name in ["node", "other"] {
        let sight = SeenNode {
            name: name.into(),
            ..node(True, 0)
        };
        narrow.see_node(&sight, moment(10));
    }
    narrow.nodes_listed(|_| true, moment(11));
    narrow.see_agents_flip(&"other".into(), &by_agent(5, 51), moment(30));
    assert_eq!(only_flip(&narrow).deleted, None);
}

#[test]
fn a_node_that_joined_while_nobody_watched_has_not_flipped() {
    let found = |seen: &SeenNode, kept: Option<Flip>| {
        let mut cluster = Cluster::new(ClusterBounds::default());
        cluster.resume(wall(110), kept);
        cluster.see_node(seen, moment(300));
        kinds(&cluster)
    };
    let created = |at: Option<u64>| SeenNode {
        created: at.map(wall),
        ..node(False, 200)
    };
    assert_eq!(found(&created(Some(200)), None), []);
    let kubelet = [FlipKind::KubeletNotReady];
    assert_eq!(found(&created(Some(50)), None), kubelet);
    assert_eq!(found(&created(None), None), kubelet);
    // The Node was made anew, which its uid says as well.
    let mut cluster = cluster();
    cluster.see_node(&node(Unknown, 100), moment(101));
    let anew = SeenNode {
        machine: machine("another", "boot"),
        ..created(None)
    };
    let kept = Some(only_flip(&cluster).clone());
    assert_eq!(found(&anew, kept), [FlipKind::NodeDeleted]);
}

#[test]
fn a_flip_of_a_node_that_was_made_anew_since_is_none_of_the_new_one() {
    let mut cluster = Cluster::new(ClusterBounds::default());
    let anew = SeenNode {
        created: Some(wall(500)),
        ..node(True, 520)
    };
    cluster.see_node(&anew, moment(9000));
    cluster.see_agents_flip(&"node".into(), &by_agent(100, 51), moment(9003));
    let flip = only_flip(&cluster);
    assert_eq!((flip.deleted, flip.ready_again), (Some(wall(500)), None));
    assert_eq!(&*flip.machine.uid, "");
}

#[test]
fn a_node_that_is_given_up_again_while_the_watch_is_away_has_two_flips() {
    for agent_first in [true, false] {
        let mut cluster = cluster();
        cluster.see_node(&node(Unknown, 100), moment(100));
        cluster.nodes_broke(Duration::from_secs(110), Duration::from_secs(110));
        if agent_first {
            cluster.see_agents_flip(&"node".into(), &by_agent(180, 51), moment(180));
        }
        cluster.nodes_go_on(Duration::from_secs(200));
        cluster.see_node(&node(Unknown, 180), moment(201));
        cluster.see_node(&node(Unknown, 180), moment(202));
        cluster.see_node(&node(True, 230), moment(230));
        let flips = cluster.flips().iter();
        let flips: Vec<_> = flips
            .map(|flip| (flip.seen, flip.ready_again, flip.ended_unseen))
            .collect();
        assert_eq!(
            flips,
            [
                (Some(wall(100)), None, true),
                (Some(wall(180)), Some(wall(230)), false)
            ]
        );
    }
    let mut by_itself = cluster();
    by_itself.see_node(&node(False, 100), moment(100));
    by_itself.see_node(&node(False, 180), moment(201));
    assert_eq!(kinds(&by_itself), [FlipKind::KubeletNotReady; 2]);
    assert_eq!(by_itself.missed().unseen_flips, 0, "it is told");
}
