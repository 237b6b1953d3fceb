//! What is known of requests to the API server while a heartbeat was awaited, and of the network that they took.

use super::{case::Case, figure::Figure, window::Ended};

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
/// Timeouts that a connection to a peer that is gone does not get along without, see [`TIMEOUTS`]: where there may be as many
/// among those that come by chance, the network does not show whether one is dead.
const OF_A_DEAD_ONE: f32 = 6.0;
/// Share of segments sent again, above what is usual, from which on a network loses them.
const RETRANSMITS: f32 = 0.02;
/// The same of the agent's own, which sends some segments a second: a single one sent again is more than the share above.
const AGENT_RETRANSMITS: f32 = 0.05;
/// Share of the time in which requests went unanswered that must hold hardly any answer for the API server to be silent. It may
/// be less than all of it: the requests of the intervals in which the silence began and ended were partly answered.
const SILENT: f32 = 0.5;

/// What is known of requests to the API server.
pub(super) struct Requests {
    /// Seconds by which the arrival came later after the stamp than usual.
    pub(super) delivery: f32,
    /// Seconds that the kubelet waited for answers to its renewals, above what is usual.
    pub(super) put: f32,
    /// Seconds in which its requests were refused.
    pub(super) refused: f32,
    /// Seconds in which its requests got no answer.
    pub(super) unanswered: f32,
    /// Seconds in which the API server answered the agent with errors.
    pub(super) agent_refused: f32,
    /// Seconds in which the agent could not reach the API server.
    pub(super) agent_unconnected: f32,
    /// What the node's network shows of itself.
    pub(super) network: Network,
    /// What the network shows that the agent's own connections take: the node's, too, but of few connections.
    agents: Network,
    /// Whether hardly any of the kubelet's requests was answered while some were not.
    silent: bool,
}

/// What a network shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// It was not looked at, or so much goes wrong on it as a rule that one dead connection does not show.
    Unseen,
    /// Nothing out of the ordinary: who was not answered was refused, or the server hung.
    Well,
    /// It loses segments, or a peer does not acknowledge them.
    Troubled,
}

impl Requests {
    pub(super) fn of(case: &Case<'_>, ended: &Ended) -> Self {
        let delivery = ended.delay.0 - ended.delay.1;
        // What the agent saw late because it was kept waiting itself may have arrived in time.
        let by_agent = case.seconds(Figure::AgentLateness);
        let longest = |of: [f32; 2]| of[0].max(of[1]).min(case.lateness);
        let unanswered = case.seconds(Figure::ApiUnanswered);
        let agent_unconnected = longest(case.seen.unconnected);
        let in_vain = unanswered > 0.0 || agent_unconnected > 0.0;
        let of_host = of_host(case, ended, in_vain);
        let of_agent = of_agent(case);
        // That the agent's few connections lose segments counts only beside requests in vain: alone it may be the way to the
        // aggregator that is lost.
        let network = if of_agent == Network::Troubled && in_vain {
            Network::Troubled
        } else {
            of_host
        };
        Self {
            delivery: delivery.clamp(0.0, (case.lateness - by_agent).max(0.0)),
            put: case.seconds(Figure::ApiPutTime),
            refused: case.seconds(Figure::ApiRefused),
            unanswered,
            agent_refused: longest(case.seen.refused),
            agent_unconnected,
            network,
            agents: if of_host == Network::Unseen {
                of_agent
            } else {
                of_host
            },
            silent: unanswered > 0.0 && case.seconds(Figure::ApiSilent) >= SILENT * unanswered,
        }
    }

    /// True when the network shows trouble or, where it does not show how it is, the agent was cut off as well.
    pub(super) fn network_is_troubled(&self) -> bool {
        match self.network {
            Network::Troubled => true,
            Network::Well => false,
            Network::Unseen => self.agent_unconnected > 0.0 && self.agents != Network::Well,
        }
    }

    /// True when the kubelet's own connection is dead, by what is known: it gets no answer, not even late ones, and the agent has
    /// no trouble with the same API server. A server that is slow answers some, and makes the agent wait as well. Clients have
    /// stayed on such connections for many minutes (kubernetes/kubernetes#48638). Where the whole network is seen and every
    /// segment is acknowledged, it is rather the server behind it that hangs.
    pub(super) fn kubelets_own_is_dead(&self) -> bool {
        let agent_is_well = self.agent_unconnected <= 0.0 && self.agent_refused <= 0.0;
        self.silent && agent_is_well && self.network == Network::Unseen
    }

    /// Seconds in which the agent was turned away: its connection was refused or reset, by a network that is well. So it is while
    /// the API server restarts.
    pub(super) fn agent_turned_away(&self) -> f32 {
        if self.agents == Network::Well {
            self.agent_unconnected
        } else {
            0.0
        }
    }
}

/// What the host's counters say; `in_vain`: the kubelet or the agent is known to have asked in vain.
fn of_host(case: &Case<'_>, ended: &Ended, in_vain: bool) -> Network {
    let timeouts = case
        .seen
        .figure(Figure::TcpTimeouts)
        .map(|(rate, seconds)| {
            // Those before the heartbeat was due count: a dead connection runs into most of its own by then.
            let early = ended.early_timeouts;
            Timeouts::of(
                case,
                Figure::TcpTimeouts,
                rate * seconds + early.sum,
                seconds + early.seconds,
            )
        });
    let lost = is_lossy(case, Figure::Retransmits, RETRANSMITS);
    shown(timeouts, lost, in_vain)
}

/// What the counters say of the agent's own connections, where it has a network namespace of its own: somebody is asked in vain
/// on all of them when the network is gone.
fn of_agent(case: &Case<'_>) -> Network {
    let timeouts = case.seen.figure(Figure::AgentTimeouts);
    let timeouts = timeouts
        .map(|(rate, seconds)| Timeouts::of(case, Figure::AgentTimeouts, rate * seconds, seconds));
    let lost = is_lossy(case, Figure::AgentRetransmits, AGENT_RETRANSMITS);
    shown(timeouts, lost, true)
}

fn is_lossy(case: &Case<'_>, figure: Figure, least: f32) -> bool {
    let again = case.excess(figure);
    again.is_some_and(|share| share > least) && case.is_raised(figure)
}

fn shown(timeouts: Option<Timeouts>, lost: bool, in_vain: bool) -> Network {
    match timeouts {
        _ if lost => Network::Troubled,
        Some(timeouts) if timeouts.are_many(in_vain) => Network::Troubled,
        Some(timeouts) if timeouts.are_few() => Network::Well,
        Some(_) | None => Network::Unseen,
    }
}

/// Retransmission timeouts beside what is usual of them.
#[derive(Clone, Copy)]
struct Timeouts {
    /// How many more there were.
    more: f32,
    /// How many more or less there are by chance.
    chance: f32,
    /// In so many seconds.
    seconds: f32,
}

impl Timeouts {
    fn of(case: &Case<'_>, figure: Figure, counted: f32, seconds: f32) -> Self {
        let usual = case.usual.usual(figure);
        let mean = usual.map_or(figure.assumed(), |usual| usual.mean);
        let expected = mean * seconds;
        Self {
            more: counted - expected,
            chance: expected.sqrt(),
            seconds,
        }
    }

    /// True when they are more than chance.
    fn are_many(self, in_vain: bool) -> bool {
        if in_vain {
            let enough = self.more >= TIMEOUTS || self.more > TIMEOUTS_PER_SECOND * self.seconds;
            enough && self.more >= NOT_CHANCE[0] * self.chance
        } else {
            self.more >= STRAY_TIMEOUTS && self.more >= NOT_CHANCE[1] * self.chance
        }
    }

    /// True when no connection can have died among them.
    fn are_few(self) -> bool {
        self.more < OF_A_DEAD_ONE - NOT_CHANCE[0] * self.chance
    }
}
