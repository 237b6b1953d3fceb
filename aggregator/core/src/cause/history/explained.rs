//! When the late gap that ended last is judged, and what is kept of it.

use std::time::Duration;

use super::{CauseHistory, EXPLANATIONS_KEPT, Explained, PATIENCE, PATIENCE_INTERVALS};
use crate::{
    cause::{
        explanation::{CauseTotal, Explanation},
        facts::{Facts, Source},
        judge,
        window::Ended,
    },
    gap::Gap,
};

impl CauseHistory {
    /// Judges the late gap that ended last by a sample taken after its end: for the time being by a fine one, which lacks the
    /// dearer figures, and finally by the next coarse one. One that had no answer from the kubelet is not the last word: whether
    /// it was started anew is known once it answers.
    pub(super) fn judge(&mut self, facts: &Facts) -> Option<Explained> {
        let end = self.ended()?.seen.until?;
        if facts.at < end {
            return None;
        }
        let explained = self.explain()?;
        let is_whole = !facts.fine && !facts.failed.has(Source::KubeletMetrics);
        if is_whole || facts.at > end + self.patience() {
            self.conclude();
        }
        Some(explained)
    }

    /// Lets time pass up to `at` of the node's clock; gives the gap that is explained by what is known of it, because no
    /// sample came.
    pub(crate) fn pass(&mut self, at: Duration) -> Option<Explained> {
        if let Some(untold) = self.untold.take() {
            return Some(*untold);
        }
        let end = self.ended()?.seen.until?;
        if at <= end + self.patience() {
            return None;
        }
        let explained = self.explain();
        self.conclude();
        explained
    }

    /// How long a sample is waited for, by how often the node takes them.
    pub(crate) fn patience(&self) -> Duration {
        let [coarse, _] = &self.series;
        let interval = coarse.as_ref().map_or(Duration::ZERO, |last| last.interval);
        PATIENCE.max(interval.mul_f64(PATIENCE_INTERVALS))
    }

    /// The late gap that ended last, and is one.
    fn ended(&self) -> Option<&Ended> {
        self.ended.as_deref().filter(|ended| !ended.in_doubt)
    }

    /// Explains the late gap that ended last by what is known now.
    fn explain(&mut self) -> Option<Explained> {
        let ended = self.ended()?;
        let explained = Explained {
            gap: ended.gap,
            why: judge::explain(ended, &self.baseline),
        };
        self.explained.retain(|known| known.gap != explained.gap);
        self.keep(explained.clone());
        Some(explained)
    }

    fn keep(&mut self, explained: Explained) {
        if self.explained.len() == EXPLANATIONS_KEPT {
            self.explained.remove(0);
        }
        self.explained.push(explained);
    }

    /// Nothing more is to be learned of the late gap that ended last: it counts. Gives it where no sample had explained it yet.
    pub(super) fn conclude(&mut self) -> Option<Explained> {
        let ended = self.ended()?;
        let known = self.explained.iter().find(|known| known.gap == ended.gap);
        let (explained, is_new) = match known.cloned() {
            Some(known) => (known, false),
            None => (self.explain()?, true),
        };
        self.ended = None;
        self.count(&explained);
        is_new.then_some(explained)
    }

    /// Counts the first cause of a gap.
    pub(in crate::cause) fn count(&mut self, explained: &Explained) {
        let Some(first) = explained.why.causes.first() else {
            return;
        };
        let end = explained.gap.end_time;
        match self
            .totals
            .iter_mut()
            .find(|total| total.kind == first.kind)
        {
            Some(total) => {
                total.gaps += 1;
                total.accounts_for += first.accounts_for;
                total.last = total.last.max(end);
            }
            None => self.totals.push(CauseTotal {
                kind: first.kind,
                gaps: 1,
                accounts_for: first.accounts_for,
                last: end,
            }),
        }
    }

    /// The explanation of `gap`. Absent: it is not kept, or was no longer than usual, or waits for the next sample.
    pub(crate) fn explanation(&self, gap: &Gap) -> Option<&Explanation> {
        let latest_first = self.explained.iter().rev().chain(&self.reboots);
        let known = latest_first.into_iter().find(|known| known.gap == *gap);
        known.map(|known| &known.why)
    }

    /// What was counted of each cause, the one that accounts for most first.
    pub(crate) fn causes(&self) -> Vec<CauseTotal> {
        let mut totals = self.totals.clone();
        totals.sort_by_key(|total| std::cmp::Reverse((total.accounts_for, total.gaps)));
        totals
    }
}
