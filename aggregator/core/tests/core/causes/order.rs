//! Which of several causes comes first, and which next.

use nodegrace_core::cause::{CauseKind, Figure};

use super::{
    from,
    kit::{Host, first, kinds},
};

/// Figures that are so in the seconds after `start`, up to `end`.
fn between(start: u32, end: u32, figures: &[(Figure, f64)], second: u32) -> Vec<(Figure, f64)> {
    if (start + 1..=end).contains(&second) {
        figures.to_vec()
    } else {
        Vec::new()
    }
}

/// The first two causes of a heartbeat that is 40 s late, for 20 s because of the one and then of the other.
fn first_two(one: &[(Figure, f64)], other: &[(Figure, f64)]) -> Vec<CauseKind> {
    let why = Host::new().settle(30).late(50, &|second| {
        let mut figures = between(5, 30, one, second);
        figures.extend(between(30, 50, other, second));
        figures
    });
    let mut kinds = kinds(&why);
    kinds.truncate(2);
    kinds.sort_unstable();
    kinds
}

const SHORT_OF_MEMORY: &[(Figure, f64)] = &[
    (Figure::PressureMemoryFull, 0.7),
    (Figure::PressureMemorySome, 0.9),
    (Figure::PressureIoFull, 0.6),
    (Figure::PressureIoSome, 0.8),
    (Figure::KubeletWaitsForIo, 1.0),
    (Figure::KubeletRunQueueWait, 0.6),
];

#[test]
fn what_explains_other_seconds_comes_before_what_explains_the_same_ones_again() {
    let dead = [
        (Figure::ApiUnanswered, 1.0),
        (Figure::ApiPutTime, 1.0),
        (Figure::TcpTimeouts, 0.4),
    ];
    let starved = [(Figure::PressureCpuSome, 0.9)];
    assert_eq!(
        first_two(&dead, &starved),
        [CauseKind::CpuStarved, CauseKind::ConnectionLost],
        "and not the API server, of which the same requests speak"
    );
    let why = Host::new().settle(30).late(50, &|second| {
        let mut figures = dead.to_vec();
        figures.extend(between(40, 50, &starved, second));
        figures
    });
    assert_eq!(
        kinds(&why),
        [
            CauseKind::ConnectionLost,
            CauseKind::CpuStarved,
            CauseKind::ApiServerSlow
        ],
        "although no second is left that is not explained: {:?}",
        why.causes
    );
}

#[test]
fn few_requests_in_vain_on_a_network_in_trouble_are_no_mere_hint() {
    let why = Host::new().settle(30).late(50, &|second| {
        let mut figures = between(5, 40, &[(Figure::MachineSuspended, 1.0)], second);
        let lost = [(Figure::ApiUnanswered, 1.0), (Figure::TcpTimeouts, 1.0)];
        figures.extend(between(42, 50, &lost, second));
        figures
    });
    assert_eq!(
        kinds(&why)[..2],
        [CauseKind::NodePaused, CauseKind::ConnectionLost],
        "{:?}",
        why.causes
    );
}

#[test]
fn the_disk_and_the_processors_that_want_of_memory_keeps_busy_come_last() {
    let refused = [(Figure::ApiRefused, 0.6)];
    assert_eq!(
        first_two(SHORT_OF_MEMORY, &refused),
        [CauseKind::MemoryPressure, CauseKind::ApiServerSlow]
    );
    let mut host = Host::new().settle(30);
    host.delay = 10.0;
    let why = host.late(35, &|second| between(5, 25, SHORT_OF_MEMORY, second));
    assert_eq!(
        kinds(&why)[..2],
        [CauseKind::MemoryPressure, CauseKind::ApiServerSlow],
        "an answer that came late: {:?}",
        why.causes
    );
    let throttled = [(Figure::Throttled, 0.5)];
    assert_eq!(
        first_two(SHORT_OF_MEMORY, &throttled),
        [CauseKind::CpuStarved, CauseKind::MemoryPressure],
        "a quota is not used up for want of memory"
    );
}

#[test]
fn a_process_in_state_t_was_stopped_whatever_else_was_short() {
    let stopped = [(Figure::KubeletStopped, 1.0), (Figure::KubeletCpu, 0.0)];
    assert_eq!(
        first_two(&stopped, SHORT_OF_MEMORY),
        [CauseKind::KubeletStopped, CauseKind::MemoryPressure]
    );
    let why = Host::new().settle(30).late(50, &|second| {
        let starved = [(Figure::KubeletRunQueueWait, 0.9)];
        let mut figures = between(5, 30, &starved, second);
        figures.extend(between(20, 50, &stopped, second));
        figures
    });
    assert_eq!(
        kinds(&why),
        [CauseKind::KubeletStopped, CauseKind::CpuStarved],
        "{:?}",
        why.causes
    );
}

#[test]
fn a_kubelet_that_is_only_silent_waits_for_what_is_short() {
    let silent = from(
        8,
        &[
            (Figure::PressureMemoryFull, 0.6),
            (Figure::KubeletCpu, 0.0),
            (Figure::KubeletUnanswered, 1.0),
        ],
    );
    let why = Host::new().settle(30).late(40, &silent);
    assert_eq!(
        kinds(&why),
        [CauseKind::MemoryPressure, CauseKind::KubeletStopped]
    );
}

#[test]
fn two_causes_that_convince_only_together_are_known() {
    let paused = [(Figure::CpuUncounted, 0.8)];
    let refused = [(Figure::ApiRefused, 0.7)];
    let why = Host::new().settle(30).late(50, &|second| {
        let mut figures = between(10, 29, &paused, second);
        figures.extend(between(29, 50, &refused, second));
        figures
    });
    assert_eq!(
        kinds(&why),
        [CauseKind::NodePaused, CauseKind::ApiServerSlow],
        "{:?}",
        why.causes
    );
    assert!(first(&why).share < 0.4, "{:?}", why.causes);
}

#[test]
fn weak_figures_do_not_convince_together() {
    let weak = from(
        5,
        &[
            (Figure::TcpTimeouts, 2.0),
            (Figure::DiskBusy, 1.0),
            (Figure::AgentLateness, 1.0),
        ],
    );
    let host = Host::new().usually(Figure::AgentLateness, 0.0).settle(30);
    let why = { host }.late(40, &weak);
    assert_eq!(first(&why).kind, CauseKind::Unknown, "{:?}", why.causes);
    assert_eq!(why.causes.len(), 4, "{:?}", why.causes);
}

#[test]
fn what_is_a_mere_hint_comes_after_what_accounts_for_less_and_is_known() {
    for (hint, kind) in [
        ((Figure::TcpTimeouts, 1.0), CauseKind::ConnectionLost),
        ((Figure::DiskBusy, 1.0), CauseKind::IoStalled),
        ((Figure::AgentLateness, 1.0), CauseKind::CpuStarved),
    ] {
        let host = Host::new().usually(Figure::AgentLateness, 0.0).settle(30);
        let why = { host }.late(50, &|second| {
            let mut figures = between(5, 42, &[(Figure::ApiRefused, 0.95)], second);
            figures.extend(between(42, 50, &[(Figure::KubeletStopped, 1.0)], second));
            figures.push(hint);
            figures
        });
        assert_eq!(
            kinds(&why),
            [CauseKind::ApiServerSlow, CauseKind::KubeletStopped, kind],
            "{:?}",
            why.causes
        );
    }
}

#[test]
fn an_arrival_some_seconds_after_its_stamp_is_told_beside_what_delayed_the_stamp() {
    let told = |delay| {
        let mut host = Host::new().settle(30);
        host.delay = delay;
        let why = host.late(30, &|second| {
            let mut figures = between(8, 20, &[(Figure::CpuUncounted, 1.0)], second);
            figures.extend(between(
                20,
                30,
                &[(Figure::PressureMemoryFull, 0.3)],
                second,
            ));
            figures
        });
        let mut kinds = kinds(&why);
        kinds.truncate(2);
        kinds
    };
    assert_eq!(told(8.0), [CauseKind::NodePaused, CauseKind::ApiServerSlow]);
    assert_eq!(
        told(9.9),
        [CauseKind::NodePaused, CauseKind::MemoryPressure],
        "a request that was under way when the machine stood still"
    );
}

#[test]
fn an_arrival_long_after_its_stamp_counts_once_the_wall_clock_is_steady_again() {
    for (delay, slow) in [(8.0, true), (40.0, false)] {
        let mut host = Host::new().settle(30);
        host.pass(5, &|_| Vec::new());
        host.stepped = -15.0;
        host.agent.uncredited(1);
        host.pass(20, &|_| Vec::new());
        host.delay = delay;
        let why = host.late(8, &|_| Vec::new());
        assert_eq!(first(&why).kind, CauseKind::ClockStep, "{:?}", why.causes);
        assert_eq!(
            kinds(&why).contains(&CauseKind::ApiServerSlow),
            slow,
            "{:?}",
            why.causes
        );
    }
}
