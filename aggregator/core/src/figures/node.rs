//! The figures of one node.

use std::{sync::Arc, time::Duration};

use crate::{
    cause::{CauseKind, CauseTotal, Habit},
    event::{AgentId, Channel, ConditionStatus, Losses, Visibility},
    expected::ExpectedFlips,
    state::Verdict,
    time::{SignedDuration, WallTime},
};

/// A distribution of durations, summarised.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    /// Values in the distribution.
    pub count: u64,
    /// How they spread. Absent: there is no value.
    pub spread: Option<Spread>,
    /// Bound on the relative error of the percentiles.
    pub relative_error: f64,
    /// Resolution of each value on top of that. Absent: below a millisecond.
    pub resolution: Option<Duration>,
}

/// Smallest and largest value, exact, and percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Spread {
    pub min: Duration,
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub p999: Duration,
    pub max: Duration,
}

/// The grace period minus quantiles of the gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// The grace period.
    pub grace_period: Duration,
    /// Room left by the median gap; negative: none.
    pub p50: SignedDuration,
    /// Room left by the 90th percentile.
    pub p90: SignedDuration,
    /// Room left by the 99th percentile.
    pub p99: SignedDuration,
    /// Room left by the 99.9th percentile.
    pub p999: SignedDuration,
    /// Room left by the longest gap.
    pub max: SignedDuration,
    /// `p99` as a share of the grace period.
    pub p99_ratio: f64,
}

impl Margin {
    /// The room that gaps of this spread leave.
    pub fn of(grace_period: Duration, gap: &Spread) -> Self {
        let room = |quantile| SignedDuration::difference(grace_period, quantile);
        Self {
            grace_period,
            p50: room(gap.p50),
            p90: room(gap.p90),
            p99: room(gap.p99),
            p999: room(gap.p999),
            max: room(gap.max),
            p99_ratio: room(gap.p99).seconds() / grace_period.as_secs_f64(),
        }
    }
}

/// The gap that has not ended yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunningGap {
    /// Its length now.
    pub duration: Duration,
    /// Time until the controller can flip the node at the earliest; zero once it can.
    pub earliest_flip_in: Duration,
    /// Probability that it has flipped the node by now.
    pub flip_probability: f64,
    /// Probability that it flips the node before this gap ends: the mean flip probability of the node's gaps that lasted
    /// longer than this one has by now. Absent: none did.
    pub flip_probability_at_end: Option<f64>,
}

/// The Ready condition as seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its status.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: Arc<str>,
    /// lastTransitionTime; whole seconds.
    pub transition: WallTime,
}

/// The figures of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelFigures {
    /// The channel.
    pub channel: Channel,
    /// What the agent sees of it now. Absent: not looked at yet.
    pub view: Option<Visibility>,
    /// Heartbeats counted.
    pub heartbeats: u64,
    /// Renewals the controller does not credit.
    pub uncredited_renewals: u64,
    /// Between consecutive stamps.
    pub period: Quantiles,
    /// Arrival minus stamp.
    pub delivery_delay: Quantiles,
    /// Stamp of the last heartbeat or baseline. Absent: there was none.
    pub last_stamp: Option<WallTime>,
    /// Arrival of the last heartbeat, by the node's wall clock. Absent: none was seen arriving.
    pub last_arrival_time: Option<WallTime>,
}

/// What the figures of a node rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// First report kept, on the aggregator's monotonic clock. Absent: none came yet.
    pub since: Option<Duration>,
    /// Sum of all gaps counted.
    pub measured: Duration,
    /// Blind spells that ended.
    pub blind_spells: u64,
    /// Time in which some channel could not be seen; spells of both channels at once count twice.
    pub blind: Duration,
    /// The part of it in spells that ended: how long the others really took shows only then, and may be less than until now.
    pub blind_in_ended_spells: Duration,
    /// Intervals between heartbeats that were not counted as gaps.
    pub unmeasured_gaps: u64,
    /// Records acknowledged by an earlier run and forgotten with it.
    pub forgotten_records: u64,
    /// Records received more than once.
    pub duplicate_records: u64,
    /// Age of the last report. Absent: none came.
    pub report_age: Option<Duration>,
    /// True while the agent's stream is open.
    pub connected: bool,
}

/// Everything known of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeFigures {
    /// Its name.
    pub name: Arc<str>,
    /// State and reason.
    pub verdict: Verdict,
    /// Between consecutive arrivals merged over both channels.
    pub gap: Quantiles,
    /// The gap running now. Absent: unknown.
    pub running_gap: Option<RunningGap>,
    /// Room left to the grace period. Absent: no gap was measured.
    pub margin: Option<Margin>,
    /// How often it would flip. Absent: no gap was measured.
    pub expected_flips: Option<ExpectedFlips>,
    /// Times Ready was seen to turn Unknown.
    pub flips_seen: u64,
    /// Ready as seen last. Absent: not seen.
    pub ready: Option<Ready>,
    /// Lease and Node status, in this order.
    pub channels: [ChannelFigures; 2],
    /// What the figures rest on.
    pub observation: Observation,
    /// What its agents had to drop. Absent: nothing.
    pub losses: Option<Losses>,
    /// The agent that reports. Absent: none did.
    pub agent: Option<AgentId>,
    /// Long gaps that made room for longer ones.
    pub dropped_gaps: u64,
    /// What was counted of each cause of its late heartbeats, the one that accounts for most first.
    pub causes: Vec<CauseTotal>,
    /// Channels whose period is long as a rule, and why.
    pub habits: Vec<Habit>,
}

impl NodeFigures {
    /// What makes its heartbeats late most of all: the first cause of its late gaps or, where none was late, of its habits.
    /// Absent: nothing does.
    pub fn cause(&self) -> Option<CauseKind> {
        Self::first_cause(&self.causes, || &self.habits)
    }

    /// The first of these causes or, where there is none, of the habits.
    pub(crate) fn first_cause<Habits: AsRef<[Habit]>>(
        causes: &[CauseTotal],
        habits: impl FnOnce() -> Habits,
    ) -> Option<CauseKind> {
        let of_habit = || Some(habits().as_ref().first()?.causes.first()?.kind);
        let of_gaps = causes.first().map(|total| total.kind);
        of_gaps.or_else(of_habit)
    }
}
