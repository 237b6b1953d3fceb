//! The way to the API server: the server slow, the connection lost. And the runtime, which the Node status waits for.
//!
//! A request that gets no answer looks the same to the kubelet whether it was lost or the server hangs. What the network says
//! of itself, and what happened to the agent's own connection at the same time, tell them apart.

use super::{
    case::{Case, Claim},
    explanation::Evidence,
    figure::Figure,
    kind::{CauseKind, Vantage},
    window::Ended,
};
use crate::event::Channel;

/// Standard deviations of a Poisson count by which retransmission timeouts must be more than usual for the network to be in
/// trouble. One connection to a peer that is gone runs into half a dozen of them in the first half a minute; on a busy machine
/// some connection of some pod always does.
const SURELY_MORE: f32 = 4.0;
/// The same where most requests of the kubelet got no answer anyway, and it remains to be told why.
const RATHER_MORE: f32 = 1.5;
/// Share of requests without answer from which on it remains to be told why.
const MOST_UNANSWERED: f32 = 0.6;
/// Share of segments sent again, above what is usual, from which on a network loses them.
const RETRANSMITS: f32 = 0.02;
/// How much the weaker of two explanations of one thing counts.
const WEAKER: f32 = 0.4;
/// How much a troubled network counts where nothing says that the kubelet's own requests were hit: never enough to convince.
const NETWORK_ALONE: f32 = 0.3;
/// Calls to the runtime, one after the other, that a Node status waits for: its version, its status and what is cached of its
/// images by then.
const CALLS_OF_STATUS: f32 = 3.0;

/// What is known of requests to the API server.
struct Requests {
    /// Seconds by which the arrival came later after the stamp than usual.
    delivery: f32,
    /// Seconds that the kubelet waited for answers to its renewals, above what is usual.
    put: f32,
    /// Seconds in which its requests were refused.
    refused: f32,
    /// Seconds in which its requests got no answer.
    unanswered: f32,
    /// Seconds in which the API server answered the agent with errors.
    agent_refused: f32,
    /// Seconds in which the agent could not reach the API server.
    agent_unconnected: f32,
    /// Seconds of a network in trouble. Absent: it was not looked at.
    network: Option<f32>,
}

impl Requests {
    fn of(case: &Case<'_>, ended: &Ended) -> Self {
        let delivery = match ended.vantage {
            Some(Vantage::Delivery) => ended.delay.0 - ended.delay.1,
            Some(Vantage::Node) | None => 0.0,
        };
        let longest = |of: [f32; 2]| of[0].max(of[1]).min(case.lateness);
        // An agent that does not run sees nothing, whatever its connection.
        let stood_still = case
            .seconds(Figure::AgentLateness)
            .max(case.seconds(Figure::MachineSuspended))
            .max(case.seconds(Figure::CpuUncounted));
        Self {
            delivery: delivery.clamp(0.0, case.lateness),
            put: case.seconds(Figure::ApiPutTime),
            refused: case.seconds(Figure::ApiRefused),
            unanswered: case.seconds(Figure::ApiUnanswered),
            agent_refused: longest(case.seen.refused),
            agent_unconnected: (longest(case.seen.unconnected) - stood_still).max(0.0),
            network: network_trouble(case, ended),
        }
    }

    /// True when the network shows trouble, or the agent was cut off as well.
    fn network_is_troubled(&self) -> bool {
        self.network.is_some_and(|seconds| seconds > 0.0) || self.agent_unconnected > 0.0
    }
}

/// Seconds of a network in trouble. Absent: it was not looked at.
fn network_trouble(case: &Case<'_>, ended: &Ended) -> Option<f32> {
    let timeouts = case.seen.figure(Figure::TcpTimeouts);
    let again = case.excess(Figure::Retransmits);
    if timeouts.is_none() && again.is_none() {
        return None;
    }
    let unanswered = case.seen.figure(Figure::ApiUnanswered);
    let deviations = match unanswered {
        Some((share, _)) if share >= MOST_UNANSWERED => RATHER_MORE,
        _ => SURELY_MORE,
    };
    let lost =
        again.is_some_and(|share| share > RETRANSMITS) && case.is_raised(Figure::Retransmits);
    let bad = lost || more_timeouts(case, ended) > deviations;
    Some(if bad { case.lateness } else { 0.0 })
}

/// By how many standard deviations there were more retransmission timeouts than usual since the last heartbeat: a dead
/// connection runs into most of them before the next one is due.
fn more_timeouts(case: &Case<'_>, ended: &Ended) -> f32 {
    let (rate, seconds) = case.seen.figure(Figure::TcpTimeouts).unwrap_or((0.0, 0.0));
    let early = ended.early_timeouts;
    let counted = rate * seconds + early.sum;
    let usual = case.usual_or_assumed(Figure::TcpTimeouts) * (seconds + early.seconds);
    // A count of none varies as well.
    (counted - usual) / (usual + 1.0).sqrt()
}

/// The API server was slow, or answered with errors.
pub(super) fn api_server(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let requests = Requests::of(case, ended);
    let slow = requests.delivery.max(requests.put).max(requests.unanswered);
    // What was lost on the way is not the server's slowness.
    let weight = if requests.network_is_troubled() {
        WEAKER
    } else {
        1.0
    };
    let seconds = (weight * slow)
        .max(requests.refused)
        .max(requests.agent_refused);
    let mut evidence = Vec::new();
    evidence.extend(delivery_delay(ended, requests.delivery));
    for (seconds, figure) in [
        (requests.put, Figure::ApiPut),
        (requests.refused, Figure::ApiRefused),
        (requests.unanswered, Figure::ApiUnanswered),
    ] {
        evidence.extend(case.evidence(figure).filter(|_| seconds > 0.0));
    }
    let errors = requests.agent_refused;
    let agent = Evidence::found(Figure::AgentRefused, errors, None, errors);
    evidence.extend((errors > 0.0).then_some(agent));
    (seconds > 0.0).then_some(Claim {
        kind: CauseKind::ApiServerSlow,
        seconds,
        evidence,
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
    let own_weight = match (troubled, requests.network) {
        (true, _) | (false, None) => 1.0,
        // The network was looked at and is well: the server hangs.
        (false, Some(_)) => WEAKER,
    };
    let network = NETWORK_ALONE * requests.network.unwrap_or(0.0);
    let seconds = (own_weight * own)
        .max(network)
        .max(requests.agent_unconnected);
    let mut evidence = Vec::new();
    evidence.extend(
        case.evidence(Figure::ApiUnanswered)
            .filter(|_| requests.unanswered > 0.0),
    );
    let cut_off = requests.agent_unconnected;
    let agent = Evidence::found(Figure::AgentUnconnected, cut_off, None, cut_off);
    evidence.extend((cut_off > 0.0).then_some(agent));
    for figure in [Figure::TcpTimeouts, Figure::Retransmits] {
        let off = case.excess(figure).is_some_and(|excess| excess > 0.0);
        evidence.extend(case.evidence(figure).filter(|_| off));
    }
    evidence.extend(delivery_delay(ended, requests.delivery).filter(|_| troubled));
    evidence.truncate(4);
    (seconds > 0.0).then_some(Claim {
        kind: CauseKind::ConnectionLost,
        seconds,
        evidence,
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
    let mut slow: Vec<(f32, Figure)> = figures
        .into_iter()
        .chain([Figure::RuntimeFailed])
        .filter_map(|figure| Some((case.excess(figure)?, figure)))
        .filter(|(excess, _)| *excess > 0.0)
        .collect();
    slow.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    slow.truncate(2);
    let slow = slow.into_iter();
    let mut evidence: Vec<Evidence> = slow
        .filter_map(|(_, figure)| case.evidence(figure))
        .collect();
    let counts = [Figure::RuntimeContainers, Figure::RuntimeImages];
    evidence.extend(counts.iter().filter_map(|figure| case.evidence(*figure)));
    (seconds > 0.0).then_some(Claim {
        kind: CauseKind::RuntimeSlow,
        seconds,
        evidence,
    })
}
