//! Which addresses go with a flip, come back, move, and count.

use std::time::Duration;

use nodegrace_core::{
    ConditionStatus::{True, Unknown},
    cluster::{Cluster, ClusterBounds, Endpoint, LostAddress, What},
};

use super::{cluster, endpoint, moment, node, only_flip, see, service, wall, what};

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
fn addresses_are_joined_however_late_either_watch_tells() {
    let both = || vec![endpoint("1", true), endpoint("2", true)];
    let none = || vec![endpoint("1", false), endpoint("2", false)];
    // The watch of nodes was broken, and tells of both turns after the slices did.
    let mut late_nodes = cluster();
    see(&mut late_nodes, "a", both(), 10);
    late_nodes.nodes_broke(Duration::from_secs(95), Duration::from_secs(95));
    see(&mut late_nodes, "a", none(), 100);
    see(&mut late_nodes, "a", both(), 120);
    late_nodes.nodes_go_on(Duration::from_secs(200));
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
    late_slices.slices_broke(Duration::from_secs(95), Duration::from_secs(95));
    late_slices.see_node(&node(Unknown, 100), moment(100));
    late_slices.see_node(&node(True, 121), moment(121));
    late_slices.slices_go_on(Duration::from_secs(200));
    see(&mut late_slices, "a", none(), 201);
    see(&mut late_slices, "a", both(), 202);
    assert_eq!(outages(&late_slices), [None; 2], "nobody saw how long");

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

#[test]
fn an_address_that_two_pods_of_one_node_share_is_ready_while_one_of_them_is() {
    let mut cluster = cluster();
    let pods = |first, second| vec![endpoint("1", first), endpoint("1", second)];
    see(&mut cluster, "a", pods(true, true), 10);
    cluster.see_node(&node(Unknown, 100), moment(100));
    see(&mut cluster, "a", pods(false, true), 100);
    see(&mut cluster, "a", pods(true, false), 101);
    assert_eq!(only_flip(&cluster).lost_count, 0);
    see(&mut cluster, "a", pods(false, false), 102);
    assert_eq!(only_flip(&cluster).lost_count, 1);
}
