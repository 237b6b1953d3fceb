//! What a watch tells after it was away: when it happened is not when it is told.

use std::time::Duration;

use nodegrace_core::{
    ConditionStatus::{True, Unknown},
    WallTime,
    cluster::Cluster,
};

use super::{cluster, endpoint, moment, node, only_flip, see, wall};

/// When the only flip was seen, and when it was over.
fn span(cluster: &Cluster) -> (Option<WallTime>, Option<WallTime>) {
    let flip = only_flip(cluster);
    (flip.seen, flip.ready_again)
}

/// A cluster whose watch of Nodes was away from 95 to `back`.
fn away_until(back: u64) -> Cluster {
    let mut cluster = cluster();
    cluster.nodes_broke(Duration::from_secs(95), Duration::from_secs(95));
    cluster.nodes_go_on(Duration::from_secs(back));
    cluster
}

#[test]
fn what_the_watch_of_nodes_missed_came_about_when_the_conditions_say() {
    let mut missed = away_until(200);
    missed.see_node(&node(Unknown, 100), moment(201));
    missed.see_node(&node(True, 125), moment(201));
    assert_eq!(span(&missed), (Some(wall(100)), Some(wall(125))));
    assert_eq!(
        only_flip(&missed).unready_for(),
        Some(Duration::from_secs(25))
    );

    // What comes about once it is back is told at once, and before it broke it told everything.
    let mut since = away_until(200);
    since.see_node(&node(Unknown, 203), moment(204));
    since.see_node(&node(True, 208), moment(209));
    assert_eq!(span(&since), (Some(wall(204)), Some(wall(209))));
    let mut before = away_until(200);
    before.see_node(&node(Unknown, 60), moment(201));
    assert_eq!(span(&before), (Some(wall(95)), None));

    // The kubelet's clock is far behind: nobody knows.
    before.see_node(&node(True, 10), moment(201));
    assert_eq!(span(&before), (Some(wall(95)), None));
    assert!(only_flip(&before).ended_unseen);

    // Away for a moment only: what is told is more precise than whole seconds.
    let mut shortly = away_until(96);
    shortly.see_node(&node(Unknown, 95), moment(97));
    assert_eq!(span(&shortly), (Some(wall(97)), None));
}

#[test]
fn of_addresses_that_a_late_watch_tells_of_nobody_knows_for_how_long_they_were_away() {
    let told = |left: u64, returned: u64| {
        let mut cluster = cluster();
        let address = |ready| vec![endpoint("1", ready)];
        see(&mut cluster, "a", address(true), 10);
        cluster.see_node(&node(Unknown, 90), moment(90));
        if left < 95 {
            see(&mut cluster, "a", address(false), left);
        }
        cluster.slices_broke(Duration::from_secs(95), Duration::from_secs(95));
        cluster.slices_go_on(Duration::from_secs(200));
        if left > 95 {
            see(&mut cluster, "a", address(false), left);
        }
        see(&mut cluster, "a", address(true), returned);
        let lost = &only_flip(&cluster).lost[0];
        assert_eq!(
            (lost.left, lost.returned),
            (wall(left), Some(wall(returned)))
        );
        lost.outage()
    };
    assert_eq!(told(201, 202), None);
    assert_eq!(told(91, 201), None);
    assert_eq!(told(201, 300), None);
    assert_eq!(told(91, 300), Some(Duration::from_secs(209)));
}

#[test]
fn a_watch_that_breaks_again_before_it_has_told_what_it_missed_is_late_since_it_broke_first() {
    let told = |again: u64| {
        let mut cluster = cluster();
        let address = |ready| vec![endpoint("1", ready)];
        see(&mut cluster, "a", address(true), 10);
        let seconds = Duration::from_secs;
        // It fell silent at 95, which was noticed at 200.
        cluster.slices_broke(seconds(95), seconds(200));
        cluster.see_node(&node(Unknown, 100), moment(100));
        cluster.see_node(&node(True, 121), moment(121));
        cluster.slices_go_on(seconds(210));
        // What it had was too old, which the server says only then.
        cluster.slices_broke(seconds(210), seconds(again));
        cluster.slices_go_on(seconds(again + 2));
        see(&mut cluster, "a", address(false), again + 2);
        only_flip(&cluster).lost.len()
    };
    assert_eq!(told(211), 1);
    assert_eq!(told(240), 0, "it had told everything by then");
}
