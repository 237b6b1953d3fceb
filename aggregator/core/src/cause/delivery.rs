//! The way to the API server: the server slow, the connection lost. And the runtime, which the Node status waits for.
//!
//! A request that gets no answer looks the same to the kubelet whether it was lost or the server hangs. What the network says
//! of itself, and what happened to the agent's own connection at the same time, tell them apart.

use super::{
    case::{Case, Claim, MOST_EVIDENCE, WEAK},
    explanation::Evidence,
    figure::Figure,
    kind::{CauseKind, Vantage},
    window::Ended,
};
use crate::event::Channel;

/// Retransmission timeouts above what is usual from which on a peer does not answer that owes an answer: one connection to a
/// peer that is gone runs into half a dozen of them in the first half a minute, and into three in the next minute.
const TIMEOUTS: f32 = 1.5;
/// The same as a rate, for a lateness too short for as many.
const TIMEOUTS_PER_SECOND: f32 = 0.05;
/// Timeouts above what is usual from which on the network is in trouble where nobody is known to have asked in vain: probes of a
/// dead pod time out as well.
const STRAY_TIMEOUTS: f32 = 3.0;
/// Timeouts come by chance: so many standard deviations of a Poisson distribution above its mean are not chance, the first
/// where somebody asked in vain.
const NOT_CHANCE: [f32; 2] = [2.0, 3.0];
/// Share of segments sent again, above what is usual, from which on a network loses them.
const RETRANSMITS: f32 = 0.02;
/// How much the weaker of two explanations of one thing counts.
const WEAKER: f32 = 0.6;
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
    /// What the network shows of itself.
    network: Network,
}

/// What a network shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// It was not looked at.
    Unseen,
    /// Nothing out of the ordinary: who was not answered was refused, or the server hung.
    Well,
    /// It loses segments, or a peer does not acknowledge them.
    Troubled,
}

impl Requests {
    fn of(case: &Case<'_>, ended: &Ended) -> Self {
        let delivery = match ended.vantage {
            Some(Vantage::Delivery) => ended.delay.0 - ended.delay.1,
            Some(Vantage::Node) | None => 0.0,
        };
        // What the agent saw late because it was kept waiting itself may have arrived in time.
        let by_agent = case.seconds(Figure::AgentLateness);
        let longest = |of: [f32; 2]| of[0].max(of[1]).min(case.lateness);
        let unanswered = case.seconds(Figure::ApiUnanswered);
        let agent_unconnected = longest(case.seen.unconnected);
        let in_vain = unanswered > 0.0 || agent_unconnected > 0.0;
        Self {
            delivery: delivery.clamp(0.0, (case.lateness - by_agent).max(0.0)),
            put: case.seconds(Figure::ApiPutTime),
            refused: case.seconds(Figure::ApiRefused),
            unanswered,
            agent_refused: longest(case.seen.refused),
            agent_unconnected,
            network: network(case, ended, in_vain),
        }
    }

    /// True when the network shows trouble or, where nobody looked at it, the agent was cut off as well.
    fn network_is_troubled(&self) -> bool {
        match self.network {
            Network::Troubled => true,
            Network::Well => false,
            Network::Unseen => self.agent_unconnected > 0.0,
        }
    }

    /// Seconds in which the agent was turned away: its connection was refused or reset, by a network that is well. So it is while
    /// the API server restarts.
    fn agent_turned_away(&self) -> f32 {
        if self.network == Network::Well {
            self.agent_unconnected
        } else {
            0.0
        }
    }
}

/// What the network shows of itself; `in_vain`: the kubelet or the agent is known to have asked in vain.
fn network(case: &Case<'_>, ended: &Ended, in_vain: bool) -> Network {
    let timeouts = case.seen.figure(Figure::TcpTimeouts);
    let again = case.excess(Figure::Retransmits);
    if timeouts.is_none() && again.is_none() {
        return Network::Unseen;
    }
    let unacknowledged = timeouts
        .is_some_and(|(rate, recorded)| are_many(case, ended, rate * recorded, recorded, in_vain));
    let lost =
        again.is_some_and(|share| share > RETRANSMITS) && case.is_raised(Figure::Retransmits);
    if unacknowledged || lost {
        Network::Troubled
    } else {
        Network::Well
    }
}

/// True when so many timeouts over so many seconds are more than chance, those before the heartbeat was due among them: a dead
/// connection runs into most of its own by then.
fn are_many(case: &Case<'_>, ended: &Ended, counted: f32, recorded: f32, in_vain: bool) -> bool {
    let usual = case.usual.usual(Figure::TcpTimeouts);
    let mean = usual.map_or(Figure::TcpTimeouts.assumed(), |usual| usual.mean);
    let early = ended.early_timeouts;
    let seconds = recorded + early.seconds;
    let more = counted + early.sum - mean * seconds;
    let chance = (mean * seconds).sqrt();
    if in_vain {
        let enough = more >= TIMEOUTS || more > TIMEOUTS_PER_SECOND * seconds;
        enough && more >= NOT_CHANCE[0] * chance
    } else {
        more >= STRAY_TIMEOUTS && more >= NOT_CHANCE[1] * chance
    }
}

/// True when nothing speaks against the API server and the way to it.
pub(super) fn is_well(case: &Case<'_>, ended: &Ended) -> bool {
    let requests = Requests::of(case, ended);
    let spent = requests.delivery.max(requests.put).max(requests.refused);
    let in_vain = requests.unanswered.max(requests.agent_refused);
    !case.backs(spent.max(in_vain).max(requests.agent_unconnected))
        && requests.network != Network::Troubled
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
    let turned_away = requests.agent_turned_away();
    let seconds = (weight * slow)
        .max(requests.refused)
        .max(requests.agent_refused)
        .max(turned_away);
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
    let agent = Evidence::found(Figure::AgentUnconnected, turned_away, None, turned_away);
    evidence.extend((turned_away > 0.0).then_some(agent));
    evidence.truncate(MOST_EVIDENCE);
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
    let asked = own.max(requests.agent_unconnected);
    let seconds = match requests.network {
        Network::Troubled => asked.max(WEAK * case.lateness),
        // Nobody answered, on a network that loses nothing: the server hangs, or is away.
        Network::Well => WEAKER * asked,
        Network::Unseen => asked,
    };
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
    evidence.truncate(MOST_EVIDENCE);
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
    let off = |figure: &&Figure| case.excess(**figure).is_some_and(|excess| excess > 0.0);
    let mut evidence: Vec<Evidence> = figures
        .iter()
        .chain(&[Figure::RuntimeFailed])
        .filter(off)
        .filter_map(|figure| case.evidence(*figure))
        .collect();
    evidence.truncate(2);
    let counts = [Figure::RuntimeContainers, Figure::RuntimeImages];
    evidence.extend(counts.iter().filter_map(|figure| case.evidence(*figure)));
    (seconds > 0.0).then_some(Claim {
        kind: CauseKind::RuntimeSlow,
        seconds,
        evidence,
    })
}
