//! The state of a node and the reason given for it.

use nodegrace_core::{
    ConditionStatus, Event, Fleet, State,
    event::{Channel, Visibility},
};

use crate::kit::{Agent, NODE, config, figures, fleet, now, s};

/// A fleet whose node has beaten with these gaps, repeated `times`; and its agent, and the time of the last beat.
fn beating(gaps: &[f64], times: usize) -> (Fleet, Agent, f64) {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    let mut at = 1000.0;
    agent.ready(ConditionStatus::True, at);
    agent.lease(at);
    for _ in 0..times {
        for gap in gaps {
            at += gap;
            agent.lease(at);
        }
    }
    agent.send(&mut fleet, at);
    (fleet, agent, at)
}

fn verdict(fleet: &Fleet, at: f64) -> (State, String) {
    let verdict = figures(fleet, at).verdict;
    (verdict.state, verdict.reason)
}

#[test]
fn a_healthy_node_is_ok_and_says_how_much_room_it_has() {
    let (fleet, _, at) = beating(&[10.0, 10.1, 10.3], 100);
    let (state, reason) = verdict(&fleet, at + 5.0);
    assert_eq!(state, State::Ok);
    assert_eq!(
        reason,
        "p99 gap 10.3 s leaves 29.7 s of the 40 s grace period"
    );
}

#[test]
fn a_node_whose_long_gaps_pass_half_of_the_grace_period_is_near() {
    let (fleet, _, at) = beating(&[10.0, 10.0, 38.2], 30);
    let (state, reason) = verdict(&fleet, at + 5.0);
    assert_eq!(state, State::Near);
    assert_eq!(
        reason,
        "p99 gap 38.2 s leaves 1.8 s of the 40 s grace period"
    );
}

#[test]
fn a_node_whose_gaps_pass_the_grace_period_is_flipping() {
    let mut gaps = vec![10.0; 999];
    gaps.push(42.0);
    let (fleet, _, at) = beating(&gaps, 1);
    let (state, reason) = verdict(&fleet, at + 5.0);
    assert_eq!(state, State::Flipping);
    assert_eq!(reason, "3.4 flips a day expected, from 2.8 h observed");
}

#[test]
fn a_flip_seen_within_a_day_is_flipping_whatever_is_expected() {
    let (mut fleet, mut agent, at) = beating(&[10.0], 100);
    agent.ready(ConditionStatus::Unknown, at + 1.0);
    agent.ready(ConditionStatus::True, at + 2.0);
    agent.lease(at + 10.0);
    agent.send(&mut fleet, at + 10.0);
    let (state, reason) = verdict(&fleet, at + 11.0);
    assert_eq!(state, State::Flipping);
    assert_eq!(reason, "flipped 10 s ago");
}

#[test]
fn few_gaps_are_too_few_to_judge() {
    let (fleet, _, at) = beating(&[10.0], 29);
    let (state, reason) = verdict(&fleet, at);
    assert_eq!(state, State::Learning);
    assert_eq!(reason, "29 of 30 gaps seen");
}

#[test]
fn a_trivial_excess_over_a_tight_distribution_is_not_overdue() {
    let (fleet, _, at) = beating(&[10.0], 200);
    assert_eq!(verdict(&fleet, at + 14.9).0, State::Ok);
    let (state, reason) = verdict(&fleet, at + 15.2);
    assert_eq!(state, State::Overdue);
    assert_eq!(reason, "silent for 15.2 s, usually 10 s between heartbeats");
}

#[test]
fn overdue_comes_at_least_one_monitor_period_before_the_controller_can_act() {
    let (mut fleet, mut agent, at) = beating(&[38.0], 40);
    agent.send(&mut fleet, at + 19.0);
    assert_eq!(verdict(&fleet, at + 20.0).0, State::Overdue);
    let running = figures(&fleet, at + 20.0).running_gap.expect("known");
    assert!(running.earliest_flip_in >= s(5.0));
    assert!(running.flip_probability.abs() < f64::EPSILON);
}

#[test]
fn a_running_gap_past_the_grace_period_says_how_likely_the_flip_is() {
    let (mut fleet, mut agent, at) = beating(&[10.0], 100);
    agent.send(&mut fleet, at + 42.0);
    let (state, reason) = verdict(&fleet, at + 42.52);
    assert_eq!(state, State::Overdue);
    assert_eq!(
        reason,
        "silent for 42.5 s, flipped by now with 50 % probability"
    );
}

#[test]
fn a_running_gap_says_how_gaps_that_lasted_as_long_have_ended() {
    let (mut fleet, mut agent, at) = beating(&[10.0, 10.0, 30.0, 50.0], 20);
    agent.send(&mut fleet, at);
    let at_end = |after: f64| {
        let running = figures(&fleet, at + after).running_gap.expect("known");
        running.flip_probability_at_end
    };
    assert!((at_end(5.0).expect("most did") - 0.25).abs() < 0.02);
    assert!((at_end(20.0).expect("some did") - 0.5).abs() < 1e-9);
    assert!((at_end(40.0).expect("some did") - 1.0).abs() < 1e-9);
    agent.send(&mut fleet, at + 51.0);
    assert_eq!(
        figures(&fleet, at + 51.0)
            .running_gap
            .expect("known")
            .flip_probability_at_end,
        None
    );
}

#[test]
fn a_node_that_is_not_ready_says_who_said_so() {
    let (mut fleet, mut agent, at) = beating(&[10.0], 100);
    agent.ready(ConditionStatus::False, at);
    agent.send(&mut fleet, at);
    let (state, reason) = verdict(&fleet, at);
    assert_eq!(state, State::NotReady);
    assert_eq!(reason, "the kubelet says it is not ready (SomeReason)");
}

#[test]
fn a_silent_or_blind_agent_makes_the_node_stale() {
    let (mut fleet, mut agent, at) = beating(&[10.0], 100);
    assert_eq!(
        verdict(&fleet, at + 46.0),
        (State::Stale, "no report for 46 s".into())
    );
    let blind = Visibility::Blind { since: s(at) };
    agent.view(Channel::NodeStatus, Some(blind));
    agent.send(&mut fleet, at + 46.0);
    let (state, reason) = verdict(&fleet, at + 46.0);
    assert_eq!(state, State::Stale);
    assert_eq!(reason, "the agent cannot see the Node");
}

#[test]
fn a_node_that_dies_with_its_agent_is_overdue_until_the_controller_has_acted() {
    let mut settings = config();
    settings.controller = settings.controller.with_periods(s(50.0), s(5.0));
    let mut fleet = Fleet::new(settings).expect("a controller");
    let mut agent = Agent::new("boot-1", 990.0);
    agent.ready(ConditionStatus::True, 1000.0);
    (0..=100_u32).for_each(|beat| agent.lease(1000.0 + 10.0 * f64::from(beat)));
    agent.send(&mut fleet, 2000.0);
    for (after, reason) in [
        (46.0, "silent for 46 s, can flip in 4 s, its agent too"),
        (
            52.53,
            "silent for 52.5 s, flipped by now with 50 % probability, its agent too",
        ),
    ] {
        assert_eq!(
            verdict(&fleet, 2000.0 + after),
            (State::Overdue, reason.into())
        );
    }
    assert_eq!(verdict(&fleet, 2056.0).0, State::Stale);
    assert_eq!(figures(&fleet, 2046.0).running_gap, None);
}

#[test]
fn a_connected_agent_that_reported_nothing_is_no_agent_yet() {
    let mut fleet = fleet();
    let agent = Agent::new("boot-1", 990.0).id();
    let node = NODE.into();
    fleet.apply(Event::Connected { node, agent }, now(1000.0));
    assert_eq!(verdict(&fleet, 1001.0).0, State::NoAgent);
    assert_eq!(fleet.figures(now(1001.0)).connected_agents, 1);
}

#[test]
fn a_node_silent_for_days_is_forgotten_unless_its_stream_is_open() {
    let (mut fleet, agent, at) = beating(&[10.0], 5);
    let (node, agent) = (std::sync::Arc::from(NODE), agent.id());
    let connected = Event::Connected {
        node: std::sync::Arc::clone(&node),
        agent: agent.clone(),
    };
    fleet.apply(connected, now(at));
    let days_later = now(at) + 4 * s(86_400.0);
    assert!(fleet.expire(days_later).is_empty());
    fleet.apply(Event::Disconnected { node, agent }, days_later);
    assert_eq!(fleet.expire(days_later), [NODE.into()]);
    assert!(fleet.node(NODE, days_later).is_none());
}
