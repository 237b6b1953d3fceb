//! What is held against a cause: how far each figure was off while a heartbeat was awaited, in seconds.

use std::time::Duration;

use super::{
    baseline::{Baseline, least_deviation},
    explanation::Evidence,
    figure::{Figure, Reading, Unit},
    kind::CauseKind,
    seen::Seen,
};

/// Most figures named for a cause: a sentence holds no more.
pub(super) const MOST_EVIDENCE: usize = 4;
/// Share of what the strongest figure accounts for that another one must account for to be named beside it.
const WORTH_NAMING: f32 = 0.1;
/// Share of what the strongest figure accounts for from which on another one accounts for about as much.
const ABOUT_AS_MUCH: f32 = 0.5;
/// A figure this many standard deviations above what is usual is worth a word.
const REMARKABLE: f32 = 3.0;
/// How much a weak figure counts at most where nothing else speaks for the same cause.
pub(super) const WEAK: f32 = 0.3;
/// Share of the lateness that other figures must account for to back a weak one.
const BACKED: f32 = 0.1;
/// Seconds that a sample covers from which what is usual was learned.
const SECONDS_OF_SAMPLE: f32 = 10.0;

/// What figures were while a heartbeat was awaited, and what they usually are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    /// Seconds that are to be accounted for.
    pub(super) lateness: f32,
    /// What was recorded of them.
    pub(super) seen: &'a Seen,
    /// What is usual.
    pub(super) usual: &'a Baseline,
}

/// What a cause accounts for.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// The cause.
    pub(super) kind: CauseKind,
    /// Seconds of the lateness.
    pub(super) seconds: f32,
    /// What they rest on, the most telling first.
    pub(super) evidence: Vec<Evidence>,
    /// True when only weak figures speak for it, or next to nothing else does.
    pub(super) is_weak: bool,
}

impl Claim {
    /// The claim of a cause for which more speaks than weak figures.
    pub(super) const fn of(kind: CauseKind, seconds: f32, evidence: Vec<Evidence>) -> Self {
        Self {
            kind,
            seconds,
            evidence,
            is_weak: false,
        }
    }

    /// The figure that is told first. Absent: there is none.
    pub(super) fn led_by(&self) -> Option<Figure> {
        self.evidence.first().map(|evidence| evidence.figure)
    }
}

impl Case<'_> {
    /// A figure as evidence. Absent: it was not recorded.
    pub(super) fn evidence(&self, figure: Figure) -> Option<Evidence> {
        let (value, seconds) = self.seen.figure(figure)?;
        let usual = self.usual.usual(figure);
        Some(Evidence {
            figure,
            value,
            usual: usual.map(|usual| usual.median),
            deviations: usual.map(|usual| (value - usual.median) / usual.deviation),
            recorded: Duration::from_secs_f32(seconds.min(self.lateness)),
        })
    }

    /// A figure as evidence where it was above what is usual by so much that it tells something: a share of 0.1 % beside one of
    /// nothing does not. Absent: it was not, or was not recorded.
    pub(super) fn evidence_above_usual(&self, figure: Figure) -> Option<Evidence> {
        let tells = self.excess(figure)? >= least_deviation(figure.unit());
        self.evidence(figure).filter(|_| tells)
    }

    /// How far a figure was above what is usual. Absent: it was not recorded.
    pub(super) fn excess(&self, figure: Figure) -> Option<f32> {
        let (value, _) = self.seen.figure(figure)?;
        Some((value - self.usual_or_assumed(figure)).max(0.0))
    }

    /// The seconds that a share of time was above what is usual, or the time spent on something was. Zero where it was not
    /// recorded.
    pub(super) fn seconds(&self, figure: Figure) -> f32 {
        debug_assert!(
            figure.unit() == Unit::Ratio,
            "{figure:?} is no share of time"
        );
        let recorded = self.seen.figure(figure).map_or(0.0, |(_, seconds)| seconds);
        let seconds = self.excess(figure).unwrap_or(0.0) * recorded;
        seconds.min(self.lateness)
    }

    /// The seconds that a share of time amounts to, what is usual of it included. Absent: it was not recorded.
    pub(super) fn seconds_in_all(&self, figure: Figure) -> Option<f32> {
        let (share, recorded) = self.seen.figure(figure)?;
        Some((share * recorded).min(self.lateness))
    }

    /// What a figure usually is or, until that is known, what it is on a healthy node.
    pub(super) fn usual_or_assumed(&self, figure: Figure) -> f32 {
        let usual = self.usual.usual(figure);
        usual.map_or(figure.assumed(), |usual| usual.median)
    }

    /// True when a rate or share was above what is usual by more than chance: three standard errors of a mean over as many
    /// samples as were taken.
    pub(super) fn is_raised(&self, figure: Figure) -> bool {
        let (Some(excess), Some((_, seconds))) = (self.excess(figure), self.seen.figure(figure))
        else {
            return false;
        };
        let deviation = self
            .usual
            .usual(figure)
            .map_or(figure.assumed(), |usual| usual.deviation);
        let samples = (seconds / SECONDS_OF_SAMPLE).max(1.0);
        excess > 0.0 && excess >= REMARKABLE * deviation / samples.sqrt()
    }

    /// True when figures other than a weak one speak for its cause with so many seconds that it is to be believed.
    pub(super) fn backs(&self, seconds: f32) -> bool {
        seconds >= BACKED * self.lateness
    }

    /// The claim of a cause that is as strong as the strongest of these shares of time, each counted with its weight: they
    /// look at the same seconds from several sides, so they do not add up. Of those that account for about as much, the first
    /// ones in `shares` are told first. What `context` holds is told where it is remarkable. Absent: nothing speaks for it.
    pub(super) fn strongest(
        &self,
        kind: CauseKind,
        shares: &[(Figure, f32)],
        context: &[Figure],
    ) -> Option<Claim> {
        let mut weighed: Vec<(f32, Figure)> = shares
            .iter()
            .map(|(figure, weight)| (weight * self.seconds(*figure), *figure))
            .filter(|(seconds, _)| *seconds > 0.0)
            .collect();
        let seconds = weighed
            .iter()
            .map(|(seconds, _)| *seconds)
            .reduce(f32::max)?;
        let strong = weighed.iter().filter(|(_, figure)| !figure.is_weak());
        let backed = strong.map(|(seconds, _)| *seconds).fold(0.0, f32::max);
        // Stable: the order of the table stays among the strong ones, and among the others.
        weighed.sort_by_key(|(beside, _)| *beside < ABOUT_AS_MUCH * seconds);
        let mut evidence: Vec<Evidence> = weighed
            .iter()
            .filter(|(beside, _)| *beside >= WORTH_NAMING * seconds)
            .filter_map(|(_, figure)| self.evidence(*figure))
            .collect();
        evidence.truncate(MOST_EVIDENCE - 1);
        evidence.extend(self.remarkable(context));
        evidence.truncate(MOST_EVIDENCE);
        Some(Claim {
            is_weak: !self.backs(backed),
            ..Claim::of(kind, seconds, evidence)
        })
    }

    /// Those of `figures` that are far from what is usual, to the worse.
    pub(super) fn remarkable(&self, figures: &[Figure]) -> impl Iterator<Item = Evidence> {
        let evidence = figures.iter().filter_map(|figure| self.evidence(*figure));
        evidence.filter(|evidence| {
            let above = evidence.deviations.unwrap_or(evidence.value);
            let worse = if evidence.figure == Figure::MemoryAvailable {
                -above
            } else {
                above
            };
            worse >= REMARKABLE
        })
    }
}

impl Evidence {
    /// A figure that the judgement of a gap found.
    pub(super) fn found(figure: Figure, value: f32, usual: Option<f32>, recorded: f32) -> Self {
        debug_assert!(
            figure.reading() == Reading::Found,
            "{figure:?} comes from samples"
        );
        Self {
            figure,
            value,
            usual,
            deviations: None,
            recorded: Duration::from_secs_f32(recorded.max(0.0)),
        }
    }
}
