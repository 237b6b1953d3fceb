//! Replaying other grace periods, and recommending one.

use nodegrace_core::{
    ConditionStatus, Config, Fleet,
    controller::ControllerSettings,
    infer_fleet_grace, infer_grace,
    recommend::{
        Goal, LiveSettings, Outcome, Recommendation, SettingsText, Shortage, check, recommend,
    },
    what_if::{Basis, Candidate, WhatIf, simulate},
};

use crate::kit::{Agent, config, fleet, now, s};

/// A fleet of one node with these gaps, repeated `times`.
fn with_gaps(gaps: &[f64], times: usize) -> Fleet {
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
fn with_a_tail(rounds: u32) -> Fleet {
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

fn ask(fleet: &Fleet, grace: f64) -> WhatIf {
    let mut answers =
        simulate(fleet, &[candidate(grace)], |_| Some(30)).expect("a controller's setting");
    answers.remove(0)
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
    assert!((what_if.saved_per_day.seconds() / gaps - saved).abs() < 1e-4);
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
fn of_two_kinds() -> Fleet {
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
fn a_grace_period_whose_replay_misses_the_goal_is_not_recommended() {
    let fleet = of_two_kinds();
    let goal = Goal {
        flips_per_node_day: 4.0,
    };
    let recommendation = recommend(&fleet, goal, &LiveSettings::default()).expect("settings");
    let found = recommendation.recommended.expect("within reach");
    assert_eq!(found.candidate.grace_period, s(100.0));
    // Nothing that was seen vouches for a lower rate: the nine are no part of the others' tail.
    let low = recommend(&fleet, Goal::default(), &LiveSettings::default()).expect("settings");
    assert!(matches!(low.shortage, Some(Shortage::NotEnoughData { .. })));
}

#[test]
fn a_candidate_that_is_no_setting_is_refused() {
    assert!(simulate(&fleet(), &[candidate(0.0)], |_| None).is_err());
}

#[test]
fn the_recommended_grace_period_is_the_smallest_that_meets_the_goal() {
    let fleet = with_a_tail(2000);
    let goal = Goal {
        flips_per_node_day: 0.01,
    };
    let recommendation = recommend(&fleet, goal, &LiveSettings::default()).expect("settings");
    let found = recommendation.recommended.expect("within reach");
    let rate = |grace: f64| ask(&fleet, grace).estimate().expect("measured").per_day;
    let grace = found.candidate.grace_period.as_secs_f64();
    assert!(rate(grace) <= 0.01, "{grace}");
    assert!(rate(grace - 5.0) > 0.01, "{grace}");
    let safe = recommendation.safe.expect("within reach").candidate;
    assert!(safe.grace_period >= found.candidate.grace_period);
    let flag = format!("--node-monitor-grace-period={grace}s\n");
    assert_eq!(recommendation.settings[0].text, flag);
}

#[test]
fn a_grace_period_that_the_gaps_allow_is_raised_to_what_the_settings_need() {
    let fleet = with_a_tail(2000);
    let goal = Goal {
        flips_per_node_day: 50.0,
    };
    let live = LiveSettings {
        lease_duration: Some(s(40.0)),
        ..LiveSettings::default()
    };
    let recommendation = recommend(&fleet, goal, &live).expect("settings");
    let grace = recommendation
        .recommended
        .expect("within reach")
        .candidate
        .grace_period;
    assert_eq!(grace, s(50.0));
    assert!(
        recommendation
            .checks
            .iter()
            .all(|check| check.outcome != Outcome::Fails)
    );
}

/// What is recommended to a fleet whose gaps allow 10 s and whose kubelets are set like this.
fn recommended_for(live: &LiveSettings) -> Recommendation {
    let goal = Goal {
        flips_per_node_day: 1000.0,
    };
    recommend(&with_a_tail(2000), goal, live).expect("settings")
}

#[test]
fn a_lease_that_asks_for_more_than_five_minutes_is_mended_at_the_kubelet() {
    for lease in [600.0, 1e9] {
        let recommendation = recommended_for(&LiveSettings {
            lease_duration: Some(s(lease)),
            ..LiveSettings::default()
        });
        let grace = recommendation.recommended.expect("within reach").candidate;
        // More than the 45 s after which a dead connection is noticed, which no kubelet's setting changes.
        assert_eq!(grace.grace_period, s(50.0));
        assert_eq!(recommendation.raised_from, Some(s(10.0)));
        assert_eq!(recommendation.checks[0].outcome, Outcome::Fails);
        let kubelet = recommendation.settings.last().expect("a text");
        assert!(kubelet.text.ends_with("nodeLeaseDurationSeconds: 47\n"));
    }
}

#[test]
fn renewals_too_slow_for_any_lease_are_a_matter_of_the_api_server() {
    for round_trip in [12.0, 14.0] {
        let live = LiveSettings {
            lease_duration: Some(s(400.0)),
            round_trip: Some(s(round_trip)),
            ..LiveSettings::default()
        };
        let recommendation = recommended_for(&live);
        let mut texts = recommendation
            .settings
            .iter()
            .map(|settings| &settings.text);
        assert!(texts.all(|text| !text.contains("nodeLeaseDurationSeconds")));
        assert!(recommendation.checks[0].reason.contains("API server"));
    }
}

#[test]
fn kubeadm_gets_its_text_in_both_versions() {
    let texts = recommended_for(&LiveSettings::default()).settings;
    let ends = |text: &SettingsText, end: &str| text.text.ends_with(end);
    assert!(ends(
        &texts[1],
        "- name: node-monitor-grace-period\n      value: 50s\n"
    ));
    assert!(ends(
        &texts[2],
        "extraArgs:\n    node-monitor-grace-period: 50s\n"
    ));
    assert!(texts[2].text.contains("kubeadm.k8s.io/v1beta3"));
}

#[test]
fn too_little_data_recommends_nothing_and_says_how_much_is_missing() {
    let fleet = with_gaps(&[10.0], 1000);
    let recommendation =
        recommend(&fleet, Goal::default(), &LiveSettings::default()).expect("settings");
    assert_eq!(recommendation.recommended, None);
    let Some(Shortage::NotEnoughData { observed, needed }) = recommendation.shortage else {
        panic!("{:?}", recommendation.shortage);
    };
    assert_eq!(observed, s(10_000.0));
    assert_eq!(needed.as_secs() / 86_400, 90_000);
    let observed_days = 10_000.0 / 86_400.0;
    let reach = recommendation.reach.expect("gaps were observed");
    assert!((reach * observed_days - 30_000.0).abs() < 1e-6);
    let empty = recommend(
        &fleet_without_gaps(),
        Goal::default(),
        &LiveSettings::default(),
    );
    assert_eq!(
        empty.expect("settings").shortage,
        Some(Shortage::NothingMeasured)
    );
}

fn fleet_without_gaps() -> Fleet {
    Fleet::new(Config::default()).expect("a controller")
}

#[test]
fn gaps_longer_than_any_grace_period_put_the_goal_out_of_reach() {
    let fleet = with_gaps(&[10.0, 400.0], 50);
    let recommendation =
        recommend(&fleet, Goal::default(), &LiveSettings::default()).expect("settings");
    assert_eq!(
        recommendation.shortage,
        Some(Shortage::OutOfReach { longest: s(300.0) })
    );
}

#[test]
fn the_defaults_of_1_31_fail_the_checks_that_made_1_32_change_them() {
    let live = LiveSettings {
        lease_duration: Some(s(40.0)),
        status_report_frequency: Some(s(300.0)),
        round_trip: Some(s(0.02)),
    };
    let outcomes = |grace| {
        let settings = ControllerSettings::default().with_periods(s(grace), s(5.0));
        check(&settings, &live)
            .iter()
            .map(|check| check.outcome)
            .collect::<Vec<_>>()
    };
    let [holds, fails] = [Outcome::Holds, Outcome::Fails];
    assert_eq!(outcomes(40.0), [fails, fails, holds, holds]);
    assert_eq!(outcomes(50.0), [holds, holds, holds, holds]);
    let unknown = check(&ControllerSettings::default(), &LiveSettings::default());
    assert_eq!(unknown[0].outcome, Outcome::Unknown);
}

#[test]
fn a_lease_renewed_too_seldom_gets_a_shorter_duration_to_paste() {
    let live = LiveSettings {
        lease_duration: Some(s(100.0)),
        status_report_frequency: Some(s(600.0)),
        round_trip: None,
    };
    let fleet = with_gaps(&[10.0], 100);
    let recommendation = recommend(&fleet, Goal::default(), &live).expect("settings");
    let [kubelet] = &recommendation.settings[..] else {
        panic!("only the kubelet's: {:?}", recommendation.settings);
    };
    assert_eq!(
        kubelet.text,
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
         nodeLeaseDurationSeconds: 38\nnodeStatusReportFrequency: 5m\n"
    );
}

#[test]
fn the_grace_period_is_inferred_from_the_trials_within_half_a_monitor_period() {
    for file in ["lease", "status", "lease-busy-controller"] {
        let delays: Vec<_> = crate::trials::read(file)
            .iter()
            .filter_map(|trial| trial.flipped_after)
            .collect();
        let inferred = infer_grace(&config().controller, &delays).expect("flips");
        println!("{file}: {inferred:?}");
        assert!(
            inferred.effective.abs_diff(s(40.0)) < s(2.5),
            "{inferred:?}"
        );
        assert!(!inferred.contradicts_settings);
    }
}

#[test]
fn flips_that_contradict_the_flag_are_noticed() {
    let mut fleet = fleet();
    let mut agent = Agent::new("boot-1", 990.0);
    agent.ready(ConditionStatus::True, 1000.0);
    for round in 0..8 {
        let at = 1000.0 + 100.0 * f64::from(round);
        agent.lease(at);
        agent.ready(ConditionStatus::Unknown, at + 50.3 + 0.6 * f64::from(round));
        agent.ready(ConditionStatus::True, at + 60.0);
    }
    agent.send(&mut fleet, 1800.0);
    let inferred = infer_fleet_grace(&fleet).expect("flips");
    assert!(inferred.contradicts_settings);
    assert!(
        inferred.effective.abs_diff(s(50.0)) < s(2.5),
        "{inferred:?}"
    );
}

#[test]
fn a_few_flips_of_a_slow_controller_do_not_contradict_its_grace_period() {
    let settings = config().controller;
    let grace = settings.effective_grace(settings.pass.shortest);
    for flips in 1..=5 {
        // Passes take 1.5 s longer than is known: delays reach from G' to 6.5 s above it, evenly. 200 samples, by steps of the
        // golden ratio.
        let mut delays = (0..).map(|step| grace + s(6.5 * (f64::from(step) * 0.618_034).fract()));
        let warned = (0..200).filter(|_| {
            let delays: Vec<_> = delays.by_ref().take(flips).collect();
            infer_grace(&settings, &delays)
                .expect("flips")
                .contradicts_settings
        });
        let warned = warned.count();
        assert!(warned <= 2, "{warned} of 200 with {flips} flips");
    }
    let of_1_32 = infer_grace(&settings, &[s(52.0)]).expect("a flip");
    assert!(of_1_32.contradicts_settings);
}
