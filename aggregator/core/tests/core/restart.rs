//! A history that is exported and imported answers as before, and what an earlier run of the agent left behind joins it.

use nodegrace_core::{Channel, ConditionStatus, Event, Fleet};
use proptest::prelude::*;

use crate::kit::{Agent, NODE, config, figures, fleet, now, s};

/// One thing that can happen to a node.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Lease(f64),
    Status(f64),
    Blind(f64),
    /// Neither channel is seen for so long; nothing is missed of it, or its end alone is seen.
    Outage(f64, bool),
    Count,
    Flip,
    Restart,
    Reboot,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1.0..60.0_f64).prop_map(Step::Lease),
        4 => (1.0..60.0_f64).prop_map(Step::Status),
        1 => (1.0..30.0_f64).prop_map(Step::Blind),
        1 => (20.0..90.0_f64, any::<bool>()).prop_map(|(length, resumed)| Step::Outage(length, resumed)),
        1 => Just(Step::Count),
        1 => Just(Step::Flip),
        1 => Just(Step::Restart),
        1 => Just(Step::Reboot),
    ];
    prop::collection::vec(step, 1..200)
}

/// Lets the steps happen to two fleets alike, and exports and imports the second before each step that `restarts` names.
pub(crate) fn live(steps: &[Step], restarts: &[bool]) -> (Fleet, Fleet, f64) {
    let (mut steady, mut restarted) = (fleet(), fleet());
    let (mut agent, mut at, mut boots) = (Agent::new("boot-0", 1000.0), 1000.0, 0);
    for (index, step) in steps.iter().enumerate() {
        if restarts[index % restarts.len()] {
            restarted = restart(&restarted);
        }
        at += 1.0;
        match step {
            Step::Lease(after) => {
                at += after;
                agent.lease(at);
            }
            Step::Status(after) => {
                at += after;
                agent.status(at);
            }
            Step::Blind(length) => {
                at += length;
                agent.blind(Channel::Lease, at - length, at, false);
            }
            Step::Outage(length, resumed) => {
                let since = at;
                at += length;
                for channel in Channel::ALL {
                    agent.blind(channel, since, at, *resumed);
                }
                agent.late_lease(at, length.min(7.0));
            }
            Step::Count => agent.count(at, (at * 0.1) as u64),
            Step::Flip => {
                agent.ready(ConditionStatus::Unknown, at);
                agent.ready(ConditionStatus::True, at);
            }
            Step::Restart | Step::Reboot => {
                boots += u32::from(matches!(step, Step::Reboot));
                let known = agent.resource_version();
                agent = Agent::new(&format!("boot-{boots}"), at);
                agent.baseline(Channel::Lease, at, known);
            }
        }
        let batch = agent.batch(at);
        for fleet in [&mut steady, &mut restarted] {
            fleet.apply(batch.clone(), now(at));
        }
    }
    (steady, restarted, at)
}

fn restart(fleet: &Fleet) -> Fleet {
    let mut restarted = Fleet::new(config()).expect("valid");
    for node in fleet.histories() {
        restarted.import(node.export());
    }
    restarted
}

proptest! {
    #[test]
    fn whatever_happened_the_answers_after_a_restart_are_the_same_to_the_digit(
        steps in steps(),
        restarts in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let (steady, restarted, at) = live(&steps, &restarts);
        for later in [0.0, 20.0, 100.0] {
            prop_assert_eq!(figures(&restarted, at + later), figures(&steady, at + later));
            prop_assert_eq!(restarted.figures(now(at + later)), steady.figures(now(at + later)));
        }
        let (left, right) = (steady.history(NODE).expect("known"), restarted.history(NODE).expect("known"));
        prop_assert_eq!(left.export(), right.export());
    }
}

#[test]
fn after_a_restart_no_agent_is_connected_until_it_comes_back() {
    let mut fleet = fleet();
    let mut agent = Agent::new("boot-1", 1000.0);
    fleet.apply(
        Event::Connected {
            node: NODE.into(),
            agent: agent.id(),
        },
        now(1000.0),
    );
    agent.lease(1010.0);
    agent.send(&mut fleet, 1010.0);
    assert!(figures(&fleet, 1010.0).observation.connected);
    assert!(!figures(&restart(&fleet), 1010.0).observation.connected);
}

#[test]
fn what_an_earlier_run_left_behind_joins_the_history_and_says_nothing_of_now() {
    let mut fleet = fleet();
    let mut old = Agent::new("boot-1", 1000.0);
    old.lease(1010.0);
    old.lease(1020.0);
    old.replay(&mut fleet, 1020.0, 1100.0);

    let found = figures(&fleet, 1100.0);
    assert_eq!(found.channels[0].heartbeats, 2);
    assert_eq!(found.observation.report_age, None);
    assert_eq!(found.running_gap, None);
    assert_eq!(found.channels[0].view, None);

    let mut young = Agent::new("boot-1", 1095.0);
    young.baseline(Channel::Lease, 1096.0, old.resource_version());
    young.lease(1100.0);
    young.send(&mut fleet, 1100.0);
    let found = figures(&fleet, 1100.0);
    assert_eq!(found.channels[0].heartbeats, 3);
    assert_eq!(
        found.gap.spread.expect("gaps").max,
        s(80.0),
        "across the restart"
    );
}

#[test]
fn a_flip_that_an_earlier_run_saw_is_dated_when_it_was_seen_and_not_when_it_is_told() {
    let mut fleet = fleet();
    let mut old = Agent::new("boot-1", 1000.0);
    old.lease(1010.0);
    old.send(&mut fleet, 1010.0);
    old.ready(ConditionStatus::Unknown, 1060.0);
    old.lease(1070.0);
    let applied = old.replay(&mut fleet, 1070.0, 2000.0);
    assert_eq!(applied.flips[0].at, now(1060.0));

    // Of another boot's time nothing is known but its own order.
    let mut other = Agent::new("boot-2", 10.0);
    other.ready(ConditionStatus::True, 15.0);
    other.ready(ConditionStatus::Unknown, 20.0);
    other.lease(50.0);
    let applied = other.replay(&mut fleet, 50.0, 3000.0);
    assert_eq!(applied.flips[0].at, now(2970.0));
}

#[test]
fn a_node_known_from_an_earlier_run_alone_is_not_forgotten_at_once() {
    let mut fleet = fleet();
    let mut old = Agent::new("boot-1", 1000.0);
    old.lease(1010.0);
    old.replay(&mut fleet, 1010.0, 1100.0);
    assert!(fleet.expire(now(1101.0)).is_empty());
}

#[test]
fn the_fleet_is_complete_from_its_first_record_or_from_its_latest_hole() {
    let mut fleet = fleet();
    assert_eq!(fleet.complete_since(), None);
    let mut agent = Agent::new("boot-1", 1000.0);
    agent.lease(1010.0);
    agent.send(&mut fleet, 1010.0);
    assert_eq!(fleet.complete_since(), Some(crate::kit::wall(1010.0)));

    let mut next = Agent::new("boot-1", 1100.0);
    next.skip_numbers(5);
    next.lease(1200.0);
    next.send(&mut fleet, 1200.0);
    assert_eq!(fleet.complete_since(), Some(crate::kit::wall(1200.0)));
    assert_eq!(fleet.figures(now(1200.0)).forgotten_records, 5);
}

#[test]
fn sending_any_batches_again_changes_nothing_but_the_count_of_duplicates() {
    let mut fleet = fleet();
    let mut agent = Agent::new("boot-1", 1000.0);
    let mut batches = Vec::new();
    for beat in 1..20 {
        let outage = if beat > 15 { 60.0 } else { 0.0 };
        let at = 1000.0 + f64::from(beat) * 10.0 + outage;
        agent.lease(at);
        if beat == 15 {
            agent.blind(Channel::Lease, at + 2.0, at + 60.0, true);
            agent.late_lease(at + 60.0, 6.0);
        }
        if beat == 10 {
            agent.view(Channel::NodeStatus, None);
        } else {
            agent.view(
                Channel::NodeStatus,
                Some(nodegrace_core::event::Visibility::Observed),
            );
        }
        let batch = agent.batch(at);
        fleet.apply(batch.clone(), now(at));
        batches.push(batch);
    }
    let export = |fleet: &Fleet| {
        let mut history = fleet.history(NODE).expect("known").export();
        history.counters.duplicate_records = 0;
        history
    };
    let before = export(&fleet);
    assert_eq!(before.gaps.uncounted.len(), 1);
    for prefix in 1..batches.len() {
        for batch in &batches[..prefix] {
            fleet.apply(batch.clone(), now(1300.0));
        }
        assert_eq!(export(&fleet), before, "the first {prefix}");
    }
}
