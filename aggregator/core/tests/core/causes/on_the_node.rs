//! What happens on the node: its processes, its disks, its memory, its runtime.

use nodegrace_core::{
    cause::{CauseKind, Figure, Vantage},
    event::Channel,
};

use super::{
    from,
    kit::{Host, first, kinds},
};
use crate::kit::s;

#[test]
fn a_stopped_kubelet_is_told_by_its_state() {
    let trouble = [
        (Figure::KubeletStopped, 1.0),
        (Figure::KubeletCpu, 0.0),
        (Figure::KubeletUnanswered, 1.0),
    ];
    let why = Host::new().settle(30).late(35, &|second| {
        if second > 6 {
            trouble.to_vec()
        } else {
            Vec::new()
        }
    });
    assert_eq!(first(&why).kind, CauseKind::KubeletStopped);
    assert!(first(&why).share > 0.9, "{:?}", why.causes);
    assert_eq!(why.lateness, s(25.0));
    assert_eq!(why.vantage, Some(Vantage::Node));
    assert!(why.late.has(Channel::Lease));
}

#[test]
fn a_frozen_kubelet_is_told_by_doing_nothing_and_not_answering() {
    let trouble = from(
        6,
        &[(Figure::KubeletCpu, 0.0), (Figure::KubeletUnanswered, 1.0)],
    );
    let why = Host::new().settle(30).late(35, &trouble);
    assert_eq!(first(&why).kind, CauseKind::KubeletStopped);
    assert!(
        first(&why).share < 0.8,
        "weaker than its state: {:?}",
        why.causes
    );
}

#[test]
fn a_restarted_kubelet_accounts_for_the_time_from_its_last_sight_to_the_first_beat_of_the_next() {
    let mut host = Host::new().settle(30);
    host.pass(15, &|_| Vec::new());
    host.run_kubelet(None);
    host.pass(10, &|_| Vec::new());
    host.run_kubelet(Some(f64::from(host.at)));
    let why = host.late(5, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::KubeletRestarted]);
    assert_eq!(first(&why).accounts_for, s(15.0), "of the 20 s");
}

#[test]
fn a_kubelet_that_waits_for_a_processor_is_starved_and_the_evidence_says_by_what() {
    let throttled = from(
        8,
        &[(Figure::Throttled, 0.95), (Figure::ThrottledPeriods, 0.98)],
    );
    let why = Host::new().settle(30).late(34, &throttled);
    assert_eq!(kinds(&why), [CauseKind::CpuStarved]);
    assert_eq!(first(&why).evidence[0].figure, Figure::Throttled);
    let crowded = from(
        8,
        &[
            (Figure::KubeletRunQueueWait, 3.0),
            (Figure::PressureCpuSome, 0.99),
        ],
    );
    let why = Host::new().settle(30).late(34, &crowded);
    assert_eq!(kinds(&why), [CauseKind::CpuStarved]);
    assert_eq!(first(&why).evidence[0].figure, Figure::KubeletRunQueueWait);
    let both = from(
        8,
        &[(Figure::KubeletRunQueueWait, 3.0), (Figure::Throttled, 0.8)],
    );
    let why = Host::new().settle(30).late(34, &both);
    assert_eq!(first(&why).evidence[0].figure, Figure::Throttled);
    let stolen = from(8, &[(Figure::CpuSteal, 0.9)]);
    let why = Host::new().settle(30).late(34, &stolen);
    assert_eq!(first(&why).evidence[0].figure, Figure::CpuSteal);
}

#[test]
fn a_stalled_disk_comes_before_the_runtime_that_waits_for_it() {
    let trouble = from(
        5,
        &[
            (Figure::PressureIoFull, 0.9),
            (Figure::KubeletWaitsForIo, 1.0),
            (Figure::RuntimeCall, 20.0),
            (Figure::RuntimeOperation, 15.0),
        ],
    );
    let why = Host::without_lease().settle(30).late(34, &trouble);
    assert_eq!(kinds(&why), [CauseKind::IoStalled, CauseKind::RuntimeSlow]);
    let why = Host::new().settle(30).late(34, &trouble);
    assert_eq!(
        kinds(&why),
        [CauseKind::IoStalled],
        "the Lease does not wait for the runtime"
    );
}

#[test]
fn a_slow_runtime_makes_the_status_late_and_not_the_lease() {
    let trouble = from(
        5,
        &[(Figure::RuntimeCall, 8.0), (Figure::RuntimeOperation, 7.0)],
    );
    let why = Host::without_lease().settle(30).late(30, &trouble);
    assert_eq!(kinds(&why), [CauseKind::RuntimeSlow]);
    let why = Host::new().settle(30).late(30, &trouble);
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
}

#[test]
fn memory_comes_before_the_disk_that_it_is_read_back_from() {
    let trouble = from(
        5,
        &[
            (Figure::PressureMemoryFull, 0.8),
            (Figure::PressureIoFull, 0.9),
            (Figure::KubeletWaitsForIo, 1.0),
        ],
    );
    let why = Host::new().settle(30).late(34, &trouble);
    assert_eq!(kinds(&why)[0], CauseKind::MemoryPressure);
}

#[test]
fn threads_in_state_d_wait_for_memory_where_memory_is_waited_for() {
    let trouble = from(
        5,
        &[
            (Figure::PressureMemoryFull, 0.3),
            (Figure::PressureIoFull, 0.4),
            (Figure::KubeletWaitsForIo, 1.0),
        ],
    );
    let why = Host::new().settle(30).late(34, &trouble);
    assert_eq!(
        kinds(&why),
        [CauseKind::MemoryPressure, CauseKind::IoStalled]
    );
    assert!(first(&why).share > 0.9, "{:?}", why.causes);
}

#[test]
fn time_that_is_not_counted_is_a_machine_that_stood_still_where_the_agent_was_held_up_as_well() {
    let uncounted = |held, waited| {
        let figures = vec![
            (Figure::CpuUncounted, 0.8),
            (Figure::AgentLateness, held),
            (Figure::KubeletRunQueueWait, waited),
        ];
        let host = Host::new().usually(Figure::AgentLateness, 0.0).settle(30);
        let why = { host }.late(40, &|_| figures.clone());
        first(&why).kind
    };
    // Samples are taken late by what is left of a pause when they are due.
    assert_eq!(uncounted(0.3, 0.01), CauseKind::NodePaused);
    assert_eq!(uncounted(0.05, 0.6), CauseKind::CpuStarved);
    assert_eq!(uncounted(0.05, 0.01), CauseKind::Unknown);
}

#[test]
fn a_second_without_a_tick_is_no_sign_of_a_kubelet_that_does_nothing() {
    // It runs for a tick every other second.
    let idle = |second: u32| {
        vec![(
            Figure::KubeletCpu,
            if second.is_multiple_of(2) { 0.01 } else { 0.0 },
        )]
    };
    let mut host = Host::new().settle(30);
    // Only fine samples cover the lateness.
    host.coarse = 100_000;
    host.pass(40, &idle);
    host.beat();
    host.pass(1, &idle);
    host.sample(true);
    assert_eq!(kinds(&host.latest()), [CauseKind::Unknown]);
}

#[test]
fn a_machine_that_stood_still_comes_before_what_that_brought_about() {
    let suspended = from(
        9,
        &[
            (Figure::MachineSuspended, 1.0),
            (Figure::KubeletUnanswered, 1.0),
        ],
    );
    let why = Host::new().settle(30).late(40, &suspended);
    assert_eq!(first(&why).kind, CauseKind::NodePaused);
    let paused = from(
        9,
        &[
            (Figure::CpuUncounted, 0.95),
            (Figure::KubeletRunQueueWait, 0.9),
        ],
    );
    let why = Host::new().settle(30).late(40, &paused);
    assert_eq!(kinds(&why), [CauseKind::NodePaused, CauseKind::CpuStarved]);
}
