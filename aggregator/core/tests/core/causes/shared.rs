//! Which nodes share a cause, and what they have in common.

use nodegrace_core::{
    Fleet,
    cause::{CauseKind, Figure, Scope, SharedCause, Traits},
};

use super::kit::Host;
use crate::kit::{fleet, now};

/// A node whose disk stalled once.
fn stalled() -> Host {
    let mut host = Host::new().settle(20);
    host.late(40, &|_| vec![(Figure::PressureIoFull, 0.95)]);
    host
}

/// A fleet of these nodes, each as the host is now.
fn fleet_of<'a>(nodes: impl IntoIterator<Item = &'a Host>) -> Fleet {
    let mut fleet = fleet();
    for (number, host) in nodes.into_iter().enumerate() {
        let mut node = host.history().export();
        node.name = format!("node-{number:02}").into();
        fleet.import(node);
    }
    fleet
}

/// Nodes 0 to 9 are in zone a, 10 to 19 in zone b, and so on; all in one region, every second one of another kernel.
fn traits(name: &str) -> Traits<'static> {
    let number: usize = name["node-".len()..].parse().expect("a number");
    let zone = ["a", "b", "c", "d"][number / 10];
    [zone, "r", "", ["6.1", "6.8"][number % 2], "v1.36.2", ""]
}

fn shared(fleet: &Fleet) -> Vec<SharedCause> {
    fleet.shared_causes(now(2000.0), traits)
}

#[test]
fn nodes_of_one_zone_that_share_a_cause_are_told_as_that_zone() {
    let (bad, good) = (stalled(), Host::new().settle(20));
    // Eight of the ten nodes of zone b, and one of zone d.
    let is_bad = |number: i32| (11..19).contains(&number) || number == 33;
    let nodes: Vec<&Host> = (0..40)
        .map(|number| if is_bad(number) { &bad } else { &good })
        .collect();
    let shared = shared(&fleet_of(nodes));
    let [cause] = &shared[..] else {
        panic!("one cause: {shared:?}");
    };
    assert_eq!(
        (cause.kind, cause.scope, cause.value.as_str()),
        (CauseKind::IoStalled, Scope::Zone, "b")
    );
    assert_eq!(
        (
            cause.nodes,
            cause.nodes_in_scope,
            cause.nodes_elsewhere,
            cause.gaps
        ),
        (8, 10, 1, 9)
    );
    assert!(
        cause
            .sentence()
            .starts_with("Stalled disks on 8 of the 10 nodes of zone b, and on 1 elsewhere")
    );
}

#[test]
fn what_every_node_has_at_the_same_moment_is_something_they_share() {
    let bad = stalled();
    let shared = shared(&fleet_of([&bad; 40]));
    let [cause] = &shared[..] else {
        panic!("one cause: {shared:?}");
    };
    assert_eq!(
        (cause.scope, cause.nodes, cause.nodes_in_scope),
        (Scope::Fleet, 40, 40)
    );
    // The gap of 40 s that ended 20 s before now.
    let at = f64::from(bad.at);
    assert_eq!(cause.together_at, Some(now(at - 60.0)));
    let sentence = cause.sentence();
    assert!(
        sentence.contains("at the same moment: look at what these nodes share"),
        "{sentence}"
    );
}

#[test]
fn an_api_server_that_was_slow_for_every_node_at_the_same_moment_is_the_control_plane() {
    let mut slow = Host::new().settle(30);
    slow.delay = 29.0;
    slow.late(40, &|_| Vec::new());
    let shared = shared(&fleet_of([&slow; 40]));
    let sentence = shared[0].sentence();
    assert!(
        sentence.contains("at the same moment: look at the control plane"),
        "{sentence}"
    );
}

#[test]
fn one_outage_that_makes_several_heartbeats_late_is_one_moment_all_the_same() {
    let mut bad = stalled();
    for _ in 0..3 {
        bad.late(40, &|_| vec![(Figure::PressureIoFull, 0.95)]);
    }
    assert!(shared(&fleet_of([&bad; 40]))[0].together_at.is_some());
}

#[test]
fn nodes_that_are_late_all_the_time_are_not_late_together() {
    let mut bad = stalled();
    for _ in 0..30 {
        bad.late(60, &|_| vec![(Figure::PressureIoFull, 0.95)]);
    }
    let end = f64::from(bad.at);
    let shared = fleet_of([&bad; 40]).shared_causes(now(end), traits);
    assert_eq!(
        (shared[0].scope, shared[0].together_at),
        (Scope::Fleet, None)
    );
}

#[test]
fn nodes_that_are_bad_at_different_times_are_not_bad_together() {
    let hosts: Vec<Host> = (0..4)
        .map(|wait| {
            let mut host = Host::new().settle(20 + 10 * wait);
            host.late(40, &|_| vec![(Figure::PressureIoFull, 0.95)]);
            host
        })
        .collect();
    let shared = shared(&fleet_of(&hosts));
    assert_eq!(
        (shared[0].scope, shared[0].together_at),
        (Scope::Fleet, None)
    );
}

#[test]
fn one_bad_node_is_bad_alone_and_only_for_an_hour() {
    let (bad, good) = (stalled(), Host::new().settle(20));
    let nodes: Vec<&Host> = (0..40)
        .map(|number| if number == 7 { &bad } else { &good })
        .collect();
    let fleet = fleet_of(nodes);
    let shared = shared(&fleet);
    assert_eq!(
        (shared.len(), shared[0].scope, shared[0].value.as_str()),
        (1, Scope::Node, "node-07")
    );
    assert!(fleet.shared_causes(now(6000.0), traits).is_empty());
}

#[test]
fn scattered_nodes_have_nothing_in_common() {
    let (bad, good) = (stalled(), Host::new().settle(20));
    let nodes: Vec<&Host> = (0..40)
        .map(|number| {
            if [3, 18, 25].contains(&number) {
                &bad
            } else {
                &good
            }
        })
        .collect();
    let shared = shared(&fleet_of(nodes));
    assert!(
        shared.iter().all(|cause| cause.scope == Scope::Node),
        "{shared:?}"
    );
    assert_eq!(shared.len(), 3);
}
