//! What convinces nobody, and what is known from little.

use nodegrace_core::{
    cause::{CauseKind, Figure},
    event::Channel,
};

use super::{
    from,
    kit::{Host, first, kinds},
};
use crate::kit::s;

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
    let slow = [(Figure::ApiPutTime, 0.95), (Figure::ApiPut, 9.5)];
    let why = Host::restricted().settle(30).late(40, &|_| slow.to_vec());
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
    let why = Host::restricted().settle(30).late(40, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
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
