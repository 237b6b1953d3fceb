//! What an operator reads.

use nodegrace_core::cause::{Explanation, Figure};

use super::kit::{Host, first};

fn sentence(why: &Explanation) -> String {
    why.sentence(first(why))
}

#[test]
fn a_sentence_holds_the_numbers_that_count() {
    let trouble = [(Figure::Throttled, 0.9), (Figure::ThrottledPeriods, 0.96)];
    let why = Host::new().settle(30).late(34, &|_| trouble.to_vec());
    assert_eq!(
        sentence(&why),
        "The kubelet waited for a processor for 21.6 s of the 24.0 s that the heartbeat was late: \
         its cgroup was held back by its CPU quota 90 % of the time (usual: 0 %), \
         its cgroup ran out of its CPU quota in 96 % of the periods (usual: 0 %)."
    );
    let knobs = first(&why).knobs();
    assert!(knobs[0].setting.contains("quota"), "{knobs:?}");
}

#[test]
fn what_acts_on_a_starved_kubelet_depends_on_what_it_waits_for() {
    let knob = |figure| {
        let why = Host::new().settle(30).late(34, &|_| vec![(figure, 0.9)]);
        first(&why).knobs()[0].setting
    };
    assert!(knob(Figure::CpuSteal).contains("hypervisor"));
    assert!(knob(Figure::KubeletRunQueueWait).contains("CPUWeight"));
}

#[test]
fn what_is_not_known_says_of_what_nothing_was_recorded() {
    let why = Host::new().settle(30).late(34, &|_| Vec::new());
    assert_eq!(
        sentence(&why),
        "Not known: of the 24.0 s that the heartbeat was late, 24.0 s have no cause in what was recorded."
    );
    let why = Host::restricted().settle(30).late(34, &|_| Vec::new());
    assert!(sentence(&why).ends_with(
        "Nothing was recorded of the kubelet's process, its cgroup, pressure stalls, TCP counters."
    ));
    let why = Host::blindfolded().settle(30).late(34, &|_| Vec::new());
    assert!(sentence(&why).ends_with("no sample was taken."));
}

#[test]
fn a_habit_is_told_beside_what_the_settings_ask_for() {
    let host = Host::without_lease()
        .usually(Figure::RuntimeOperation, 6.0)
        .usually(Figure::RuntimeContainers, 180.0)
        .settle_every(30, 40);
    let habit = &host.history().habits()[0];
    let sentence = habit.sentence(&habit.causes[0]);
    assert!(
        sentence.contains("that each period is too long"),
        "{sentence}"
    );
    assert!(sentence.contains("took 6.0 s on average"), "{sentence}");
}

#[test]
fn memory_that_is_freer_than_usual_is_not_held_against_it_and_kills_are_told_by_their_number() {
    let told = |available| {
        let killed = |second| {
            let mut figures = vec![
                (Figure::PressureMemoryFull, 0.8),
                (Figure::MemoryAvailable, available),
            ];
            figures.extend((second == 15).then_some((Figure::OomKills, 1.0)));
            figures
        };
        let host = Host::new()
            .usually(Figure::MemoryAvailable, 0.6)
            .usually(Figure::OomKills, 0.0);
        sentence(&host.settle(30).late(34, &killed))
    };
    let freer = told(0.7);
    assert!(!freer.contains("available"), "{freer}");
    let tighter = told(0.04);
    assert!(
        tighter.contains("only 4 % of the memory was available"),
        "{tighter}"
    );
    assert!(
        tighter.contains("killed for want of memory: 1 in 24.0 s"),
        "{tighter}"
    );
}

#[test]
fn no_knob_is_told_to_limit_what_it_only_weighs() {
    let why = Host::new()
        .settle(30)
        .late(34, &|_| vec![(Figure::Throttled, 0.9)]);
    let knobs = first(&why).knobs();
    assert!(
        knobs
            .iter()
            .all(|knob| !knob.setting.contains("kubeReserved")),
        "{knobs:?}"
    );
}
