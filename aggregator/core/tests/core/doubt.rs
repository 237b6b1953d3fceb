//! Late intervals next to the agent's own blindness: told when they were late beyond doubt, and in no figure.

use nodegrace_core::{
    Applied, ConditionStatus, Fleet, Gap, Losses, NodeHistory,
    event::{Channel, Rhythm, Visibility},
};

use crate::{
    chains::{gaps, steady},
    kit::{Agent, NODE, config, figures, fleet, s},
};

fn history(fleet: &Fleet) -> &NodeHistory {
    fleet.history(NODE).expect("it reported")
}

/// The gaps told and not counted.
fn told(fleet: &Fleet) -> Vec<Gap> {
    history(fleet).uncounted_gaps().copied().collect()
}

/// Lengths and uncertainties of the gaps told and not counted, in seconds.
fn lengths(fleet: &Fleet) -> Vec<(f64, f64)> {
    let seconds = |gap: Gap| (gap.duration.as_secs_f64(), gap.uncertainty.as_secs_f64());
    told(fleet).into_iter().map(seconds).collect()
}

/// The steady node, whose Lease was renewed last at 1,200 s, lost its network at 1,203 s and has it again at `end`.
fn cut_off(end: f64, resumed: bool) -> (Fleet, Agent) {
    let (fleet, mut agent) = steady();
    for channel in Channel::ALL {
        agent.blind(channel, 1203.0, end, resumed);
    }
    (fleet, agent)
}

/// Time passes until `at`: heartbeats come on time from `from` on.
fn go_on(fleet: &mut Fleet, agent: &mut Agent, from: f64, at: f64) -> Applied {
    let mut beat = from;
    while beat <= at {
        agent.lease(beat);
        beat += 10.0;
    }
    agent.send(fleet, at)
}

#[test]
fn an_interval_that_was_late_beyond_doubt_is_told_and_in_no_figure() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    let applied = go_on(&mut fleet, &mut agent, 1272.0, 1275.0);
    let told = told(&fleet);
    assert_eq!(applied.long_gaps, told);
    assert_eq!((told[0].duration, told[0].uncertainty), (s(62.0), s(6.0)));
    assert!(told[0].uncounted);
    let figures = figures(&fleet, 1275.0);
    assert_eq!(
        gaps(&figures),
        (20, 2),
        "nor the one from that heartbeat on"
    );
    assert_eq!(figures.gap.spread.expect("some").max, s(10.0));
    assert_eq!(history(&fleet).long_gaps(), []);
}

#[test]
fn it_is_told_only_when_nothing_that_was_held_up_can_come_any_more() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    assert_eq!(agent.send(&mut fleet, 1266.0).long_gaps, []);
    assert_eq!(agent.send(&mut fleet, 1267.0).long_gaps.len(), 1);
    assert_eq!(agent.send(&mut fleet, 1268.0).long_gaps, []);
    assert_eq!(lengths(&fleet), [(62.0, 6.0)]);
}

#[test]
fn an_interval_of_which_most_of_the_lateness_is_uncertain_stays_unknown() {
    for (uncertain, known) in [(26.0, true), (27.0, false)] {
        let (mut fleet, mut agent) = cut_off(1262.0, true);
        agent.late_lease(1262.0, uncertain);
        go_on(&mut fleet, &mut agent, 1272.0, 1275.0);
        assert_eq!(told(&fleet).len(), usize::from(known), "{uncertain}");
    }
}

#[test]
fn an_interval_that_may_have_been_no_longer_than_others_of_the_node_stays_unknown() {
    for (end, known) in [(1050.0, false), (1060.0, true)] {
        let (mut fleet, mut agent) = (fleet(), Agent::without_lease("boot-1", 90.0));
        for beat in 0..=30 {
            agent.status(100.0 + 30.0 * f64::from(beat));
        }
        agent.blind(Channel::NodeStatus, 1003.0, end, true);
        agent.late_status(end, 9.0);
        agent.send(&mut fleet, end);
        agent.send(&mut fleet, end + 5.0);
        assert_eq!(told(&fleet).len(), usize::from(known), "{end}");
    }
}

#[test]
fn what_came_late_over_the_other_channel_may_have_come_first() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    agent.late_status(1264.0, 40.0);
    go_on(&mut fleet, &mut agent, 1272.0, 1275.0);
    assert_eq!(told(&fleet), []);
}

#[test]
fn an_interval_waits_for_a_channel_that_cannot_be_seen_yet() {
    let (mut fleet, mut agent) = steady();
    let blind = Visibility::Blind { since: s(1203.0) };
    agent.view(Channel::NodeStatus, Some(blind));
    agent.blind(Channel::Lease, 1203.0, 1262.0, true);
    agent.late_lease(1262.0, 6.0);
    go_on(&mut fleet, &mut agent, 1272.0, 1280.0);
    assert_eq!(told(&fleet), []);
    agent.view(Channel::NodeStatus, Some(Visibility::Observed));
    agent.blind(Channel::NodeStatus, 1203.0, 1281.0, true);
    agent.send(&mut fleet, 1281.0);
    agent.send(&mut fleet, 1287.0);
    assert_eq!(lengths(&fleet), [(62.0, 6.0)]);
}

#[test]
fn renewals_that_may_have_been_missed_for_good_may_have_ended_an_interval_that_was_late_already() {
    for (blind_since, told) in [(1240.0, vec![(49.0, 9.0)]), (1215.0, vec![])] {
        let (mut fleet, mut agent) = steady();
        agent.blind(Channel::Lease, blind_since, 1249.0, false);
        agent.late_lease(1249.0, 4.0);
        go_on(&mut fleet, &mut agent, 1259.0, 1340.0);
        assert_eq!(lengths(&fleet), told, "{blind_since}");
    }
}

/// A node that was cut off, whose agent found a newer Lease at 1,262 s and nothing else, and whose kubelet counted so many renewals
/// from 1,195 s to 1,285 s.
fn counted(renewals: u64) -> Fleet {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    agent.rhythm(Rhythm {
        status_report: Some(s(300.0)),
        ..Rhythm::default()
    });
    for beat in 0..20 {
        agent.lease(1000.0 + 10.0 * f64::from(beat));
    }
    agent.count(1195.0, 500);
    agent.lease(1200.0);
    agent.send(&mut fleet, 1200.0);
    for channel in Channel::ALL {
        agent.blind(channel, 1203.0, 1262.0, false);
    }
    agent.late_lease(1262.0, 6.0);
    agent.lease(1272.0);
    agent.lease(1282.0);
    agent.count(1285.0, 500 + renewals);
    agent.send(&mut fleet, 1286.0);
    agent.lease(1292.0);
    agent.lease(1302.0);
    agent.lease(1312.0);
    agent.lease(1322.0);
    agent.send(&mut fleet, 1330.0);
    fleet
}

#[test]
fn the_kubelets_own_count_shows_that_no_renewal_was_missed() {
    assert_eq!(lengths(&counted(4)), [(62.0, 6.0)]);
}

#[test]
fn a_renewal_that_the_kubelet_counted_and_nobody_saw_leaves_the_interval_unknown() {
    assert_eq!(told(&counted(5)), []);
}

#[test]
fn a_flip_that_was_held_up_lies_in_the_interval_and_tells_no_delay() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    agent.ready(ConditionStatus::Unknown, 1263.0);
    agent.ready(ConditionStatus::True, 1263.5);
    let applied = go_on(&mut fleet, &mut agent, 1272.0, 1275.0);
    assert_eq!(applied.flips[0].after, None);
    assert!(told(&fleet)[0].flip_seen);
    let controller = config().controller;
    assert_eq!(history(&fleet).flips()[0].cause(&controller), None);
    let figures = figures(&fleet, 1275.0);
    assert_eq!(figures.flips_seen, 1);
    let expected = figures.expected_flips.expect("gaps were measured");
    assert_eq!(expected.risky_gaps, 0, "the gap behind it is not counted");
}

#[test]
fn a_flip_seen_before_the_heartbeat_lies_in_the_interval_as_well() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.ready(ConditionStatus::Unknown, 1262.5);
    agent.late_lease(1263.0, 6.0);
    let applied = go_on(&mut fleet, &mut agent, 1273.0, 1275.0);
    assert_eq!(applied.flips[0].after, None);
    assert!(told(&fleet)[0].flip_seen);
}

#[test]
fn an_interval_whose_records_were_lost_stays_unknown() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.skip_numbers(1);
    agent.lose(Losses {
        dropped_heartbeats: 1,
        ..Losses::default()
    });
    agent.late_lease(1262.0, 6.0);
    go_on(&mut fleet, &mut agent, 1272.0, 1275.0);
    assert_eq!(told(&fleet), []);

    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    agent.send(&mut fleet, 1263.0);
    agent.skip_numbers(1);
    agent.lose(Losses {
        dropped_others: 1,
        ..Losses::default()
    });
    go_on(&mut fleet, &mut agent, 1272.0, 1275.0);
    assert_eq!(
        told(&fleet),
        [],
        "a heartbeat that was held up may be among them"
    );
}

#[test]
fn an_agent_that_restarts_before_it_saw_the_other_channel_again_leaves_the_interval_unknown() {
    let (mut fleet, mut agent) = steady();
    let blind = Visibility::Blind { since: s(1203.0) };
    agent.view(Channel::NodeStatus, Some(blind));
    agent.blind(Channel::Lease, 1203.0, 1262.0, true);
    agent.late_lease(1262.0, 6.0);
    agent.send(&mut fleet, 1264.0);
    let mut next = Agent::new("boot-1", 1265.0);
    next.baseline(Channel::Lease, 1266.0, agent.resource_version());
    go_on(&mut fleet, &mut next, 1272.0, 1290.0);
    assert_eq!(told(&fleet), []);
}

#[test]
fn an_agent_that_restarts_afterwards_changes_nothing() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    agent.send(&mut fleet, 1264.0);
    let mut next = Agent::new("boot-1", 1265.0);
    next.baseline(Channel::Lease, 1266.0, agent.resource_version());
    go_on(&mut fleet, &mut next, 1272.0, 1290.0);
    assert_eq!(lengths(&fleet), [(62.0, 6.0)]);
}

#[test]
fn outages_one_after_the_other_are_told_once_each() {
    let (mut fleet, mut agent) = cut_off(1262.0, true);
    agent.late_lease(1262.0, 6.0);
    for channel in Channel::ALL {
        agent.blind(channel, 1263.0, 1330.0, true);
    }
    agent.late_lease(1330.0, 3.0);
    agent.lease(1340.0);
    agent.lease(1390.0);
    agent.send(&mut fleet, 1400.0);
    assert_eq!(lengths(&fleet), [(62.0, 6.0), (68.0, 9.0)]);
    let counted = history(&fleet).long_gaps();
    assert_eq!(counted.len(), 1, "{counted:?}");
    assert_eq!(counted[0].duration, s(50.0));
}

#[test]
fn what_is_told_does_not_depend_on_how_records_are_cut_into_batches() {
    let told_of = |batches: &[f64]| {
        let (mut fleet, mut agent) = steady();
        let mut batches = batches.iter().copied();
        let mut next = batches.next();
        for beat in 0..30 {
            let at = 1210.0 + 60.0 * f64::from(beat);
            for channel in Channel::ALL {
                agent.blind(channel, at - 8.0, at + 40.0, true);
            }
            agent.late_lease(at + 40.0, 6.0 + f64::from(beat));
            agent.lease(at + 50.0);
            if next.is_some_and(|next| next <= at + 50.0) {
                agent.send(&mut fleet, at + 51.0);
                next = batches.next();
            }
        }
        agent.send(&mut fleet, 3100.0);
        agent.send(&mut fleet, 3200.0);
        lengths(&fleet)
    };
    let at_once = told_of(&[]);
    assert_eq!(at_once.len(), 15, "{at_once:?}");
    for batches in [&[1250.0, 1500.0, 2000.0][..], &[1200.0; 30]] {
        assert_eq!(told_of(batches), at_once, "{batches:?}");
    }
}

#[test]
fn an_agent_that_catches_up_may_cut_its_records_right_after_a_doubtful_heartbeat() {
    let told_of = |cut: bool| {
        let (mut fleet, mut agent) = cut_off(1262.0, true);
        agent.late_lease(1262.0, 6.0);
        // An hour late, because no aggregator was there: what was held up of the other channel is in the next batch.
        if cut {
            agent.send(&mut fleet, 5000.0);
        }
        agent.late_status(1264.0, 40.0);
        go_on(&mut fleet, &mut agent, 1272.0, 1300.0);
        agent.send(&mut fleet, 5001.0);
        lengths(&fleet)
    };
    assert_eq!(told_of(true), told_of(false));
    assert_eq!(told_of(true), []);
}
