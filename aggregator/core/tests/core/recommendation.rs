//! Recommending a grace period, and what to set with it.

use nodegrace_core::{
    Config, Fleet,
    controller::ControllerSettings,
    recommend::{
        Goal, LiveSettings, Outcome, Recommendation, SettingsText, Shortage, check, recommend,
    },
};

use crate::{
    kit::s,
    what_if::{ask, of_two_kinds, with_a_tail, with_gaps},
};

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
