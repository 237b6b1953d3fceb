//! The way to the API server: the server slow, the connection lost. And the runtime, which the Node status waits for.
//!
//! A request that gets no answer looks the same to the kubelet whether it was lost or the server hangs. What the network says
//! of itself, whether others were answered, and what happened to the agent's own connection at the same time, tell them apart.

use super::{
    case::{Case, Claim, MOST_EVIDENCE, WEAK},
    explanation::Evidence,
    figure::Figure,
    kind::CauseKind,
    requests::{Network, Requests},
    window::Ended,
};
use crate::event::Channel;

/// How much the weaker of two explanations of one thing counts.
const WEAKER: f32 = 0.6;
/// Calls to the runtime, one after the other, that a Node status waits for: its version, its status and what is cached of its
/// images by then.
const CALLS_OF_STATUS: f32 = 3.0;

/// The API server was slow, or answered with errors.
pub(super) fn api_server(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let requests = Requests::of(case, ended);
    let slow = requests.delivery.max(requests.put).max(requests.unanswered);
    // What was lost on the way is not the server's slowness.
    let weight = if requests.network_is_troubled() || requests.kubelets_own_is_dead() {
        WEAKER
    } else {
        1.0
    };
    let turned_away = requests.agent_turned_away();
    let seconds = (weight * slow)
        .max(requests.refused)
        .max(requests.agent_refused)
        .max(turned_away);
    let errors = requests.agent_refused;
    let found = |figure, seconds| Some(Evidence::found(figure, seconds, None, seconds));
    let mut evidence = [
        (
            weight * requests.delivery,
            delivery_delay(ended, requests.delivery),
        ),
        (weight * requests.put, case.evidence(Figure::ApiPut)),
        (requests.refused, case.evidence(Figure::ApiRefused)),
        (
            weight * requests.unanswered,
            case.evidence(Figure::ApiUnanswered),
        ),
        (errors, found(Figure::AgentRefused, errors)),
        (turned_away, found(Figure::AgentUnconnected, turned_away)),
    ];
    // Stable: of what accounts for the same the one listed first comes first.
    evidence.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let evidence = evidence.into_iter().filter(|(seconds, _)| *seconds > 0.0);
    (seconds > 0.0).then(|| {
        Claim::of(
            CauseKind::ApiServerSlow,
            seconds,
            evidence
                .filter_map(|(_, evidence)| evidence)
                .take(MOST_EVIDENCE)
                .collect(),
        )
    })
}

/// Requests or their answers were lost.
pub(super) fn connection(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let requests = Requests::of(case, ended);
    let troubled = requests.network_is_troubled();
    // Time spent on renewals that got no answer, and on the one that came through late.
    let own = if requests.unanswered > 0.0 {
        requests.unanswered.max(requests.put)
    } else if troubled {
        requests.put.max(requests.delivery)
    } else {
        0.0
    };
    let asked = own.max(requests.agent_unconnected);
    let lost = requests.network == Network::Troubled;
    let seconds = if lost {
        asked.max(WEAK * case.lateness)
    } else if troubled || requests.kubelets_own_is_dead() {
        asked
    } else {
        // Nobody answered, on a network that loses nothing: the server hangs, or is away. Or some were answered, late.
        WEAKER * asked
    };
    let mut evidence = Vec::new();
    evidence.extend(
        case.evidence(Figure::ApiUnanswered)
            .filter(|_| requests.unanswered > 0.0),
    );
    let cut_off = requests.agent_unconnected;
    let agent = Evidence::found(Figure::AgentUnconnected, cut_off, None, cut_off);
    evidence.extend((cut_off > 0.0).then_some(agent));
    let network = [
        Figure::TcpTimeouts,
        Figure::Retransmits,
        Figure::AgentTimeouts,
        Figure::AgentRetransmits,
    ];
    evidence.extend(
        network
            .into_iter()
            .filter_map(|figure| case.evidence_above_usual(figure)),
    );
    evidence.extend(delivery_delay(ended, requests.delivery).filter(|_| troubled));
    evidence.truncate(MOST_EVIDENCE);
    (seconds > 0.0).then(|| Claim {
        // That the network is in trouble is no sign yet that a heartbeat met it.
        is_weak: lost && !case.backs(asked),
        ..Claim::of(CauseKind::ConnectionLost, seconds, evidence)
    })
}

fn delivery_delay(ended: &Ended, seconds: f32) -> Option<Evidence> {
    let (delay, usual) = ended.delay;
    let evidence = Evidence::found(Figure::DeliveryDelay, delay, Some(usual), seconds);
    (seconds > 0.0).then_some(evidence)
}

/// The runtime was slow: only where the Node status alone is what was late, because the Lease does not wait for it.
pub(super) fn runtime(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    if ended.late.has(Channel::Lease) || !ended.late.has(Channel::NodeStatus) {
        return None;
    }
    runtime_of_status(case)
}

/// How much later a Node status is for a runtime slower than usual.
pub(super) fn runtime_of_status(case: &Case<'_>) -> Option<Claim> {
    let figures = [
        Figure::RuntimeOperation,
        Figure::RuntimeCall,
        Figure::PlegRelist,
    ];
    let slowest = figures
        .iter()
        .filter_map(|figure| case.excess(*figure))
        .fold(0.0, f32::max);
    let calls = (CALLS_OF_STATUS * slowest).min(case.lateness);
    let seconds = calls.max(case.seconds(Figure::RuntimeFailed));
    let mut evidence: Vec<Evidence> = figures
        .iter()
        .chain(&[Figure::RuntimeFailed])
        .filter_map(|figure| case.evidence_above_usual(*figure))
        .collect();
    evidence.truncate(2);
    let counts = [Figure::RuntimeContainers, Figure::RuntimeImages];
    evidence.extend(counts.iter().filter_map(|figure| case.evidence(*figure)));
    (seconds > 0.0).then(|| Claim::of(CauseKind::RuntimeSlow, seconds, evidence))
}
