//! What happens between the node and the API server.

use nodegrace_core::{
    cause::{CauseKind, Figure, Vantage},
    event::BlindReason,
};

use super::{
    from,
    kit::{Host, USUAL, first, kinds},
};
use crate::kit::s;

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
    let refused = [
        (Figure::ApiRefused, 0.9),
        (Figure::ApiPutTime, 0.1),
        (Figure::ApiPut, 0.2),
    ];
    let why = Host::new().settle(30).late(40, &|_| refused.to_vec());
    assert_eq!(kinds(&why), [CauseKind::ApiServerSlow]);
    let evidence = &first(&why).evidence;
    assert_eq!(evidence[0].figure, Figure::ApiRefused, "{evidence:?}");
}

#[test]
fn what_happens_to_the_agents_own_connection_speaks_for_the_kubelets() {
    let lost = [(Figure::TcpTimeouts, 0.3)];
    for (reason, network, kind) in [
        (
            BlindReason::Connection,
            &lost[..],
            CauseKind::ConnectionLost,
        ),
        // Nothing is lost: it was refused, as by an API server that restarts.
        (BlindReason::Connection, &[], CauseKind::ApiServerSlow),
        (BlindReason::ServerError, &[], CauseKind::ApiServerSlow),
    ] {
        let mut host = Host::new().settle(30);
        host.pass(10, &|_| Vec::new());
        for _ in 0..3 {
            // Each too short to hide a heartbeat from the gaps.
            let start = host.at;
            host.pass(4, &|_| network.to_vec());
            host.blind(start, reason);
        }
        let why = host.late(1, &|_| Vec::new());
        assert_eq!(first(&why).kind, kind, "{reason:?}: {:?}", why.causes);
    }
}

#[test]
fn an_api_server_that_restarts_refuses_the_kubelet_and_the_agent() {
    let mut host = Host::new().settle(30);
    host.pass(10, &|_| Vec::new());
    let refused = [(Figure::ApiUnanswered, 1.0), (Figure::ApiPutTime, 0.1)];
    for _ in 0..5 {
        let start = host.at;
        host.pass(4, &|_| refused.to_vec());
        host.blind(start, BlindReason::Connection);
    }
    let why = host.late(1, &|_| Vec::new());
    assert_eq!(
        first(&why).kind,
        CauseKind::ApiServerSlow,
        "{:?}",
        why.causes
    );
}

#[test]
fn a_late_interval_next_to_blindness_is_explained_once_it_is_known_to_be_one() {
    let mut host = Host::new().settle(30);
    let lost = [
        (Figure::ApiUnanswered, 0.9),
        (Figure::ApiPutTime, 0.9),
        (Figure::TcpTimeouts, 0.3),
    ];
    let counted = host.history().gaps().sketch().count();
    host.pass(50, &|_| lost.to_vec());
    host.blind(host.at - 47, BlindReason::Connection);
    host.agent.late_lease(f64::from(host.at), 8.0);
    host.send();
    host.sample(false);
    assert_eq!(host.given, [], "whether it is one is not known yet");
    for _ in 0..2 {
        host.pass(USUAL, &|_| Vec::new());
        host.beat();
    }
    let node = host.history();
    let told: Vec<_> = node.uncounted_gaps().collect();
    let why = node.explanation(told[0]).expect("it is explained");
    assert_eq!(first(why).kind, CauseKind::ConnectionLost, "{why:?}");
    assert_eq!(why.lateness, s(40.0));
    let given = host.given.last().map(|given| given.gap);
    assert_eq!(given, Some(*told[0]), "and given to whoever keeps it");
    assert_eq!(node.causes()[0].gaps, 1);
    assert_eq!(node.gaps().sketch().count(), counted + 1);
}

#[test]
fn an_interval_that_stays_unknown_is_not_explained() {
    let mut host = Host::new().settle(30);
    host.pass(50, &|_| vec![(Figure::ApiUnanswered, 0.9)]);
    host.blind(host.at - 47, BlindReason::Connection);
    host.agent.late_lease(f64::from(host.at), 40.0);
    host.send();
    for _ in 0..3 {
        host.pass(USUAL, &|_| Vec::new());
        host.beat();
    }
    assert_eq!(host.given, []);
    assert_eq!(host.history().causes(), []);
}

#[test]
fn what_the_agents_blindness_may_have_added_to_an_arrival_is_no_slow_delivery() {
    let mut host = Host::new().settle(30);
    host.pass(30, &|_| Vec::new());
    host.agent.late_lease(f64::from(host.at), 4.0);
    host.send();
    for _ in 0..3 {
        host.pass(USUAL, &|_| Vec::new());
        host.beat();
    }
    let why = host.latest();
    assert_eq!(kinds(&why), [CauseKind::Unknown], "{why:?}");
    assert_eq!(why.vantage, Some(Vantage::Node));
}
