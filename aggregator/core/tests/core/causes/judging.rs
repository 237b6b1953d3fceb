//! When a gap is judged, and by what is usual of which gaps.

use nodegrace_core::{
    cause::{CauseKind, Figure},
    event::Channel,
};

use super::kit::{Host, first, kinds};
use crate::kit::{Agent, s};

/// A node whose Lease and status both beat every 10 s, the status 3 s after the Lease.
fn beats_twice(mut host: Host) -> Host {
    host.beat();
    for _ in 0..30 {
        host.pass(3, &|_| Vec::new());
        host.beat_on(Channel::NodeStatus);
        host.pass(7, &|_| Vec::new());
        host.beat();
    }
    host
}

#[test]
fn where_both_channels_beat_the_longer_part_is_usual_and_trouble_before_it_is_over_does_not_count()
{
    let mut host = beats_twice(Host::new());
    host.pass(3, &|_| Vec::new());
    host.beat_on(Channel::NodeStatus);
    let early = |second| {
        if second <= 6 {
            vec![(Figure::KubeletStopped, 1.0)]
        } else {
            Vec::new()
        }
    };
    let why = host.late(20, &early);
    // Within the 1 % of the sketch.
    assert!(why.lateness.abs_diff(s(13.0)) < s(0.1), "{why:?}");
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
}

#[test]
fn where_both_channels_beat_what_is_usual_is_learned_all_the_same() {
    let mut busy = Host::new().usually(Figure::KubeletRunQueueWait, 0.6);
    // No sample is taken until it is known how often the node beats.
    busy.coarse = 100_000;
    let mut busy = beats_twice(busy);
    busy.coarse = 10;
    let mut host = beats_twice(busy);
    let why = host.late(40, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
    assert!(
        !host
            .history()
            .habits()
            .iter()
            .any(|habit| habit.causes.is_empty())
    );
}

#[test]
fn a_sample_that_is_rare_is_waited_for() {
    let mut host = Host::restricted();
    host.coarse = 60;
    let mut host = host.settle(60);
    // The sample before was taken at 3 s past the minute.
    host.pass((60 + 10 - host.at % 60) % 60, &|_| Vec::new());
    host.beat();
    let refused = [(Figure::ApiRefused, 1.0)];
    host.pass(30, &|_| refused.to_vec());
    host.beat();
    for _ in 0..4 {
        host.pass(10, &|_| Vec::new());
        host.beat();
    }
    let why = host.latest();
    assert!(!why.recorded.is_zero(), "{why:?}");
}

#[test]
fn a_restart_is_told_although_the_first_sample_after_it_came_before_its_metrics() {
    let why = Host::restricted().restarts_unseen(30);
    assert_eq!(
        first(&why).kind,
        CauseKind::KubeletRestarted,
        "{:?}",
        why.causes
    );
}

#[test]
fn a_late_gap_that_no_sample_explained_before_the_next_or_before_a_reboot_is_given_all_the_same() {
    let mut host = Host::blindfolded().settle(30);
    for _ in 0..2 {
        host.pass(16, &|_| Vec::new());
        host.beat();
    }
    assert_eq!(host.given.len(), 1, "the first one, by the second");
    host.agent = Agent::new("boot-2", 5.0);
    host.agent.booted(f64::from(host.at) + 20.0);
    host.agent
        .send(&mut host.fleet, 510.0)
        .explained
        .iter()
        .for_each(|known| host.given.push(known.clone()));
    assert_eq!(host.given.len(), 2, "the second one, by the reboot");
    assert!(host.given[0].gap.end_time < host.given[1].gap.end_time);
}
