//! The grace period to set: the smallest whose flip rate meets a goal, what it costs, and what else must hold.

mod checks;
mod settings_text;

use std::{ops::Range, time::Duration};

pub use checks::{Check, LiveSettings, Outcome, check};

use crate::{
    controller::{ControllerSettings, SettingsError},
    expected::DAY,
    fleet::Fleet,
    stats::RULE_OF_THREE,
    what_if::{Basis, Candidate, Replay, WhatIf},
};

/// Longest grace period that is considered: beyond the time after which pods are evicted (5 min) a node is better called
/// dead.
const LONGEST_GRACE: Duration = Duration::from_secs(300);

/// What a grace period is to achieve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// False flips accepted, per node and day.
    pub flips_per_node_day: f64,
}

impl Default for Goal {
    /// One false flip per 1,000 nodes a month.
    fn default() -> Self {
        Self {
            flips_per_node_day: 1.0 / (1000.0 * 30.0),
        }
    }
}

/// What to set, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The goal, for the fleet per day.
    pub goal_per_day: f64,
    /// How many times longer than was observed one would have to watch to see one flip at the goal's rate. Up to some ten
    /// the recommendation rests on what was seen; above, on the shape of the tail. Absent: nothing was observed.
    pub reach: Option<f64>,
    /// What the present settings lead to.
    pub present: WhatIf,
    /// The smallest grace period that meets the goal, and the checks that one of at most five minutes can meet. Absent: see
    /// `shortage`.
    pub recommended: Option<WhatIf>,
    /// The grace period that the gaps alone ask for. Absent: it is the recommended one; no check raised it.
    pub raised_from: Option<Duration>,
    /// The smallest grace period that meets the goal even at the upper end of its interval, and the checks. Absent: there is
    /// none that the data can vouch for.
    pub safe: Option<WhatIf>,
    /// Why there is no recommendation. Absent: there is one.
    pub shortage: Option<Shortage>,
    /// What must hold besides the flip rate, for the recommended grace period or, without one, for the present.
    pub checks: Vec<Check>,
    /// Settings to paste. Empty: nothing to change.
    pub settings: Vec<SettingsText>,
}

/// Settings in the form of one of the files they go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsText {
    /// Where it goes, such as "kubeadm `ClusterConfiguration`".
    pub place: &'static str,
    /// The text.
    pub text: String,
}

/// Why nothing can be recommended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortage {
    /// No gap was measured.
    NothingMeasured,
    /// Too little was seen to vouch for a rate as low as the goal.
    NotEnoughData {
        /// Time observed, over all nodes.
        observed: Duration,
        /// Time after which seeing no flip would vouch for the goal (rule of three). Earlier when long gaps show up whose
        /// tail can be extrapolated.
        needed: Duration,
    },
    /// Even the longest grace period considered does not meet the goal: the causes of the gaps must go.
    OutOfReach {
        /// The longest grace period considered.
        longest: Duration,
    },
}

/// Recommends a grace period for the fleet's controller, whose monitor period stays.
///
/// # Errors
/// When the fleet's settings are no controller's.
pub fn recommend(
    fleet: &Fleet,
    goal: Goal,
    live: &LiveSettings,
) -> Result<Recommendation, SettingsError> {
    let controller = fleet.config().controller;
    controller.validate()?;
    let search = Search::new(fleet, goal);
    let present = search.what_if(controller.grace_period);
    let recommended = search.smallest(Strictness::Estimate);
    let safe = search.smallest(Strictness::UpperEnd);
    let by_gaps = recommended.as_ref().map(|found| found.candidate);
    let fit = |what_if: WhatIf| search.raise_to_checks(what_if, live);
    let (recommended, safe) = (recommended.map(fit), safe.map(fit));
    let candidate = recommended.as_ref().map(|found| found.candidate);
    let raised_from = by_gaps.filter(|_| by_gaps != candidate);
    let shortage = recommended.is_none().then(|| search.shortage());
    let grace = recommended
        .as_ref()
        .map_or(controller.grace_period, |what_if| {
            what_if.candidate.grace_period
        });
    let judged = controller.with_periods(grace, controller.monitor_period);
    Ok(Recommendation {
        goal_per_day: search.goal_per_day,
        reach: search.reach(),
        present,
        shortage,
        checks: check(&judged, live),
        settings: settings_text::settings(&controller, recommended.as_ref(), live),
        recommended,
        raised_from: raised_from.map(|candidate| candidate.grace_period),
        safe,
    })
}

/// Which figure of an estimate must meet the goal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Estimate,
    UpperEnd,
}

/// The search for the smallest grace period: every number of monitor periods is a candidate, since those in between act as
/// the next longer one.
struct Search<'a> {
    replay: Replay<'a>,
    controller: ControllerSettings,
    goal: Goal,
    goal_per_day: f64,
}

impl<'a> Search<'a> {
    fn new(fleet: &'a Fleet, goal: Goal) -> Self {
        let replay = Replay::new(fleet);
        Self {
            goal_per_day: goal.flips_per_node_day * replay.nodes() as f64,
            replay,
            controller: fleet.config().controller,
            goal,
        }
    }

    fn reach(&self) -> Option<f64> {
        let observed_days = self.replay.observed().as_secs_f64() / DAY;
        (observed_days > 0.0).then(|| 1.0 / (self.goal.flips_per_node_day * observed_days))
    }

    fn what_if(&self, grace_period: Duration) -> WhatIf {
        let candidate = Candidate {
            grace_period,
            monitor_period: self.controller.monitor_period,
        };
        let mut outcomes = self.replay.run(&[candidate], &|_| None, &|| ());
        outcomes.remove(0)
    }

    /// The smallest candidate that meets the goal. Rates fall with the grace period among the candidates whose gaps are
    /// counted and among those left to the tail, which may take over at a higher rate: each part is searched by itself.
    fn smallest(&self, strictness: Strictness) -> Option<WhatIf> {
        let period = self.controller.monitor_period;
        let longest = (LONGEST_GRACE.as_nanos() / period.as_nanos()) as u32;
        // At least two polls: a grace period must be longer than the monitor period.
        let all = 2..longest + 1;
        let accepted = |polls| self.meets(&self.what_if(period * polls), strictness);
        let extrapolated = first(all.clone(), |polls| {
            !self.what_if(period * polls).trusts_replay()
        });
        let mut polls = first(all.start..extrapolated, accepted);
        if polls == extrapolated {
            polls = first(extrapolated..all.end, accepted);
        }
        (polls < all.end).then(|| self.what_if(period * polls))
    }

    fn meets(&self, what_if: &WhatIf, strictness: Strictness) -> bool {
        what_if.estimate().is_some_and(|estimate| {
            let rate = match (strictness, estimate.basis) {
                // Nothing seen is no estimate: its upper end must do.
                (Strictness::UpperEnd, _) | (_, Basis::HardlySeen) => estimate.interval.upper,
                (Strictness::Estimate, _) => estimate.per_day,
            };
            rate <= self.goal_per_day
        })
    }

    /// The next longer candidate that fails no check which a longer grace period mends; where that is longer than is considered,
    /// the kubelet's settings must mend what they can.
    fn raise_to_checks(&self, what_if: WhatIf, live: &LiveSettings) -> WhatIf {
        let period = what_if.candidate.monitor_period;
        let raised = live
            .shortest_graces()
            .into_iter()
            .filter_map(|needed| u32::try_from(needed.as_nanos().div_ceil(period.as_nanos())).ok())
            .filter_map(|polls| period.checked_mul(polls))
            .find(|grace| *grace <= LONGEST_GRACE);
        match raised {
            Some(grace) if grace > what_if.candidate.grace_period => self.what_if(grace),
            _ => what_if,
        }
    }

    fn shortage(&self) -> Shortage {
        let observed = self.replay.observed();
        if observed.is_zero() {
            return Shortage::NothingMeasured;
        }
        let longest = self.what_if(LONGEST_GRACE);
        let seen = longest
            .estimate()
            .is_some_and(|estimate| estimate.basis != Basis::HardlySeen);
        if seen {
            return Shortage::OutOfReach {
                longest: LONGEST_GRACE,
            };
        }
        let days = RULE_OF_THREE / self.goal.flips_per_node_day;
        let seconds = days * DAY;
        Shortage::NotEnoughData {
            observed,
            needed: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        }
    }
}

/// The first number for which `holds` does, as for all later ones; the end when it holds for none.
fn first(numbers: Range<u32>, holds: impl Fn(u32) -> bool) -> u32 {
    let Range {
        start: mut low,
        end: mut high,
    } = numbers;
    while low < high {
        let middle = u32::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
