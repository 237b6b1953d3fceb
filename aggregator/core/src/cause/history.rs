//! What a node's samples and heartbeats say together: which samples teach what is usual, and which speak of a late gap.

mod explained;

use std::time::Duration;

use super::{
    baseline::{Baseline, Row},
    explanation::{CauseTotal, Explanation},
    facts::Facts,
    kubelet::Kubelet,
    seen::{Interval, Moment},
    values::{Series, Values},
    window::{Beat, Ended, Window},
};
use crate::{
    event::{BlindSpell, Rhythm},
    gap::Gap,
    snapshot::LastArrival,
};

/// Explanations kept for each node, the oldest dropped first. Of some 400 bytes, at most 1.2 KiB each: those of the last
/// hours of a bad node, or of years of a good one.
pub(super) const EXPLANATIONS_KEPT: usize = 16;
/// How long the sample that shows how a late gap ended is waited for at least, on the node's clock.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same in intervals between coarse samples: time for two of them, since the first one may have asked a kubelet that was
/// not there yet.
const PATIENCE_INTERVALS: f64 = 2.5;

/// Why a node's heartbeats are late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CauseHistory {
    /// What is usual on the node.
    pub baseline: Baseline,
    /// The latest sample of each series, the coarse one first.
    pub series: [Option<Series>; 2],
    /// What was true when the latest sample was taken.
    pub moment: Option<Moment>,
    /// The kubelet as seen last.
    pub kubelet: Kubelet,
    /// How often it means to beat.
    pub rhythm: Rhythm,
    /// Since when heartbeats are on time, since boot.
    pub quiet_since: Duration,
    /// The latest sample since the last heartbeat, to be learned once the next one is on time.
    pub candidate: Option<Row>,
    /// The time since the last heartbeat. Absent: none was seen, or others may be missing.
    pub window: Option<Window>,
    /// The late gap that ended last, while a sample is awaited that shows how.
    pub ended: Option<Box<Ended>>,
    /// The late gaps that were explained last, oldest first.
    pub explained: Vec<Explained>,
    /// The last one of a boot that has ended, explained by what was known by then: it is given with the next report. Not kept
    /// over a restart of the aggregator.
    pub untold: Option<Box<Explained>>,
    /// The last heartbeat of the boot before, until the first one of this boot is seen.
    pub before_reboot: Option<LastArrival>,
    /// The gaps over the last reboots, oldest first.
    pub reboots: Vec<Explained>,
    /// What was counted of each cause.
    pub totals: Vec<CauseTotal>,
}

/// A late gap with its explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The gap.
    pub gap: Gap,
    /// Why it was so long.
    pub why: Explanation,
}

impl CauseHistory {
    /// A heartbeat came, and ended this gap. No gap: what was before it cannot be measured.
    /// The other part of `gap` says whether it is long enough to be kept exactly. Gives the late gap before, where that is
    /// explained only now.
    pub(crate) fn beat(&mut self, gap: Option<(Gap, bool)>, beat: &Beat) -> Option<Explained> {
        let candidate = self.candidate.take();
        let window = self.window.replace(Window::since(beat));
        let Some(((gap, is_long), window)) = gap.zip(window) else {
            self.quiet_since = beat.arrival;
            return None;
        };
        if window.is_late(gap.duration) {
            self.quiet_since = beat.arrival;
        } else if let Some(row) = candidate {
            self.baseline.learn(row);
        }
        if !(is_long && window.is_explained(gap.duration)) {
            return None;
        }
        let before = self.conclude();
        self.ended = Some(Box::new(window.end(gap, beat)));
        before
    }

    /// A heartbeat came after an interval that may be a late gap: what was recorded of it is put by until that is known. Gives the
    /// late gap before, where that is explained only now.
    pub(crate) fn doubt(&mut self, gap: Gap, beat: &Beat) -> Option<Explained> {
        self.candidate = None;
        self.quiet_since = beat.arrival;
        let window = self.window.replace(Window::since(beat))?;
        let before = self.conclude();
        self.ended = Some(Box::new(Ended {
            in_doubt: true,
            ..window.end(gap, beat)
        }));
        before
    }

    /// The interval that was in doubt is this gap, or cannot be told. It is explained with the next sample.
    pub(crate) fn settle(&mut self, gap: Option<Gap>) {
        if self.ended.as_ref().is_some_and(|ended| ended.in_doubt) {
            let settled = |(ended, gap): (Box<Ended>, Gap)| Ended {
                gap,
                in_doubt: false,
                ..*ended
            };
            self.ended = self.ended.take().zip(gap).map(settled).map(Box::new);
        }
    }

    /// Takes a sample; gives the gap that it explains.
    pub(crate) fn sample(&mut self, facts: &Facts) -> Option<Explained> {
        let series = &mut self.series[usize::from(facts.fine)];
        let newest = series.as_ref().is_none_or(|last| last.at < facts.at);
        if !newest {
            return None;
        }
        let values = Series::values(series.as_ref(), facts);
        *series = Some(Series::of(facts));
        self.hold(facts.at, &values);
        self.look_at_kubelet(facts);
        if let Some(window) = &mut self.window {
            window.see_wall(facts.at, facts.wall);
        }
        if let Some(length) = facts.interval {
            let interval = Interval {
                start: facts.at.saturating_sub(length),
                end: facts.at,
                fine: facts.fine,
            };
            if let Some(ended) = &mut self.ended {
                ended.seen.take(&values, interval, facts.read);
            }
            if let Some(window) = &mut self.window {
                window.take_early(&values, interval);
            }
            if let Some(seen) = self
                .window
                .as_mut()
                .and_then(|window| window.seen_until(facts.at))
            {
                seen.take(&values, interval, facts.read);
            }
            let quiet = interval.start >= self.quiet_since;
            if !facts.fine && quiet && self.window.is_some() {
                self.candidate = Some(Row::of(&values));
            }
        }
        self.judge(facts)
    }

    /// What was true at the sample before held until half way to this one, and what is true now since then.
    fn hold(&mut self, at: Duration, values: &Values) {
        let now = Moment::of(at, values);
        let before = self.moment.replace(now);
        let Some(before) = before else { return };
        if before.at >= at {
            self.moment = Some(before);
            return;
        }
        let middle = before.at + (at - before.at) / 2;
        let windows = [
            self.ended.as_mut().map(|ended| &mut *ended.seen),
            self.window
                .as_mut()
                .and_then(|window| window.seen_until(at)),
        ];
        for seen in windows.into_iter().flatten() {
            seen.hold(&before, before.at, middle);
            seen.hold(&now, middle, at);
        }
    }

    /// A kubelet that took the place of another was started within the gap that runs, or within the one that ended last.
    fn look_at_kubelet(&mut self, facts: &Facts) {
        let Some(replaced) = self.kubelet.see(facts) else {
            return;
        };
        if let Some(window) = &mut self.window
            && replaced.started > window.start
        {
            window.replaced.get_or_insert(replaced.last_sight);
        } else if let Some(ended) = &mut self.ended
            && let Some(end) = ended.seen.until
            && replaced.started + ended.gap.duration > end
        {
            let since = replaced.last_sight.max(ended.seen.from);
            ended.gone = ended.gone.max(end.saturating_sub(since));
        }
    }

    /// The agent could not see a channel.
    pub(crate) fn blind(&mut self, spell: &BlindSpell) {
        let &BlindSpell {
            channel,
            start,
            end,
            reason,
            ..
        } = spell;
        let windows = [
            self.ended.as_mut().map(|ended| &mut *ended.seen),
            self.window
                .as_mut()
                .and_then(|window| window.seen_until(end)),
        ];
        for seen in windows.into_iter().flatten() {
            seen.blind(channel, reason, start, end);
        }
    }

    /// Another boot: what compares with times of the one before is gone.
    pub(super) fn end_boot(&mut self) {
        let last = self.conclude();
        self.untold = last.map(Box::new).or(self.untold.take());
        self.window = None;
        self.candidate = None;
        self.series = [None; 2];
        self.moment = None;
        self.kubelet = Kubelet::default();
        self.quiet_since = Duration::ZERO;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        use super::seen::Seen;
        let window = self.window.as_ref().and_then(|window| window.seen.as_ref());
        let explained = |known: &Explained| known.why.heap_bytes();
        self.baseline.heap_bytes()
            + window.map_or(0, |_| size_of::<Seen>())
            + self.untold.as_ref().map_or(0, |_| size_of::<Explained>())
            + self
                .ended
                .as_ref()
                .map_or(0, |_| size_of::<Ended>() + size_of::<Seen>())
            + (self.explained.capacity() + self.reboots.capacity()) * size_of::<Explained>()
            + self
                .explained
                .iter()
                .chain(&self.reboots)
                .map(explained)
                .sum::<usize>()
            + self.totals.capacity() * size_of::<CauseTotal>()
    }
}
