//! Why a heartbeat was late: each cause alone, and what could be mistaken for it.

mod kit;
mod properties;
mod shared;
mod words;

use nodegrace_core::{
    cause::{CauseKind, Figure, Vantage},
    event::{BlindReason, Channel},
};

use crate::kit::{Agent, s};
use kit::{Host, first, kinds};

/// Figures that are so for every second after the first `from` ones.
fn from(from: u32, figures: &'static [(Figure, f64)]) -> impl Fn(u32) -> Vec<(Figure, f64)> {
    move |second| {
        if second > from {
            figures.to_vec()
        } else {
            Vec::new()
        }
    }
}

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
fn a_slow_answer_to_a_starved_kubelet_is_its_own_slowness() {
    let trouble = from(
        8,
        &[
            (Figure::KubeletRunQueueWait, 0.9),
            (Figure::ApiPutTime, 0.95),
            (Figure::ApiPut, 9.0),
        ],
    );
    let why = Host::new().settle(30).late(34, &trouble);
    assert_eq!(
        kinds(&why),
        [CauseKind::CpuStarved, CauseKind::ApiServerSlow]
    );
}

#[test]
fn pressure_that_is_always_there_is_no_cause() {
    let why = Host::new()
        .usually(Figure::PressureCpuSome, 0.85)
        .usually(Figure::KubeletRunQueueWait, 0.6)
        .settle(30)
        .late(34, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
    assert_eq!(first(&why).accounts_for, s(24.0));
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
fn an_arrival_long_after_its_stamp_is_the_api_server_unless_the_network_loses_segments() {
    let mut host = Host::new().settle(30);
    host.delay = 19.0;
    let why = host.late(30, &|_| Vec::new());
    assert_eq!(why.vantage, Some(Vantage::Delivery));
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
    let mut host = Host::new().settle(30);
    host.delay = 19.0;
    let why = host.late(
        30,
        &from(9, &[(Figure::TcpTimeouts, 0.3), (Figure::Retransmits, 0.4)]),
    );
    assert_eq!(first(&why).kind, CauseKind::ConnectionLost);
}

#[test]
fn requests_without_answer_are_a_lost_connection_or_a_server_that_hangs() {
    let unanswered = [(Figure::ApiUnanswered, 0.9), (Figure::ApiPutTime, 1.0)];
    let why = Host::new().settle(30).late(40, &|_| unanswered.to_vec());
    assert_eq!(
        first(&why).kind,
        CauseKind::ApiServerSlow,
        "the network is well: {:?}",
        why.causes
    );
    let lossy = [(Figure::ApiUnanswered, 0.9), (Figure::TcpTimeouts, 0.3)];
    let why = Host::new().settle(30).late(40, &|_| lossy.to_vec());
    assert_eq!(first(&why).kind, CauseKind::ConnectionLost);
    let why = Host::restricted()
        .settle(30)
        .late(40, &|_| unanswered.to_vec());
    assert_eq!(
        first(&why).kind,
        CauseKind::ConnectionLost,
        "nobody looked at the network"
    );
}

#[test]
fn a_connection_that_is_dead_for_long_times_out_less_and_less_and_is_dead_all_the_same() {
    let dead = |second: u32| {
        let timeouts = 1.0 / (0.69 * (f64::from(second) + 0.3));
        vec![
            (Figure::ApiUnanswered, 1.0),
            (Figure::TcpTimeouts, timeouts),
        ]
    };
    let why = Host::new().settle(30).late(90, &dead);
    assert_eq!(first(&why).kind, CauseKind::ConnectionLost);
}

#[test]
fn refused_requests_are_the_api_server() {
    let refused = [(Figure::ApiRefused, 0.9)];
    let why = Host::new().settle(30).late(40, &|_| refused.to_vec());
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
}

#[test]
fn what_happens_to_the_agents_own_connection_speaks_for_the_kubelets() {
    for (reason, kind) in [
        (BlindReason::Connection, CauseKind::ConnectionLost),
        (BlindReason::ServerError, CauseKind::ApiServerSlow),
    ] {
        let mut host = Host::new().settle(30);
        host.pass(10, &|_| Vec::new());
        for _ in 0..3 {
            // Each too short to hide a heartbeat from the gaps.
            let start = host.at;
            host.pass(4, &|_| Vec::new());
            host.blind(start, reason);
        }
        let why = host.late(1, &|_| Vec::new());
        assert_eq!(first(&why).kind, kind);
    }
}

#[test]
fn a_clock_set_back_accounts_for_the_time_until_it_has_caught_up() {
    let mut host = Host::new().settle(30);
    host.pass(5, &|_| Vec::new());
    host.stepped = -30.0;
    host.agent.uncredited(3);
    let why = host.late(35, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::ClockStep]);
    assert_eq!(why.vantage, None, "stamps cannot be placed");
    assert_eq!(first(&why).accounts_for, s(30.0));
}

#[test]
fn a_clock_step_that_cost_no_renewal_is_no_cause() {
    let mut host = Host::new().settle(30);
    host.pass(5, &|_| Vec::new());
    host.stepped = 30.0;
    let why = host.late(35, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
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

#[test]
fn everything_as_usual_is_no_cause() {
    let why = Host::new().settle(30).late(40, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
    assert_eq!(why.recorded, s(30.0));
}

#[test]
fn without_samples_nothing_is_known_and_nothing_is_claimed() {
    let mut host = Host::blindfolded().settle(30);
    let why = host.late(40, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
    assert_eq!((why.read.bits(), why.recorded), (0, s(0.0)));
}

#[test]
fn trouble_that_was_over_before_the_heartbeat_was_due_is_no_cause() {
    let early = |second| {
        if second <= 8 {
            vec![(Figure::PressureIoFull, 0.95)]
        } else {
            Vec::new()
        }
    };
    let why = Host::new().settle(30).late(40, &early);
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
}

#[test]
fn what_was_recorded_of_too_little_of_the_lateness_convinces_nobody() {
    let brief = |second| {
        if (11..=16).contains(&second) {
            vec![(Figure::KubeletStopped, 1.0)]
        } else {
            Vec::new()
        }
    };
    let why = Host::new().settle(30).late(40, &brief);
    assert_eq!(kinds(&why), [CauseKind::Unknown, CauseKind::KubeletStopped]);
}

#[test]
fn an_agent_that_sees_only_the_kubelets_metrics_tells_what_these_tell() {
    let silent = from(8, &[(Figure::KubeletUnanswered, 1.0)]);
    let why = Host::restricted().settle(30).late(40, &silent);
    assert_eq!(kinds(&why), [CauseKind::KubeletStopped]);
    assert!(first(&why).share < 0.6, "{:?}", why.causes);
    let slow = [(Figure::ApiPutTime, 0.95), (Figure::ApiPut, 9.5)];
    let why = Host::restricted().settle(30).late(40, &|_| slow.to_vec());
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
    let why = Host::restricted().settle(30).late(40, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
}

#[test]
fn a_reboot_is_told_by_the_wall_clock_and_counts_in_no_figure() {
    let mut host = Host::new().settle(30);
    let before = host.history().gaps().sketch().count();
    let mut agent = Agent::new("boot-2", 45.0);
    agent.booted(f64::from(host.at) + 20.0);
    agent.baseline(Channel::Lease, 40.0, 9000);
    agent.lease(50.0);
    agent.send(&mut host.fleet, 560.0);
    let node = host.history();
    let [reboot] = node.reboots() else {
        panic!("one reboot: {:?}", node.reboots());
    };
    assert_eq!(kinds(&reboot.why), [CauseKind::NodeRebooted]);
    assert_eq!(
        reboot.gap.duration.as_secs(),
        59,
        "20 s until it booted, 40 s until the stamp"
    );
    assert_eq!(reboot.gap.uncertainty.as_secs(), 39);
    assert_eq!(node.gaps().sketch().count(), before);
    assert_eq!(node.causes()[0].kind, CauseKind::NodeRebooted);
}

#[test]
fn what_a_boot_before_left_behind_is_not_the_first_beat_of_this_one() {
    let mut host = Host::new().settle(30);
    let mut agent = Agent::new("boot-2", 5.0);
    agent.booted(f64::from(host.at) + 20.0);
    agent.old_baseline(Channel::Lease, 6.0, 20.0);
    agent.send(&mut host.fleet, 506.0);
    assert!(host.history().reboots().is_empty());
    agent.lease(30.0);
    agent.send(&mut host.fleet, 530.0);
    assert_eq!(host.history().reboots()[0].gap.duration, s(50.0));
}

#[test]
fn a_habit_is_explained_in_absolute_seconds() {
    let host = Host::without_lease()
        .usually(Figure::RuntimeOperation, 6.0)
        .usually(Figure::RuntimeCall, 5.0)
        .usually(Figure::RuntimeContainers, 180.0)
        .settle_every(30, 40);
    let habits = host.history().habits();
    let [habit] = &habits[..] else {
        panic!("one habit: {habits:?}");
    };
    assert_eq!(habit.channel, Channel::NodeStatus);
    assert_eq!(
        (habit.period.as_secs_f64().round(), habit.nominal),
        (30.0, s(10.2))
    );
    assert_eq!(habit.causes[0].kind, CauseKind::RuntimeSlow);
    assert!(Host::new().settle(30).history().habits().is_empty());
}

#[test]
fn a_node_whose_every_gap_is_late_stays_within_its_memory() {
    let mut host = Host::new().settle(20);
    let quiet = host.history().bytes();
    assert!(quiet < 6 << 10, "{quiet} bytes");
    let trouble = from(
        5,
        &[
            (Figure::PressureIoFull, 0.9),
            (Figure::KubeletRunQueueWait, 0.9),
        ],
    );
    for _ in 0..40 {
        host.late(40, &trouble);
    }
    let bytes = host.history().bytes();
    assert!(bytes < 24 << 10, "{bytes} bytes");
    assert_eq!(host.history().explained().len(), 16);
    assert_eq!(host.history().causes()[0].gaps, 40);
}
