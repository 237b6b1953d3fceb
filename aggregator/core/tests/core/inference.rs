//! The grace period that flips point to.

use nodegrace_core::{ConditionStatus, infer_fleet_grace, infer_grace};

use crate::kit::{Agent, config, fleet, s};

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
