//! What tells a stale controller from one whose grace period is not what the flag says.

use nodegrace_core::{ConditionStatus, ControllerSettings, cluster::FlipRule};

use crate::kit::{Agent, config, fleet, s};

/// An agent that sees so many rounds of ten heartbeats, each followed by a flip after the delay of that round.
fn flips(delays: impl Iterator<Item = f64>) -> FlipRule {
    let mut fleet = fleet();
    let mut agent = Agent::new("boot-1", 990.0);
    agent.ready(ConditionStatus::True, 1000.0);
    let mut at = 1000.0;
    for delay in delays {
        for _ in 0..10 {
            agent.lease(at);
            at += 10.2;
        }
        agent.lease(at);
        agent.ready(ConditionStatus::Unknown, at + delay);
        at += delay.max(10.2) + 2.0;
        agent.lease(at);
        agent.ready(ConditionStatus::True, at);
        at += 10.0;
    }
    agent.send(&mut fleet, at);
    FlipRule::learn(&fleet)
}

#[test]
fn a_grace_period_shorter_than_the_flag_says_makes_no_stale_controller() {
    // The flag says 40 s, the controller waits for 30.
    assert_eq!(config().controller.grace_period, s(40.0));
    let rule = flips((0..8).map(|round| 30.1 + 0.6 * f64::from(round)));
    assert!(!rule.is_too_soon(s(31.0)), "{rule:?}");
    assert!(
        rule.is_too_soon(s(3.0)),
        "that is none of any grace period's"
    );
}

#[test]
fn a_stale_controllers_flips_are_told_though_they_are_the_only_ones() {
    let rule = flips([8.5, 6.5, 9.0].into_iter());
    assert!(
        rule.is_too_soon(s(9.0)),
        "every healthy node would flip all the time: {rule:?}"
    );
}

#[test]
fn a_stale_flip_among_those_of_a_wrong_flag_is_told_all_the_same() {
    let rule = flips((0..8).map(|round| {
        if round == 3 {
            4.0
        } else {
            30.1 + 0.6 * f64::from(round)
        }
    }));
    assert!(
        rule.is_too_soon(s(4.0)) && !rule.is_too_soon(s(31.0)),
        "{rule:?}"
    );
}

#[test]
fn a_flip_a_moment_sooner_than_the_grace_period_is_the_rules_own() {
    let rule = FlipRule::new(ControllerSettings::default().with_periods(s(40.0), s(5.0)));
    assert!(!rule.is_too_soon(s(39.2)) && rule.is_too_soon(s(38.0)));
    let live = ControllerSettings {
        live_lease_read: true,
        ..*rule.settings()
    };
    assert!(
        !FlipRule::new(live).is_too_soon(s(3.0)),
        "from 1.37 on it looks before it leaps"
    );
}
