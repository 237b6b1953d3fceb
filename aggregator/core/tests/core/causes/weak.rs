//! Figures that convince nobody alone, and what they are worth beside others.

use nodegrace_core::{
    cause::{CauseKind, Figure, Vantage},
    event::BlindReason,
};
use proptest::prelude::*;

use super::{
    from,
    kit::{Host, first, kinds},
};

/// A node on which every weak figure is recorded, and nothing is off.
fn calm() -> Host {
    let weak = Figure::all().filter(|figure| figure.is_weak());
    // Of these, one is derived from others, and what is usual of some is more than nothing.
    let host =
        weak.filter(|figure| *figure != Figure::KubeletStill)
            .fold(Host::new(), |host, figure| match figure {
                Figure::Retransmits | Figure::AgentRetransmits => host.usually(figure, 0.001),
                Figure::DiskBusy => host.usually(figure, 0.1),
                _ => host.usually(figure, 0.0),
            });
    host.settle(20)
}

/// What a sample reads when a weak figure is off by so much.
fn reading(figure: Figure, off: f64) -> (Figure, f64) {
    match figure {
        // It is derived from the use of a processor.
        Figure::KubeletStill => (Figure::KubeletCpu, 0.0),
        figure => (figure, off),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_weak_figure_alone_convinces(
        figure in prop::sample::select(Figure::all().filter(|figure| figure.is_weak()).collect::<Vec<_>>()),
        off in 0.0..50.0_f64,
        gap in 16..90_u32,
        since in 0..10_u32,
    ) {
        let why = calm().late(gap, &|second| {
            if second > since { vec![reading(figure, off)] } else { Vec::new() }
        });
        prop_assert_eq!(first(&why).kind, CauseKind::Unknown, "{:?}", why.causes);
    }
}

#[test]
fn metrics_that_nobody_could_read_stop_no_kubelet_whose_stamps_are_on_time() {
    let mut host = Host::restricted().settle(30);
    host.delay = 29.0;
    let why = host.late(40, &from(8, &[(Figure::KubeletUnanswered, 1.0)]));
    assert_eq!(first(&why).kind, CauseKind::ApiServerSlow);
    assert!(
        !kinds(&why).contains(&CauseKind::KubeletStopped),
        "{:?}",
        why.causes
    );
}

#[test]
fn metrics_that_nobody_could_read_stop_no_kubelet_while_the_api_server_is_away() {
    // The kubelet asks the API server whether the agent may read them.
    let mut host = Host::restricted().settle(30);
    host.pass(10, &|_| Vec::new());
    for _ in 0..6 {
        let start = host.at;
        host.pass(4, &|_| vec![(Figure::KubeletUnanswered, 1.0)]);
        host.blind(start, BlindReason::ServerError);
    }
    let why = host.late(1, &|_| Vec::new());
    assert_eq!(first(&why).kind, CauseKind::ApiServerSlow);
    let stopped = why
        .causes
        .iter()
        .find(|cause| cause.kind == CauseKind::KubeletStopped);
    assert!(
        stopped.is_none_or(|stopped| stopped.share < 0.4),
        "{stopped:?}"
    );
}

#[test]
fn that_a_kubelet_stood_still_which_nobody_saw_is_said_to_be_inferred() {
    let silent = from(8, &[(Figure::KubeletUnanswered, 1.0)]);
    let why = Host::restricted().settle(30).late(40, &silent);
    assert_eq!(kinds(&why), [CauseKind::Unknown, CauseKind::KubeletStopped]);
    let sentence = why.sentence(&why.causes[1]);
    assert!(sentence.contains("inferred"), "{sentence}");
}

#[test]
fn what_came_after_the_stamp_is_not_the_doing_of_a_busy_node() {
    let mut host = Host::new().settle(30);
    host.delay = 19.0;
    let busy = from(
        5,
        &[
            (Figure::PressureCpuSome, 0.95),
            (Figure::KubeletRunQueueWait, 0.9),
            (Figure::PressureIoFull, 0.9),
            (Figure::PressureMemoryFull, 0.9),
        ],
    );
    let why = host.late(30, &busy);
    assert_eq!(why.vantage, Some(Vantage::Delivery));
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
}

#[test]
fn an_agent_that_was_kept_waiting_says_nothing_of_the_way() {
    let mut host = calm();
    host.delay = 19.0;
    let why = host.late(30, &from(9, &[(Figure::AgentLateness, 0.95)]));
    assert_eq!(first(&why).kind, CauseKind::Unknown, "{:?}", why.causes);
}

#[test]
fn an_agent_that_stood_still_is_no_lost_connection() {
    let mut host = calm();
    host.pass(10, &|_| Vec::new());
    for _ in 0..4 {
        let start = host.at;
        host.pass(4, &|_| Vec::new());
        host.blind(start, BlindReason::AgentStalled);
    }
    let why = host.late(1, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
}

#[test]
fn two_stray_timeouts_are_no_lost_connection() {
    let mut host = Host::new().settle(30);
    host.delay = 19.0;
    let stray = |second| {
        if second == 15 || second == 21 {
            vec![(Figure::TcpTimeouts, 1.0)]
        } else {
            Vec::new()
        }
    };
    let why = host.late(30, &stray);
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
    assert!(first(&why).share > 0.9, "{:?}", why.causes);
}

#[test]
fn a_thread_in_state_d_counts_beside_a_disk_that_is_waited_for() {
    let thread = from(8, &[(Figure::KubeletWaitsForIo, 1.0)]);
    let why = Host::new().settle(30).late(34, &thread);
    assert_eq!(kinds(&why), [CauseKind::Unknown, CauseKind::IoStalled]);
    let disk = from(
        8,
        &[
            (Figure::KubeletWaitsForIo, 1.0),
            (Figure::PressureIoSome, 0.4),
        ],
    );
    let why = Host::new().settle(30).late(34, &disk);
    assert_eq!(kinds(&why), [CauseKind::IoStalled]);
    assert!(first(&why).share > 0.9, "{:?}", why.causes);
}
