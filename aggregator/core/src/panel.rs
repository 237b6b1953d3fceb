//! Several controllers that judge the same gaps, each gap once for all of them.
//!
//! Most grace periods of one question cannot be told apart: a controller acts at polls, so that between two of them any grace period
//! does the same. Those are judged once. The others share what a gap's start comes down to, and most of them are done with a gap at
//! once, because it is shorter than the earliest flip of all that accept longer ones.

use std::time::Duration;

use crate::{
    controller::{ControllerSettings, Footing, Judge},
    expected::Risk,
    gap_history::GapHistory,
};

/// Controllers that judge differently.
pub(crate) struct Panel {
    /// Those with one monitor period after the other, and among these the ones that accept longer gaps later.
    judges: Vec<Judge>,
    /// Which of them stands for each of the settings.
    stands_for: Vec<usize>,
    shortest_grace: Duration,
    earliest: Duration,
}

impl Panel {
    /// A panel of controllers with these settings.
    pub(crate) fn new(settings: &[ControllerSettings]) -> Self {
        let all: Vec<Judge> = settings.iter().copied().map(Judge::new).collect();
        let mut judges: Vec<Judge> = Vec::with_capacity(all.len());
        for judge in &all {
            if !judges.iter().any(|other| judge.judges_as(other)) {
                judges.push(*judge);
            }
        }
        judges.sort_by_key(|judge| (judge.settings().monitor_period, judge.earliest()));
        let place = |judge: &Judge| judges.iter().position(|other| judge.judges_as(other));
        let graces = settings.iter().map(|settings| settings.grace_period);
        Self {
            stands_for: all.iter().filter_map(place).collect(),
            shortest_grace: graces.min().unwrap_or_default(),
            earliest: judges.iter().map(Judge::earliest).min().unwrap_or_default(),
            judges,
        }
    }

    /// The judges.
    pub(crate) fn judges(&self) -> &[Judge] {
        &self.judges
    }

    /// The number of the judge that stands for the settings with this number.
    pub(crate) fn stands_for(&self, settings: usize) -> usize {
        self.stands_for[settings]
    }

    /// The risk that the gaps of one node run under each of them; the same as [`Risk::of`] says. Absent: none under any.
    pub(crate) fn risks(&self, gaps: &GapHistory) -> Option<Vec<Risk>> {
        // Most nodes are done here.
        gaps.sketch()
            .max()
            .filter(|longest| *longest > self.earliest)?;
        let none = Risk::observed_for(gaps.measured());
        let mut risks = vec![none; self.judges.len()];
        for gap in gaps.beyond(self.shortest_grace) {
            let mut footing = Footing::of(gap.start);
            let mut judged = self.judges.iter().zip(&mut risks).peekable();
            while let Some((judge, risk)) = judged.next() {
                if gap.duration <= judge.earliest() {
                    // So it is for those after it that look as often.
                    let period = judge.settings().monitor_period;
                    let as_often =
                        |(next, _): &(&Judge, _)| next.settings().monitor_period == period;
                    while judged.next_if(as_often).is_some() {}
                } else if let Some(judgement) = judge.judge_from(gap.duration, &mut footing) {
                    risk.add(&gap, &judgement);
                }
            }
        }
        Some(risks)
    }
}
