//! What is known where the agent sees neither the kubelet's process nor the host's network.

use nodegrace_core::{
    cause::{CauseKind, Figure},
    event::BlindReason,
};

use super::kit::{Host, first, kinds};

#[test]
fn requests_of_which_hardly_any_is_answered_are_lost_while_the_agent_has_no_trouble() {
    let unanswered = [(Figure::ApiUnanswered, 1.0), (Figure::ApiPutTime, 1.0)];
    let why = Host::in_a_pod()
        .settle(30)
        .late(50, &|_| unanswered.to_vec());
    assert_eq!(
        kinds(&why),
        [CauseKind::ConnectionLost, CauseKind::ApiServerSlow]
    );
}

#[test]
fn requests_of_which_some_are_answered_late_are_a_slow_api_server() {
    let slow = [(Figure::ApiUnanswered, 0.4), (Figure::ApiPutTime, 1.0)];
    let why = Host::in_a_pod().settle(30).late(50, &|_| slow.to_vec());
    assert_eq!(
        kinds(&why),
        [CauseKind::ApiServerSlow, CauseKind::ConnectionLost]
    );
}

#[test]
fn requests_in_vain_on_a_network_on_which_the_agent_loses_segments_are_lost() {
    let slow = [(Figure::ApiUnanswered, 0.3), (Figure::ApiPutTime, 0.8)];
    for lossy in [
        (Figure::AgentRetransmits, 0.12),
        (Figure::AgentTimeouts, 0.2),
    ] {
        let why = Host::in_a_pod().settle(30).late(50, &|_| {
            let mut figures = slow.to_vec();
            figures.push(lossy);
            figures
        });
        assert_eq!(
            first(&why).kind,
            CauseKind::ConnectionLost,
            "{:?}",
            why.causes
        );
    }
}

#[test]
fn segments_that_the_agent_lost_are_no_lost_connection_of_a_kubelet_that_asked_nothing_in_vain() {
    let lossy = [
        (Figure::AgentRetransmits, 0.4),
        (Figure::AgentTimeouts, 1.0),
    ];
    let why = Host::in_a_pod().settle(30).late(50, &|_| lossy.to_vec());
    assert_eq!(
        kinds(&why),
        [CauseKind::Unknown],
        "it may be the aggregator"
    );
}

#[test]
fn an_agent_that_is_turned_away_on_a_network_that_loses_nothing_tells_of_the_api_server() {
    for (lost, kind) in [
        (0.0, CauseKind::ApiServerSlow),
        (0.3, CauseKind::ConnectionLost),
    ] {
        let mut host = Host::in_a_pod().settle(30);
        let in_vain = [(Figure::ApiUnanswered, 1.0), (Figure::AgentTimeouts, lost)];
        host.pass(10, &|_| Vec::new());
        for _ in 0..5 {
            let start = host.at;
            host.pass(4, &|_| in_vain.to_vec());
            host.blind(start, BlindReason::Connection);
        }
        let why = host.late(1, &|_| Vec::new());
        assert_eq!(first(&why).kind, kind, "{:?}", why.causes);
    }
}

#[test]
fn a_kubelet_that_is_known_to_be_gone_did_not_stand_still_meanwhile() {
    let why = Host::in_a_pod().restarts_unseen(40);
    assert_eq!(kinds(&why), [CauseKind::KubeletRestarted]);
}

#[test]
fn metrics_that_could_not_be_read_are_a_mere_hint_beside_renewals_that_took_longer() {
    let slower = [(Figure::KubeletUnanswered, 1.0), (Figure::ApiPutTime, 0.25)];
    let why = Host::in_a_pod().settle(30).late(50, &|_| slower.to_vec());
    assert_eq!(
        kinds(&why),
        [
            CauseKind::Unknown,
            CauseKind::ApiServerSlow,
            CauseKind::KubeletStopped
        ]
    );
}
