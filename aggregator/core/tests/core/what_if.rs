//! Replaying other grace periods.

use nodegrace_core::{
    Event, ExpectedFlips, Fleet, Report, Risk,
    controller::Judge,
    what_if::{Basis, Candidate, WhatIf, simulate},
};
use proptest::prelude::*;

use crate::kit::{Agent, config, fleet, now, s};

/// A fleet of one node with these gaps, repeated `times`.
pub(crate) fn with_gaps(gaps: &[f64], times: usize) -> Fleet {
    let mut fleet = fleet();
    let mut agent = Agent::new("boot-1", 990.0);
    let mut at = 1000.0;
    agent.lease(at);
    for _ in 0..times {
        for gap in gaps {
            at += gap;
            agent.lease(at);
        }
    }
    agent.send(&mut fleet, at);
    fleet
}

/// Nine healthy gaps, and one whose length follows an exponential distribution with a mean of 4 s above 10 s.
pub(crate) fn with_a_tail(rounds: u32) -> Fleet {
    let gaps: Vec<f64> = (0..rounds)
        .flat_map(|round| {
            let share = (f64::from(round) + 0.5) / f64::from(rounds);
            let mut gaps = [10.0; 10];
            gaps[9] = 10.0 - 4.0 * (1.0 - share).ln();
            gaps
        })
        .collect();
    with_gaps(&gaps, 1)
}

fn candidate(grace: f64) -> Candidate {
    Candidate {
        grace_period: s(grace),
        monitor_period: s(5.0),
    }
}

pub(crate) fn ask(fleet: &Fleet, grace: f64) -> WhatIf {
    let mut answers =
        simulate(fleet, &[candidate(grace)], |_| Some(30)).expect("a controller's setting");
    answers.remove(0)
}

/// Gaps of some nodes, with status posts among the heartbeats where the second part is true.
fn many_nodes() -> impl Strategy<Value = Fleet> {
    let gaps = prop::collection::vec(
        (prop_oneof![9.0..12.0_f64, 15.0..90.0_f64], any::<bool>()),
        1..150,
    );
    prop::collection::vec(gaps, 1..6).prop_map(|nodes| {
        let mut fleet = fleet();
        for (node, gaps) in nodes.iter().enumerate() {
            let (mut agent, mut at) = (Agent::new("boot-1", 990.0), 1000.0);
            agent.lease(at);
            for (gap, status) in gaps {
                at += gap;
                if *status {
                    agent.status(at);
                } else {
                    agent.lease(at);
                }
            }
            let Event::Report(report) = agent.batch(at) else {
                unreachable!("a batch is a report")
            };
            let report = Report {
                node: format!("node-{node}").into(),
                ..report
            };
            fleet.apply(Event::Report(report), now(at));
        }
        fleet
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn candidates_judged_together_are_told_what_each_is_told_by_itself(
        fleet in many_nodes(),
        candidates in prop::collection::vec((10.0..80.0_f64, any::<bool>(), any::<bool>()), 1..12),
    ) {
        let candidates: Vec<Candidate> = candidates
            .into_iter()
            .map(|(grace, whole, often)| Candidate {
                grace_period: s(if whole { grace.round() } else { grace }),
                monitor_period: s(if often { 3.0 } else { 5.0 }),
            })
            .collect();
        let together = simulate(&fleet, &candidates, |_| Some(30)).expect("settings");
        for (candidate, outcome) in candidates.iter().zip(&together) {
            let alone = simulate(&fleet, &[*candidate], |_| Some(30)).expect("a setting");
            prop_assert_eq!(outcome, &alone[0]);
            let settings = config().controller.with_periods(candidate.grace_period, candidate.monitor_period);
            let judge = Judge::new(settings);
            // To the digit what every node says by itself.
            let risk = fleet.risk(&judge);
            prop_assert_eq!(outcome.flips, risk.per_fleet(fleet.measured_nodes()));
            prop_assert_eq!(outcome.sketched_ratio.to_bits(), risk.sketched_ratio().to_bits());
            let mut own: Vec<_> = fleet
                .histories()
                .map(|node| (node.name().clone(), Risk::of(node.gaps(), &judge)))
                .filter(|(_, risk)| risk.expected() > 0.0)
                .map(|(name, risk)| (name, risk.per_node()))
                .collect();
            own.sort_by(|(_, one), (_, other)| {
                let rate = |flips: &Option<ExpectedFlips>| flips.expect("observed").per_day;
                rate(other).total_cmp(&rate(one))
            });
            let affected: Vec<_> = outcome.affected.iter().map(|node| (node.name.clone(), node.flips())).collect();
            prop_assert_eq!(affected, own);
        }
    }
}

#[test]
fn what_if_at_the_present_grace_period_is_the_live_figure() {
    let fleet = with_gaps(&[10.0, 10.0, 43.0, 12.0, 41.0], 40);
    let live = fleet.figures(now(9000.0)).expected_flips.expect("measured");
    assert_eq!(ask(&fleet, 40.0).flips, Some(live));
}

#[test]
fn a_shorter_grace_period_flips_more_and_a_longer_one_less() {
    let fleet = with_gaps(&[10.0, 10.0, 43.0, 12.0, 41.0], 40);
    let rates = [20.0, 30.0, 40.0, 45.0].map(|grace| ask(&fleet, grace).flips.expect("measured"));
    assert!(
        rates
            .windows(2)
            .all(|pair| pair[0].per_day >= pair[1].per_day)
    );
    assert!((rates[0].expected - 80.0).abs() < 1e-9);
    assert_eq!(rates[3].risky_gaps, 0);
}

#[test]
fn the_cost_and_the_gain_of_a_grace_period_are_told() {
    let fleet = with_gaps(&[10.0, 60.0], 100);
    let what_if = ask(&fleet, 55.0);
    // Every 70 s a gap of 60 s. Looks come every 5.0025 s. At 40 s the node is gone from 42.52125 s on, on average. At 55 s
    // the flip comes evenly from 55.0275 s on, and (60 - 55.0275)^2 / 2 / 5.0025 = 2.47134 s are left after it.
    let gaps = 86_400.0 / 70.0;
    let saved = 60.0 - 42.52125 - 2.47134;
    let told = what_if.saved_per_day.expect("measured").seconds();
    assert!((told / gaps - saved).abs() < 1e-4);
    assert_eq!(what_if.affected.len(), 1);
    let flips = what_if.flips.expect("measured").per_day;
    let pods = what_if.lost_pods_per_day.expect("known");
    assert!((pods / flips - 30.0).abs() < 1e-9);
    assert!((what_if.mean_detection.as_secs_f64() - 57.53).abs() < 0.01);
}

#[test]
fn below_what_is_kept_exactly_the_sketch_answers_and_says_so() {
    let mut settings = config();
    settings.gaps.exact_above = s(30.0);
    let mut fleet = Fleet::new(settings).expect("a controller");
    let mut agent = Agent::new("boot-1", 990.0);
    (0..100_u32).for_each(|beat| agent.lease(1000.0 + 20.0 * f64::from(beat)));
    agent.send(&mut fleet, 3000.0);
    let what_if = ask(&fleet, 10.0);
    assert!((what_if.sketched_ratio - 1.0).abs() < 1e-9);
    assert!((what_if.flips.expect("measured").expected - 99.0).abs() < 1e-6);
}

#[test]
fn beyond_the_longest_gap_the_tail_is_extrapolated_and_marked() {
    let fleet = with_a_tail(2000);
    let replayed = ask(&fleet, 20.0);
    assert_eq!(
        replayed.estimate().expect("measured").basis,
        Basis::Replayed
    );
    let what_if = ask(&fleet, 55.0);
    let estimate = what_if.estimate().expect("measured");
    assert_eq!(estimate.basis, Basis::Extrapolated);
    assert!(what_if.extrapolated.expect("fitted").beyond_seen);
    assert_eq!(what_if.flips.expect("measured").risky_gaps, 0);
    // The truth: exp(-45/4) (1 - exp(-5/4)) 4/5 per round of 104 s.
    let truth = (-45.0_f64 / 4.0).exp() * (1.0 - (-5.0_f64 / 4.0).exp()) * 0.8 * 86_400.0 / 104.0;
    assert!(estimate.interval.contains(truth), "{truth} {estimate:?}");
}

/// Gaps of 15 to 20 s and nine of 98 s, such as a timeout makes them.
pub(crate) fn of_two_kinds() -> Fleet {
    let ordinary = (0..80).map(|gap| 15.0 + f64::from(gap) / 16.0);
    let rest = std::iter::repeat_n(10.0, 7000);
    with_gaps(
        &ordinary.chain([98.0; 9]).chain(rest).collect::<Vec<_>>(),
        1,
    )
}

#[test]
fn an_estimate_is_never_below_what_was_replayed() {
    for fleet in [of_two_kinds(), with_a_tail(40), with_a_tail(2000)] {
        for grace in 2..30 {
            let what_if = ask(&fleet, f64::from(grace) * 5.0);
            let estimate = what_if.estimate().expect("measured");
            let replayed = what_if.flips.expect("measured").per_day;
            assert!(estimate.per_day >= replayed, "{grace}: {estimate:?}");
            assert!(estimate.interval.upper >= replayed, "{grace}: {estimate:?}");
        }
    }
}

#[test]
fn a_candidate_that_is_no_setting_is_refused() {
    assert!(simulate(&fleet(), &[candidate(0.0)], |_| None).is_err());
}
