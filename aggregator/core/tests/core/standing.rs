//! How a node stands: the same as its figures say, for as long as it says that it holds.

use std::time::Duration;

use nodegrace_core::{Event, Fleet, GapStart, NodeHistory, Standing, State};
use proptest::prelude::*;

use crate::{
    kit::{Agent, NODE, config, fleet, now, s},
    restart::{live, steps},
};

/// What a watch is told of.
fn pulse(standing: &Standing, fleet: &Fleet, at: Duration) -> (State, Option<bool>) {
    let config = fleet.config();
    (
        standing.state(config, at),
        standing.can_be_flipped(config, at),
    )
}

fn history(fleet: &Fleet) -> &NodeHistory {
    fleet.history(NODE).expect("it reported")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_says_what_the_figures_say_and_holds_for_as_long_as_it_says(
        steps in steps(),
        connected in any::<bool>(),
        pauses in prop::collection::vec(prop_oneof![0.0..12.0_f64, 0.0..400_000.0_f64], 1..12),
    ) {
        let (mut fleet, _, at) = live(&steps, &[false]);
        if connected {
            let agent = history(&fleet).agent().expect("it reported").clone();
            fleet.apply(Event::Connected { node: NODE.into(), agent }, now(at));
        }
        let standing = Standing::of(history(&fleet), fleet.config());
        let mut at = now(at);
        for pause in pauses {
            let figures = fleet.node(NODE, at).expect("known");
            prop_assert_eq!(standing.risk(fleet.config(), at), figures.risk());
            prop_assert_eq!(standing.margin(fleet.config()), figures.margin);
            prop_assert_eq!(standing.flips_per_day(), figures.expected_flips.map(|flips| flips.per_day));
            let running = figures.running_gap;
            prop_assert_eq!(standing.running_gap(fleet.config(), at), running.map(|gap| gap.duration));
            let told = (figures.verdict.state, running.map(|gap| gap.earliest_flip_in.is_zero()));
            prop_assert_eq!(pulse(&standing, &fleet, at), told);
            prop_assert_eq!(standing.is_gone(at), !fleet.clone().expire(at).is_empty());

            let until = standing.holds_until(fleet.config(), at).unwrap_or(Duration::MAX);
            let next = at + s(pause);
            let last = next.min(until - Duration::from_nanos(1));
            prop_assert_eq!(pulse(&standing, &fleet, last), told);
            prop_assert_eq!(standing.is_gone(last), standing.is_gone(at));
            at = next;
        }
    }

    #[test]
    fn renewed_after_every_event_it_is_that_of_a_node_looked_at_for_the_first_time(steps in steps()) {
        let mut renewed: Option<Standing> = None;
        for until in (1..=steps.len()).filter(|until| until % 7 == 0) {
            let (fleet, _, _) = live(&steps[..until], &[false]);
            let first = Standing::of(history(&fleet), fleet.config());
            let again = renewed.map_or(first, |before| before.renewed(history(&fleet), fleet.config()));
            prop_assert_eq!(again, first);
            renewed = Some(again);
        }
    }
}

#[test]
fn a_node_that_vanished_is_stale_for_good_once_the_controller_has_surely_acted() {
    let mut fleet = fleet();
    let mut agent = Agent::new("boot-1", 990.0);
    for beat in 0..40 {
        agent.lease(1000.0 + 10.0 * f64::from(beat));
    }
    agent.send(&mut fleet, 1390.0);
    let (standing, config) = (Standing::of(history(&fleet), fleet.config()), config());
    let latest = config.controller.latest_flip(GapStart::Once);
    let moments = (0..2000).map(|step| now(1390.0) + latest + s(0.317 * f64::from(step)));
    let mut stale = moments.map(|at| standing.state(&config, at));
    assert!(stale.all(|state| state == State::Stale));
}
