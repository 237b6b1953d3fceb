//! Which cause comes first, and which next.
//!
//! Causes overlap: what waits for memory waits for a disk as well, and a request without an answer speaks for a lost connection
//! and for a server that hangs. So after the first cause the one comes next that accounts for most of the seconds that those
//! before it leave, and what one of them explains already comes after what has nothing to do with it. The seconds that are told
//! of each are all that it accounts for.

use std::{cmp::Ordering, time::Duration};

use super::{
    case::{Claim, WEAK},
    consequences::{brings_about, explains},
    explanation::Cause,
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
            if self.compare(&claims[index], &claims[next]).is_gt() {
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

    /// How two claims compare: what is known before what is only hinted at, then by the seconds that the causes before them leave.
    /// Of what is left nothing of, what none of those explains comes first.
    fn compare(&self, left: &Claim, right: &Claim) -> Ordering {
        let is_explained = |claim| self.seconds_explained_of(claim) > 0.0;
        let known = right.is_weak.cmp(&left.is_weak);
        let [one, other] = [left, right].map(|claim| self.seconds_beside(claim));
        known
            .then(one.total_cmp(&other))
            .then(is_explained(right).cmp(&is_explained(left)))
            .then(left.seconds.total_cmp(&right.seconds))
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
            .filter(|(first, _)| explains(first, claim, self.vantage));
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
        brings_about(first, second, self.vantage)
            && first.is_weak <= second.is_weak
            && first.seconds >= BROUGHT_ABOUT * second.seconds
            && beside >= BROUGHT_ABOUT * later
            && (first.seconds >= convincing || second.seconds < convincing)
    }
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
