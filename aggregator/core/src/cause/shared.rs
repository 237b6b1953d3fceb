//! Causes that several nodes share, and what these nodes have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    history::{EXPLANATIONS_KEPT, Explained},
    kind::CauseKind,
};
use crate::{fleet::Fleet, node::NodeHistory, stats::hypergeometric_at_least};

/// Late heartbeats of this long are looked at.
const LOOK_BACK: Duration = Duration::from_secs(3600);
/// Nodes from which on a cause is a shared one.
const SEVERAL: u64 = 3;
/// Share of the nodes with a cause that must have a value in common.
const MOST_HAVE_IT: f64 = 0.8;
/// Chance of finding nodes together as often as they are, over all values that were tried: below it that is no accident.
const NO_ACCIDENT: f64 = 0.01;
/// Share of the fleet from which on a cause that nothing else tells apart is the fleet's.
const FLEETS_SHARE: f64 = 0.5;
/// Share of the nodes that must have been late at one moment to have become so together.
const TOGETHER: f64 = 0.5;
/// How many times as many nodes that must be as are late at any moment.
const BEYOND_CHANCE: f64 = 3.0;
/// Most nodes named one by one for a cause.
const MOST_SINGLES: usize = 5;

/// What nodes that share a cause have in common. Of two that fit equally well the first one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// They are the whole fleet, or so much of it that nothing else tells them apart.
    Fleet,
    /// Label topology.kubernetes.io/zone.
    Zone,
    /// Label topology.kubernetes.io/region.
    Region,
    /// Label node.kubernetes.io/instance-type.
    InstanceType,
    /// The kernel's version.
    KernelVersion,
    /// The kubelet's version.
    KubeletVersion,
    /// The container runtime's version.
    ContainerRuntimeVersion,
    /// The node alone.
    Node,
}

impl Scope {
    /// Those that a node has a value of.
    pub const TRAITS: [Self; 6] = [
        Self::Zone,
        Self::Region,
        Self::InstanceType,
        Self::KernelVersion,
        Self::KubeletVersion,
        Self::ContainerRuntimeVersion,
    ];
}

/// A node's values of [`Scope::TRAITS`], in their order. Empty: unknown.
pub type Traits<'a> = [&'a str; Scope::TRAITS.len()];

/// A cause, and the nodes that share it.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedCause {
    /// What it is.
    pub kind: CauseKind,
    /// What the nodes have in common.
    pub scope: Scope,
    /// The value in common. Empty for the fleet.
    pub value: String,
    /// Nodes with the cause that have it.
    pub nodes: u64,
    /// Nodes that have the value.
    pub nodes_in_scope: u64,
    /// Nodes with the cause that do not have it.
    pub nodes_elsewhere: u64,
    /// Late heartbeats it is the first cause of.
    pub gaps: u64,
    /// When most of them ran, on the aggregator's monotonic clock. Absent: they did not come about together.
    pub together_at: Option<Duration>,
}

/// One node, as far as shared causes are concerned.
struct Member<'a> {
    name: &'a str,
    traits: Traits<'a>,
    /// Its late gaps of the last hour.
    late: Vec<&'a Explained>,
}

/// The nodes that have a cause.
struct Affected<'a> {
    kind: CauseKind,
    /// Their positions among all members, with their late gaps of this cause.
    nodes: BTreeMap<usize, Vec<&'a Explained>>,
}

impl Fleet {
    /// Causes of the heartbeats that were late within the last hour before `now` of the aggregator's clock, the widest first.
    /// `traits` gives what is known of a node.
    pub fn shared_causes<'t>(
        &self,
        now: Duration,
        traits: impl Fn(&str) -> Traits<'t>,
    ) -> Vec<SharedCause> {
        let members: Vec<Member<'_>> = self
            .histories()
            .map(|node| Member {
                name: node.name(),
                traits: traits(node.name()),
                late: late(node, now),
            })
            .collect();
        let mut shared: Vec<SharedCause> = CauseKind::ALL
            .into_iter()
            .map(|kind| Affected::of(kind, &members))
            .flat_map(|affected| affected.told(&members))
            .collect();
        shared.sort_by_key(|cause| (cause.scope, std::cmp::Reverse(cause.nodes)));
        shared
    }
}

fn late(node: &NodeHistory, now: Duration) -> Vec<&Explained> {
    let oldest = now.saturating_sub(LOOK_BACK);
    let all = node.explained().iter().chain(node.reboots());
    all.filter(|late| late.why.ended >= oldest).collect()
}

impl<'a> Affected<'a> {
    fn of(kind: CauseKind, members: &[Member<'a>]) -> Self {
        let mut nodes = BTreeMap::<usize, Vec<&Explained>>::new();
        for (index, member) in members.iter().enumerate() {
            let of_kind = member.late.iter().filter(|late| late.why.main() == kind);
            for late in of_kind {
                nodes.entry(index).or_default().push(late);
            }
        }
        Self { kind, nodes }
    }

    fn told(&self, members: &[Member<'_>]) -> Vec<SharedCause> {
        let count = self.nodes.len() as u64;
        let several = count >= SEVERAL;
        if several && let Some((scope, value)) = self.common_value(members) {
            return vec![self.cause(scope, value, members)];
        }
        if several && count as f64 >= FLEETS_SHARE * members.len() as f64 {
            return vec![self.cause(Scope::Fleet, "", members)];
        }
        let mut singles: Vec<SharedCause> = self
            .nodes
            .keys()
            .map(|node| self.cause(Scope::Node, members[*node].name, members))
            .collect();
        singles.sort_by_key(|cause| std::cmp::Reverse(cause.gaps));
        // Too many to name, and together all the same: that is the fleet's.
        if singles.len() > MOST_SINGLES {
            let fleets = self.cause(Scope::Fleet, "", members);
            if fleets.together_at.is_some() {
                return vec![fleets];
            }
        }
        singles.truncate(MOST_SINGLES);
        singles
    }

    /// The value that the nodes have in common more often than by chance. Absent: there is none.
    fn common_value<'m>(&self, members: &'m [Member<'_>]) -> Option<(Scope, &'m str)> {
        let population = members.len() as u64;
        let affected = self.nodes.len() as u64;
        let mut tried = 0_u32;
        let mut best: Option<(f64, Scope, &str)> = None;
        for (index, scope) in Scope::TRAITS.into_iter().enumerate() {
            let values: BTreeSet<&str> = self
                .nodes
                .keys()
                .map(|node| members[*node].traits[index])
                .filter(|value| !value.is_empty())
                .collect();
            tried += values.len() as u32;
            for value in values {
                let (inside, having) = self.inside(scope, value, members);
                let chance = hypergeometric_at_least(population, having, affected, inside);
                let most = inside as f64 >= MOST_HAVE_IT * affected as f64;
                if most && best.is_none_or(|(least, ..)| chance < least) {
                    best = Some((chance, scope, value));
                }
            }
        }
        let (chance, scope, value) = best?;
        (chance * f64::from(tried) < NO_ACCIDENT).then_some((scope, value))
    }

    /// Nodes with the cause that have the value, and all that have it.
    fn inside(&self, scope: Scope, value: &str, members: &[Member<'_>]) -> (u64, u64) {
        let has = |member: &Member<'_>| match scope {
            Scope::Fleet => true,
            Scope::Node => member.name == value,
            _ => {
                let index = Scope::TRAITS.iter().position(|of| *of == scope);
                index.is_some_and(|index| member.traits[index] == value)
            }
        };
        let inside = self.nodes.keys().filter(|node| has(&members[**node]));
        let having = members.iter().filter(|member| has(member));
        (inside.count() as u64, having.count() as u64)
    }

    fn cause(&self, scope: Scope, value: &str, members: &[Member<'_>]) -> SharedCause {
        let (nodes, nodes_in_scope) = self.inside(scope, value, members);
        let alone = |node: usize| scope != Scope::Node || members[node].name == value;
        let late: Vec<&[&Explained]> = self
            .nodes
            .iter()
            .filter(|(node, _)| alone(**node))
            .map(|(_, late)| late.as_slice())
            .collect();
        SharedCause {
            kind: self.kind,
            scope,
            value: value.to_owned(),
            nodes,
            nodes_in_scope,
            nodes_elsewhere: match scope {
                Scope::Node => 0,
                _ => self.nodes.len() as u64 - nodes,
            },
            gaps: late.iter().map(|late| late.len() as u64).sum(),
            together_at: together(&late),
        }
    }
}

/// The moment at which most of these nodes, each with its late gaps, were late together. Absent: there is none, or chance
/// alone would find one.
fn together(nodes: &[&[&Explained]]) -> Option<Duration> {
    // Gaps of one node follow each other, so as many run as nodes are late.
    let mut ends: Vec<(Duration, i32)> = nodes
        .iter()
        .flat_map(|late| late.iter())
        .flat_map(|late| [(started(late), 1), (late.why.ended, -1)])
        .collect();
    ends.sort_unstable();
    let (mut running, mut most) = (0, (0, Duration::ZERO));
    for (moment, step) in ends {
        running += step;
        if running > most.0 {
            most = (running, moment);
        }
    }
    let (most, moment) = (f64::from(most.0), most.1);
    let by_chance: f64 = nodes.iter().map(|late| share_of_time(late)).sum();
    let enough = most >= SEVERAL as f64
        && most > TOGETHER * nodes.len() as f64
        && most >= BEYOND_CHANCE * by_chance;
    enough.then_some(moment)
}

fn started(late: &Explained) -> Duration {
    late.why.ended.saturating_sub(late.gap.duration)
}

/// The share of the last hour, or of as much of it as is kept, in which a node with these late gaps was late.
fn share_of_time(late: &[&Explained]) -> f64 {
    let all: Duration = late.iter().map(|late| late.gap.duration).sum();
    let over = match late {
        [first, .., last] if late.len() >= EXPLANATIONS_KEPT => {
            last.why.ended.saturating_sub(started(first))
        }
        _ => LOOK_BACK,
    };
    all.as_secs_f64() / over.as_secs_f64().max(1.0)
}
