//! Whole fleets at random: what-if against the gaps themselves.

use nodegrace_core::{
    Event, Fleet, GapStart,
    what_if::{AffectedNode, Candidate, simulate},
};
use proptest::prelude::*;

use crate::kit::{Agent, config, now, s};

/// Gaps kept exactly for one node; the others of a node are known within the sketch's error.
const KEPT: usize = 5;
/// Somewhat above the sketch's relative error.
const ERROR: f64 = 0.006;

/// A fleet of nodes with these gaps.
fn fleet_of(nodes: &[Vec<f64>]) -> Fleet {
    let mut settings = config();
    settings.gaps.most = KEPT;
    let mut fleet = Fleet::new(settings).expect("a controller");
    for (number, gaps) in nodes.iter().enumerate() {
        let mut agent = Agent::new("boot-1", 990.0);
        let mut at = 1000.0;
        agent.lease(at);
        for gap in gaps {
            at += gap;
            agent.lease(at);
        }
        let Event::Report(mut report) = agent.batch(at) else {
            panic!("a batch is a report");
        };
        report.node = format!("node-{number}").into();
        fleet.apply(Event::Report(report), now(at));
    }
    fleet
}

#[test]
fn a_node_is_counted_when_only_an_earlier_run_of_its_agent_was_heard() {
    let mut fleet = Fleet::new(config()).expect("a controller");
    let mut earlier = Agent::new("boot-1", 990.0);
    earlier.lease(1000.0);
    earlier.replay(&mut fleet, 1000.0, 1100.0);
    let figures = fleet.figures(now(1100.0));
    let in_some_state: u64 = figures.states.iter().map(|(_, nodes)| nodes).sum();
    assert_eq!((figures.nodes, in_some_state), (1, 1));
}

proptest! {
    #[test]
    fn what_if_is_the_sum_over_all_gaps_of_all_nodes(
        nodes in prop::collection::vec(prop::collection::vec(1.0..80.0_f64, 1..30), 1..8),
        polls in 2_u32..16,
    ) {
        let fleet = fleet_of(&nodes);
        let candidate = Candidate { grace_period: polls * s(5.0), monitor_period: s(5.0) };
        let settings = config().controller.with_periods(candidate.grace_period, s(5.0));
        let sum = |factor: f64| {
            let gaps = nodes.iter().flatten().map(|gap| s(gap * factor));
            gaps.map(|gap| settings.flip_probability(gap, GapStart::Once)).sum::<f64>()
        };
        let what_if = simulate(&fleet, &[candidate], |_| None).expect("a setting").remove(0);
        let flips = what_if.flips.expect("gaps were measured");
        // Where nothing had to make room every gap counts as it is.
        let dropped = nodes.iter().any(|gaps| gaps.len() > KEPT) || polls < 3;
        let error = if dropped { ERROR } else { 0.0 };
        prop_assert!(flips.expected >= sum(1.0 - error) - 1e-6, "{flips:?} {}", sum(1.0));
        prop_assert!(flips.expected <= sum(1.0 + error) + 1e-6, "{flips:?} {}", sum(1.0));
        let per_node: f64 = what_if.affected.iter().filter_map(AffectedNode::flips).map(|flips| flips.expected).sum();
        prop_assert!((per_node - flips.expected).abs() < 1e-9);
        let days = nodes.iter().flatten().sum::<f64>() / 86_400.0;
        let per_day = flips.expected * nodes.len() as f64 / days;
        prop_assert!((flips.per_day / per_day - 1.0).abs() < 1e-6 || per_day == 0.0);
        let observed = flips.observed.as_secs_f64() / 86_400.0;
        prop_assert!((observed - days).abs() < 1e-9);
        if candidate.grace_period == config().controller.grace_period {
            prop_assert_eq!(fleet.figures(now(9000.0)).expected_flips, Some(flips));
        }
    }
}
