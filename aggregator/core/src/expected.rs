//! How often the controller would flip nodes, judged from the gaps that were measured.

use std::time::Duration;

use crate::{
    controller::{Judge, Judgement},
    gap_history::{GapHistory, LongGap},
    stats::{CountRange, Interval, likely_counts, poisson_interval},
};

/// Seconds of a day.
pub(crate) const DAY: f64 = 86_400.0;
/// Days that a month has in rates.
pub(crate) const MONTH: f64 = 30.0;

/// Flips expected over a time observed.
///
/// The sum of the flip probabilities of all gaps. Two things are uncertain about it: the rate behind the gaps, which
/// [`poisson_interval`] bounds, and the flips that come from just these gaps, which [`ExpectedFlips::likely`] bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpectedFlips {
    /// Sum of the flip probabilities.
    pub expected: f64,
    /// Standard deviation of the flips that come from just these gaps, the phase of the poll being all that is unknown.
    pub standard_deviation: f64,
    /// Flips per day observed.
    pub per_day: f64,
    /// 95 % interval of `per_day`.
    pub per_day_interval: Interval,
    /// Gaps with a flip probability above zero.
    pub risky_gaps: u64,
    /// Time observed: the sum of the gaps measured.
    pub observed: Duration,
}

impl ExpectedFlips {
    /// The flips that come from just these gaps with 95 % probability: what the flips seen are to be held against.
    pub fn likely(&self) -> CountRange {
        likely_counts(self.expected)
    }
}

/// Risks being added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Risk {
    expected: f64,
    /// The part of `expected` that comes from the sketch.
    sketched: f64,
    variance: f64,
    /// Expected time as not ready, in seconds.
    outage: f64,
    risky_gaps: u64,
    observed: Duration,
}

impl Risk {
    /// The risk that the gaps of one node run under such a controller.
    pub fn of(gaps: &GapHistory, judge: &Judge) -> Self {
        let mut risk = Self::observed_for(gaps.measured());
        for gap in gaps.beyond(judge.settings().grace_period) {
            if let Some(judgement) = judge.judge(gap.duration, gap.start) {
                risk.add(&gap, &judgement);
            }
        }
        risk
    }

    /// No risk in so much time.
    pub(crate) fn observed_for(observed: Duration) -> Self {
        Self {
            observed,
            ..Self::default()
        }
    }

    /// The same risk, whose time is counted already.
    pub(crate) const fn in_time_counted(self) -> Self {
        Self {
            observed: Duration::ZERO,
            ..self
        }
    }

    /// Adds that of a gap which was judged so.
    pub(crate) fn add(&mut self, gap: &LongGap, judgement: &Judgement) {
        let (probability, count) = (judgement.flip_probability, gap.count as f64);
        self.expected += probability * count;
        self.sketched += if gap.exact { 0.0 } else { probability * count };
        self.variance += probability * (1.0 - probability) * count;
        self.outage += judgement.mean_outage.as_secs_f64() * count;
        self.risky_gaps += gap.count;
    }

    /// The risks of two nodes together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            sketched: self.sketched + other.sketched,
            variance: self.variance + other.variance,
            outage: self.outage + other.outage,
            risky_gaps: self.risky_gaps + other.risky_gaps,
            observed: self.observed + other.observed,
        }
    }

    /// Sum of the flip probabilities.
    pub const fn expected(&self) -> f64 {
        self.expected
    }

    /// Time for which nodes would have stood as not ready, their heartbeats being late and not gone.
    pub fn outage(&self) -> Duration {
        Duration::from_secs_f64(self.outage)
    }

    /// Share of the expected flips that comes from gaps known within the sketch's error only. 0: all are exact.
    pub fn sketched_ratio(&self) -> f64 {
        if self.expected > 0.0 {
            self.sketched / self.expected
        } else {
            0.0
        }
    }

    /// Time observed.
    pub const fn observed(&self) -> Duration {
        self.observed
    }

    /// Flips expected per day of one node: that part of the figure alone. Absent: nothing was observed.
    pub(crate) fn per_node_day(&self) -> Option<f64> {
        let days = DAY / self.observed.as_secs_f64();
        (!self.observed.is_zero()).then_some(self.expected * days)
    }

    /// Flips of one node to count with in a month: those that its gaps lead to or, where more were seen than they can account for,
    /// those that were seen. The gaps behind them were not measured.
    pub(crate) fn month(&self, flips_seen: u64) -> f64 {
        let Some(per_day) = self.per_node_day() else {
            return 0.0;
        };
        if flips_seen == 0 || flips_seen <= likely_counts(self.expected).most {
            return per_day * MONTH;
        }
        let days = self.observed.as_secs_f64() / DAY;
        per_day.max(flips_seen as f64 / days) * MONTH
    }

    /// The figure, per day of one node. Absent: nothing was observed.
    pub fn per_node(&self) -> Option<ExpectedFlips> {
        self.figure(1.0)
    }

    /// The figure, per day of a fleet of so many nodes, each flipping at the mean rate of what was observed. Absent: nothing
    /// was observed.
    pub fn per_fleet(&self, nodes: u64) -> Option<ExpectedFlips> {
        self.figure(nodes as f64)
    }

    fn figure(&self, nodes: f64) -> Option<ExpectedFlips> {
        if self.observed.is_zero() {
            return None;
        }
        let per_day = nodes * DAY / self.observed.as_secs_f64();
        Some(ExpectedFlips {
            expected: self.expected,
            standard_deviation: self.variance.sqrt(),
            per_day: self.expected * per_day,
            per_day_interval: poisson_interval(self.expected).times(per_day),
            risky_gaps: self.risky_gaps,
            observed: self.observed,
        })
    }
}
