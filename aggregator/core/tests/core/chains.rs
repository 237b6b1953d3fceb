//! Which intervals between heartbeats count as periods and gaps, and which say nothing.

use std::time::Duration;

use nodegrace_core::{
    ConditionStatus, Event, Fleet, FlipCause, NodeFigures, State,
    event::{Channel, Visibility},
};

use crate::kit::{Agent, NODE, figures, fleet, now, s};

/// A fleet whose node renews its Lease every 10 s from 1,000 s to 1,200 s, and its agent.
pub(crate) fn steady() -> (Fleet, Agent) {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    for beat in 0..=20 {
        agent.lease(1000.0 + 10.0 * f64::from(beat));
    }
    agent.send(&mut fleet, 1200.0);
    (fleet, agent)
}

/// Gaps counted and not counted.
pub(crate) fn gaps(figures: &NodeFigures) -> (u64, u64) {
    (figures.gap.count, figures.observation.unmeasured_gaps)
}

fn longest_gap(figures: &NodeFigures) -> Duration {
    figures.gap.spread.expect("gaps were measured").max
}

#[test]
fn every_heartbeat_counts_once_however_often_it_is_sent() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    for beat in 0..5 {
        agent.lease(1000.0 + 10.0 * f64::from(beat));
    }
    let batch = agent.batch(1040.0);
    let first = fleet.apply(batch.clone(), now(1040.0));
    let again = fleet.apply(batch, now(1041.0));
    assert_eq!((first.accepted, first.acknowledged), (5, 5));
    assert_eq!((again.accepted, again.duplicates), (0, 5));
    let figures = figures(&fleet, 1041.0);
    assert_eq!(figures.channels[0].heartbeats, 5);
    assert_eq!(figures.channels[0].period.count, 4);
    assert_eq!(gaps(&figures), (4, 0));
    assert_eq!(figures.observation.duplicate_records, 5);
}

#[test]
fn gaps_are_merged_over_both_channels_and_periods_are_not() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    agent.lease(1000.0);
    agent.status(1004.0);
    agent.lease(1010.0);
    agent.send(&mut fleet, 1010.0);
    let figures = figures(&fleet, 1010.0);
    assert_eq!(gaps(&figures), (2, 0));
    assert_eq!(longest_gap(&figures), s(6.0));
    assert_eq!(figures.channels[0].period.spread.expect("one").max, s(10.0));
}

#[test]
fn a_baseline_starts_the_periods_but_is_no_heartbeat() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    agent.baseline(Channel::Lease, 991.0, 7);
    agent.lease(1001.0);
    agent.lease(1011.0);
    agent.send(&mut fleet, 1011.0);
    let figures = figures(&fleet, 1011.0);
    assert_eq!(figures.channels[0].heartbeats, 2);
    assert_eq!(figures.channels[0].period.count, 2);
    assert_eq!(gaps(&figures), (1, 1));
}

#[test]
fn an_agent_that_restarts_without_missing_a_heartbeat_breaks_nothing() {
    let (mut fleet, old) = steady();
    let mut agent = Agent::new("boot-1", 1203.0);
    agent.baseline(Channel::Lease, 1200.0, old.resource_version());
    agent.lease(1210.0);
    agent.send(&mut fleet, 1210.0);
    let figures = figures(&fleet, 1210.0);
    assert_eq!(gaps(&figures), (21, 0));
    assert_eq!(figures.channels[0].period.count, 21);
}

#[test]
fn an_agent_that_reports_before_it_has_looked_hides_nothing_that_its_baseline_rules_out() {
    for missed in [0, 1] {
        let (mut fleet, old) = steady();
        let mut agent = Agent::new("boot-1", 1203.0);
        agent.view(Channel::Lease, None);
        agent.send(&mut fleet, 1203.0);
        agent.view(Channel::Lease, Some(Visibility::Observed));
        agent.baseline(Channel::Lease, 1204.0, old.resource_version() + missed);
        agent.lease(1210.0);
        agent.send(&mut fleet, 1210.0);
        let expected = if missed == 0 { (21, 0) } else { (20, 1) };
        assert_eq!(gaps(&figures(&fleet, 1210.0)), expected);
    }
}

#[test]
fn an_agent_that_restarts_and_missed_a_heartbeat_starts_over() {
    let (mut fleet, old) = steady();
    let mut agent = Agent::new("boot-1", 1213.0);
    agent.baseline(Channel::Lease, 1210.0, old.resource_version() + 1);
    agent.lease(1220.0);
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    let figures = figures(&fleet, 1230.0);
    assert_eq!(gaps(&figures), (21, 1));
    assert_eq!(longest_gap(&figures), s(10.0));
}

#[test]
fn records_of_a_replaced_agent_are_told_from_those_sent_again_and_not_kept() {
    let (mut fleet, mut old) = steady();
    let mut again = old.clone();
    let mut agent = Agent::new("boot-1", 1203.0);
    agent.baseline(Channel::Lease, 1200.0, old.resource_version());
    agent.send(&mut fleet, 1204.0);
    old.lease(1210.0);
    let late = old.send(&mut fleet, 1211.0);
    assert_eq!(
        (late.accepted, late.duplicates, late.acknowledged),
        (0, 0, 22)
    );
    again.repeat(21);
    again.lease(1200.0);
    assert_eq!(again.send(&mut fleet, 1212.0).duplicates, 1);
    assert_eq!(fleet.figures(now(1212.0)).late_records, 1);
    assert_eq!(figures(&fleet, 1212.0).channels[0].heartbeats, 21);
}

#[test]
fn a_reboot_is_no_gap_because_the_clocks_do_not_compare() {
    let (mut fleet, _) = steady();
    let mut agent = Agent::new("boot-2", 30.0);
    let connected = Event::Connected {
        node: NODE.into(),
        agent: agent.id(),
    };
    fleet.apply(connected, now(1400.0));
    agent.baseline(Channel::Lease, 31.0, 900);
    agent.lease(40.0);
    agent.lease(50.0);
    fleet.apply(agent.batch(50.0), now(1420.0));
    let figures = figures(&fleet, 1420.0);
    assert_eq!(gaps(&figures), (21, 1));
    assert_eq!(longest_gap(&figures), s(10.0));
}

#[test]
fn a_reboot_keeps_the_history() {
    let (mut fleet, _) = steady();
    let (node, agent) = (NODE.into(), Agent::new("boot-2", 30.0).id());
    fleet.apply(
        Event::Connected {
            node,
            agent: agent.clone(),
        },
        now(1300.0),
    );
    let node = NODE.into();
    fleet.apply(Event::Disconnected { node, agent }, now(1301.0));
    assert!(fleet.expire(now(1302.0)).is_empty());
    assert_eq!(gaps(&figures(&fleet, 1302.0)), (20, 0));
}

#[test]
fn a_node_created_again_starts_over() {
    let (mut fleet, mut agent) = steady();
    agent.recreate_node("uid-1");
    agent.lease(1210.0);
    agent.send(&mut fleet, 1210.0);
    agent.recreate_node("uid-2");
    agent.lease(1300.0);
    agent.send(&mut fleet, 1300.0);
    assert_eq!(gaps(&figures(&fleet, 1300.0)), (21, 1));
}

#[test]
fn a_flip_is_counted_once_and_marks_its_gap() {
    let (mut fleet, mut agent) = steady();
    agent.ready(ConditionStatus::True, 1200.5);
    agent.ready(ConditionStatus::Unknown, 1243.0);
    agent.ready(ConditionStatus::Unknown, 1243.5);
    agent.lease(1250.0);
    agent.send(&mut fleet, 1250.0);
    let history = fleet.history(NODE).expect("it reported");
    assert_eq!(history.flips_seen(), 1);
    assert_eq!(history.flips()[0].after, Some(s(43.0)));
    let [gap] = history.long_gaps()[..] else {
        panic!("one long gap");
    };
    assert!(gap.flip_seen && gap.duration == s(50.0));
}

#[test]
fn two_transitions_to_unknown_are_two_flips_though_nobody_saw_what_was_between() {
    let (mut fleet, mut agent) = steady();
    agent.ready(ConditionStatus::Unknown, 1243.0);
    agent.ready(ConditionStatus::Unknown, 1322.0);
    agent.send(&mut fleet, 1322.0);
    let history = fleet.history(NODE).expect("it reported");
    assert_eq!(history.flips_seen(), 2);
}

#[test]
fn a_flip_within_the_grace_period_is_the_controllers_own_stale_view() {
    let (mut fleet, mut agent) = steady();
    agent.ready(ConditionStatus::Unknown, 1207.0);
    agent.ready(ConditionStatus::True, 1208.0);
    agent.lease(1210.0);
    agent.ready(ConditionStatus::Unknown, 1253.0);
    agent.send(&mut fleet, 1253.0);
    let flips = fleet.history(NODE).expect("it reported").flips();
    let controller = fleet.config().controller;
    let causes = [flips[0], flips[1]].map(|flip| flip.cause(&controller));
    assert_eq!(
        causes,
        [
            Some(FlipCause::ControllerStale),
            Some(FlipCause::HeartbeatLost)
        ]
    );
}

#[test]
fn a_status_post_on_a_node_with_a_lease_notes_the_age_of_the_lease() {
    let (mut fleet, mut agent) = steady();
    agent.status(1204.0);
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    let gap = fleet.history(NODE).expect("it reported").long_gaps()[0];
    assert_eq!(gap.since_lease, Some(s(4.0)));
}

#[test]
fn a_gap_notes_the_status_posts_since_the_lease() {
    let (mut fleet, mut agent) = steady();
    for at in [1203.0, 1204.0, 1207.5] {
        agent.status(at);
    }
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    let gap = fleet.history(NODE).expect("it reported").long_gaps()[0];
    assert_eq!(gap.since_lease, Some(s(7.5)));
    assert!(gap.earlier_posts.ages().eq([s(3.5), s(4.5)]));
}

#[test]
fn a_century_between_two_heartbeats_is_no_gap() {
    let (mut fleet, mut agent) = steady();
    let century = 1200.0 + 3.15e9;
    agent.lease(century);
    agent.lease(century + 10.0);
    agent.send(&mut fleet, century + 10.0);
    let figures = figures(&fleet, century + 10.0);
    assert_eq!(longest_gap(&figures), s(10.0));
    assert_eq!(figures.observation.unmeasured_gaps, 1);
    assert!(figures.observation.measured < s(1000.0));
}

#[test]
fn without_a_lease_the_status_posts_alone_are_the_gaps() {
    let (mut fleet, mut agent) = (fleet(), Agent::without_lease("boot-1", 990.0));
    for beat in 0..4 {
        agent.status(1000.0 + 30.0 * f64::from(beat));
    }
    agent.send(&mut fleet, 1090.0);
    let gaps = fleet.history(NODE).expect("it reported").long_gaps();
    assert_eq!(gaps.len(), 3);
    assert!(gaps.iter().all(|gap| gap.since_lease.is_none()));
}

#[test]
fn a_stamp_that_steps_backward_gives_no_period_and_the_gap_stays_right() {
    let (mut fleet, mut agent) = steady();
    agent.baseline(Channel::Lease, 5000.0, 999);
    agent.lease(1210.0);
    agent.lease(1220.0);
    agent.send(&mut fleet, 1220.0);
    let figures = figures(&fleet, 1220.0);
    assert_eq!(figures.channels[0].period.count, 21);
    assert_eq!(longest_gap(&figures), s(10.0));
}

/// Opens or ends a stream of an agent.
fn stream(fleet: &mut Fleet, agent: &Agent, open: bool, at: f64) {
    let (node, agent) = (NODE.into(), agent.id());
    let event = if open {
        Event::Connected { node, agent }
    } else {
        Event::Disconnected { node, agent }
    };
    fleet.apply(event, now(at));
}

#[test]
fn an_agent_whose_short_lived_successor_left_is_heard_again() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 1000.0));
    stream(&mut fleet, &agent, true, 1000.0);
    agent.lease(1010.0);
    agent.send(&mut fleet, 1010.0);

    let second = Agent::new("boot-1", 1012.0);
    stream(&mut fleet, &second, true, 1012.0);
    agent.lease(1020.0);
    assert_eq!(
        agent.send(&mut fleet, 1020.0).accepted,
        0,
        "the successor is there"
    );
    stream(&mut fleet, &second, false, 1025.0);

    for beat in 3..6 {
        let at = 1000.0 + 10.0 * f64::from(beat);
        agent.lease(at);
        assert_eq!(agent.send(&mut fleet, at).accepted, 1);
    }
    let found = figures(&fleet, 1050.0);
    assert_eq!(found.channels[0].heartbeats, 4);
    assert!(found.observation.connected);
    assert!(found.running_gap.is_some());
}

#[test]
fn the_silence_of_an_agent_that_left_is_no_gap_of_the_kubelet() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 1000.0));
    stream(&mut fleet, &agent, true, 1000.0);
    for beat in 1..100 {
        agent.lease(1000.0 + 10.0 * f64::from(beat));
    }
    agent.send(&mut fleet, 1990.0);
    assert!(figures(&fleet, 2020.0).running_gap.is_some());
    stream(&mut fleet, &agent, false, 2020.0);
    let found = figures(&fleet, 2020.0);
    assert_eq!(found.running_gap, None);
    assert_ne!(found.verdict.state, State::Overdue);
    stream(&mut fleet, &agent, true, 2021.0);
    assert!(figures(&fleet, 2021.0).running_gap.is_some());
}

#[test]
fn a_lease_that_was_deleted_while_no_agent_ran_leaves_one_gap_unmeasured_and_not_all() {
    let (mut fleet, _) = steady();
    let mut agent = Agent::without_lease("boot-1", 1290.0);
    agent.baseline(Channel::NodeStatus, 1291.0, 500);
    for at in [1300.0, 1310.0, 1320.0] {
        agent.status(at);
        agent.send(&mut fleet, at);
    }
    assert_eq!(gaps(&figures(&fleet, 1320.0)), (22, 1));
}
