//! Which cause comes first, and which next.
//!
//! Causes overlap: what waits for memory waits for a disk as well, and a request without an answer speaks for a lost connection
//! and for a server that hangs. So after the first cause the one comes next that accounts for most of the seconds that those
//! before it leave, and what one of them explains already comes after what has nothing to do with it. The seconds that are told
//! of each are all that it accounts for.

use std::time::Duration;

use super::{
    case::{Claim, WEAK},
    explanation::Cause,
    figure::Figure,
    judge::is_before_stamp,
    kind::{CauseKind, Vantage},
};

/// Share of the lateness that the first cause must account for; with less, that the cause is not known comes first. More than
/// [`WEAK`], so that no weak figure alone convinces, and less than half, since pressure stall information of the whole host
/// tells but a part of what the kubelet waited.
const CONVINCING: f32 = 0.4;
/// Share of the lateness that several causes must account for together to convince where none does so alone: more than half
/// of it, and more than two weak figures together do. Each must account for more than [`WEAK`].
const CONVINCING_TOGETHER: f32 = 0.65;
/// Share of the lateness below which a cause is not worth a word.
const WORTH_A_WORD: f32 = 0.1;
/// Most causes told of one gap, the first ones.
const MOST_CAUSES: usize = 4;
/// A cause that another one brings about comes after it where that accounts for at least this share of it.
const BROUGHT_ABOUT: f32 = 0.5;

/// Which causes bring others about: what waits for a processor waits for everything else as well.
const CONSEQUENCES: [(CauseKind, &[CauseKind]); 6] = [
    (
        CauseKind::NodePaused,
        &[
            CauseKind::KubeletStopped,
            CauseKind::CpuStarved,
            CauseKind::IoStalled,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
            CauseKind::ConnectionLost,
        ],
    ),
    (
        CauseKind::KubeletStopped,
        &[CauseKind::ApiServerSlow, CauseKind::ConnectionLost],
    ),
    (
        CauseKind::KubeletRestarted,
        &[
            CauseKind::KubeletStopped,
            CauseKind::ApiServerSlow,
            CauseKind::ConnectionLost,
        ],
    ),
    (
        CauseKind::MemoryPressure,
        &[
            CauseKind::KubeletStopped,
            CauseKind::CpuStarved,
            CauseKind::IoStalled,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
        ],
    ),
    (
        CauseKind::IoStalled,
        &[
            CauseKind::KubeletStopped,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
        ],
    ),
    (
        CauseKind::CpuStarved,
        &[
            CauseKind::KubeletStopped,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
        ],
    ),
];

/// Causes of `lateness` seconds, the most likely first.
pub(super) fn ranked(
    mut claims: Vec<Claim>,
    lateness: f32,
    vantage: Option<Vantage>,
) -> Vec<Cause> {
    claims.retain(|claim| claim.seconds >= WORTH_A_WORD * lateness);
    let mut order = Order {
        lateness,
        vantage,
        placed: Vec::with_capacity(claims.len()),
        explained: 0.0,
    };
    while !claims.is_empty() {
        let next = order.next(&claims);
        order.place(claims.remove(next));
    }
    let is_known = order.convinces();
    let unknown = Claim::of(
        CauseKind::Unknown,
        lateness - order.explained.min(lateness),
        Vec::new(),
    );
    let known = order.placed.into_iter().map(|(claim, _)| claim);
    (!is_known)
        .then_some(unknown)
        .into_iter()
        .chain(known.take(MOST_CAUSES))
        .map(|claim| cause(claim, lateness))
        .collect()
}

/// Causes that have their place, each with the seconds that it explains and those before it do not.
struct Order {
    lateness: f32,
    vantage: Option<Vantage>,
    placed: Vec<(Claim, f32)>,
    explained: f32,
}

impl Order {
    /// The index of the claim that comes next.
    fn next(&self, claims: &[Claim]) -> usize {
        let mut next = 0;
        for index in 1..claims.len() {
            // Of two that account for the same the one listed first comes first.
            if self.comes_before(&claims[index], &claims[next]) {
                next = index;
            }
        }
        // What brings it about comes before it, and what brings that about before that.
        for _ in 0..claims.len() {
            let origin = claims
                .iter()
                .position(|first| self.is_origin(first, &claims[next]));
            match origin {
                Some(origin) => next = origin,
                None => break,
            }
        }
        next
    }

    fn comes_before(&self, left: &Claim, right: &Claim) -> bool {
        let key = |claim: &Claim| {
            let explained = self.seconds_explained_of(claim) > 0.0;
            let rank = [!claim.is_weak, !explained].map(u8::from);
            (rank[0], self.seconds_beside(claim), rank[1], claim.seconds)
        };
        let (left, right) = (key(left), key(right));
        let ordering = left
            .0
            .cmp(&right.0)
            .then(left.1.total_cmp(&right.1))
            .then(left.2.cmp(&right.2))
            .then(left.3.total_cmp(&right.3));
        ordering.is_gt()
    }

    fn place(&mut self, claim: Claim) {
        let beside = self.seconds_beside(&claim);
        self.explained += beside;
        self.placed.push((claim, beside));
    }

    /// Seconds of a claim that the causes before it explain.
    fn seconds_explained_of(&self, claim: &Claim) -> f32 {
        let explaining = self
            .placed
            .iter()
            .filter(|(first, _)| self.explains(first, claim));
        explaining
            .map(|(first, _)| first.seconds)
            .fold(0.0, f32::max)
    }

    /// Seconds of a claim that the causes before it leave: what one of them explains lies within its seconds, and what none of
    /// them explains lies beside theirs, as far as there is room.
    fn seconds_beside(&self, claim: &Claim) -> f32 {
        let left = (self.lateness - self.explained).max(0.0);
        (claim.seconds - self.seconds_explained_of(claim)).clamp(0.0, left)
    }

    /// True when the first cause is to be believed, or several causes are that have nothing to do with each other.
    fn convinces(&self) -> bool {
        let alone = self.placed.first().map_or(0.0, |(first, _)| first.seconds);
        let each = WEAK * self.lateness;
        let strong = self.placed.iter().filter(|(_, beside)| *beside > each);
        let together: f32 = strong.map(|(_, beside)| beside).sum();
        alone >= CONVINCING * self.lateness || together >= CONVINCING_TOGETHER * self.lateness
    }

    /// True when the first cause comes before the second one, because it brings that about, and is not told already by what has
    /// its place. One that does not convince does not come before one that does.
    fn is_origin(&self, first: &Claim, second: &Claim) -> bool {
        let convincing = CONVINCING * self.lateness;
        let [beside, later] = [first, second].map(|claim| self.seconds_beside(claim));
        self.brings_about(first, second)
            && first.is_weak <= second.is_weak
            && first.seconds >= BROUGHT_ABOUT * second.seconds
            && beside >= BROUGHT_ABOUT * later
            && (first.seconds >= convincing || second.seconds < convincing)
    }

    /// True when the seconds of the second cause are explained by the first one. Between its stamp and its request a kubelet does
    /// so little that waiting on the node explains only a small part of what passes before the answer.
    fn explains(&self, first: &Claim, second: &Claim) -> bool {
        let waits = matches!(
            first.kind,
            CauseKind::CpuStarved | CauseKind::IoStalled | CauseKind::MemoryPressure
        );
        let later = waits && is_on_the_way(second.kind);
        self.brings_about(first, second) && !later || are_alternatives(first, second)
    }

    fn brings_about(&self, first: &Claim, second: &Claim) -> bool {
        // What delayed the heartbeat after its stamp was not brought about by what delays stamps.
        let after_stamp = self.vantage == Some(Vantage::Delivery)
            && is_before_stamp(first.kind)
            && is_on_the_way(second.kind);
        let consequences = CONSEQUENCES.iter().filter(|(kind, _)| *kind == first.kind);
        let mut kinds = consequences.flat_map(|(_, follow)| *follow);
        !after_stamp && kinds.any(|kind| *kind == second.kind) && !is_seen_itself(first, second)
    }
}

/// True when what speaks for the second cause is nothing that the first one could bring about.
fn is_seen_itself(first: &Claim, second: &Claim) -> bool {
    let Some(figure) = second.led_by() else {
        return false;
    };
    match (first.kind, second.kind) {
        // Short of memory, tasks crowd the processors; no quota is used up and no hypervisor takes time for that.
        (CauseKind::MemoryPressure, CauseKind::CpuStarved) => matches!(
            figure,
            Figure::Throttled | Figure::CpuSteal | Figure::CpuUncounted
        ),
        // No want of anything puts a process into state T.
        (
            CauseKind::CpuStarved | CauseKind::IoStalled | CauseKind::MemoryPressure,
            CauseKind::KubeletStopped,
        ) => figure == Figure::KubeletStopped,
        // Whatever the kubelet waited for: an error is the server's answer.
        (_, CauseKind::ApiServerSlow) if is_an_error(figure) => true,
        // A request that was under way when everything stood still took at least as long as that.
        (
            CauseKind::NodePaused | CauseKind::KubeletStopped,
            CauseKind::ApiServerSlow | CauseKind::ConnectionLost,
        ) => {
            let took = matches!(figure, Figure::DeliveryDelay | Figure::ApiPut);
            took && second.seconds < first.seconds
        }
        _ => false,
    }
}

/// True when the same requests without an answer, or with a late one, speak for either.
fn are_alternatives(first: &Claim, second: &Claim) -> bool {
    let errors = [first, second]
        .into_iter()
        .any(|claim| claim.led_by().is_some_and(is_an_error));
    first.kind != second.kind && is_on_the_way(first.kind) && is_on_the_way(second.kind) && !errors
}

const fn is_on_the_way(kind: CauseKind) -> bool {
    matches!(kind, CauseKind::ApiServerSlow | CauseKind::ConnectionLost)
}

const fn is_an_error(figure: Figure) -> bool {
    matches!(figure, Figure::ApiRefused | Figure::AgentRefused)
}

fn cause(claim: Claim, lateness: f32) -> Cause {
    let seconds = claim.seconds.clamp(0.0, lateness);
    let mut evidence = claim.evidence;
    evidence.shrink_to_fit();
    Cause {
        kind: claim.kind,
        accounts_for: Duration::from_secs_f32(seconds),
        share: if lateness > 0.0 {
            seconds / lateness
        } else {
            0.0
        },
        evidence,
    }
}
