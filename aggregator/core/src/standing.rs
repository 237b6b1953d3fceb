//! What a node comes down to until its next event: its state and its risk at any moment, and how long they hold, without
//! another look at its gaps.
//!
//! Most of what is known of a node changes with its events alone. What time changes by itself are ages: of the last report, of the
//! gap that runs since the last heartbeat, and of the last flip seen. So a standing holds where each of them began and the figures
//! that they are compared with; it is small, is made once for each event, and may be asked as often as anybody likes.

use std::time::Duration;

use crate::{
    controller::{ControllerSettings, GapStart, Judge},
    event::{Channel, ConditionStatus},
    expected::Risk,
    figures::{Margin, Spread},
    fleet::Config,
    node::NodeHistory,
    state::{Grounds, State},
};

/// The shortest time there is here.
const INSTANT: Duration = Duration::from_nanos(1);

/// What a node comes down to until its next event. It is of one configuration, which every question must name again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// When the newest batch was received, on the aggregator's clock. Absent: none was.
    pub(crate) received: Option<Duration>,
    /// The gap that ran when that batch was sent. Absent: not known.
    pub(crate) running: Option<RunningSince>,
    /// The first channel that the agent cannot see.
    pub(crate) unseen: Option<Channel>,
    /// Status of the Ready condition. Absent: not seen.
    pub(crate) ready: Option<ConditionStatus>,
    /// When the last flip was seen, on the aggregator's clock. Absent: none was.
    pub(crate) last_flip: Option<Duration>,
    /// When the node is to be forgotten. Absent: not while its agent's stream is open.
    gone_at: Option<Duration>,
    /// Gaps measured.
    pub(crate) gaps: u64,
    /// Time observed.
    pub(crate) measured: Duration,
    /// How its gaps spread. Absent: none was measured.
    pub(crate) spread: Option<Spread>,
    /// Flips expected a day. Absent: no gap was measured.
    pub(crate) flips_per_day: Option<f64>,
    /// Times Ready was seen to turn Unknown.
    flips_seen: u64,
    /// Flips to count with, in a month.
    month: f64,
}

/// A gap that was running at a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RunningSince {
    /// Its length when the report was received.
    length: Duration,
    /// What the controller made of the heartbeat before it.
    pub(crate) start: GapStart,
}

impl Standing {
    /// The standing of `node`.
    pub fn of(node: &NodeHistory, config: &Config) -> Self {
        let gaps = node.gaps();
        let (sketch, flips_seen) = (gaps.sketch(), node.flips_seen());
        let risk = Risk::of(gaps, &Judge::new(config.controller));
        Self {
            received: None,
            running: None,
            unseen: None,
            ready: None,
            last_flip: None,
            gone_at: None,
            gaps: sketch.count(),
            measured: gaps.measured(),
            spread: sketch.spread(),
            flips_per_day: risk.per_node_day(),
            flips_seen,
            month: risk.month(flips_seen),
        }
        .at_last_event(node, config)
    }

    /// The standing of the same `node` after later events. What rests on its gaps is taken over while no gap came: they only ever
    /// become more.
    #[must_use]
    pub fn renewed(&self, node: &NodeHistory, config: &Config) -> Self {
        let same =
            self.gaps == node.gaps().sketch().count() && self.flips_seen == node.flips_seen();
        if same {
            self.at_last_event(node, config)
        } else {
            Self::of(node, config)
        }
    }

    /// With what every event may change.
    fn at_last_event(self, node: &NodeHistory, config: &Config) -> Self {
        let running = node.running_at_report();
        Self {
            received: node.received(),
            running: running.map(|(length, start)| RunningSince { length, start }),
            unseen: node.unseen_channel(),
            ready: node.ready().map(|ready| ready.status),
            last_flip: node.flips().last().map(|flip| flip.at),
            gone_at: node.gone_at(config.forget_after),
            ..self
        }
    }

    /// The node's state at `now`.
    pub fn state(&self, config: &Config, now: Duration) -> State {
        Grounds::of(self, config, now).state()
    }

    /// How endangered the node is at `now`, as one number to rank nodes by. Absent: no gap was measured.
    ///
    /// The flips expected in a month, plus the share of the grace period that its p99 gap takes, or the gap running now where
    /// that is longer (at most all of it: what comes after is no risk but a flip). Either part alone is what the state `NEAR`
    /// looks at; the sum ranks nodes that flip by how often they do, and the others by how near they come.
    pub fn risk(&self, config: &Config, now: Duration) -> Option<f64> {
        let margin = self.margin(config)?;
        let running = self.running_gap(config, now).map_or(0.0, |gap| {
            gap.as_secs_f64() / margin.grace_period.as_secs_f64()
        });
        let near = (1.0 - margin.p99_ratio).max(running.min(1.0));
        Some(self.month + near)
    }

    /// Length of the gap running at `now`. Absent: unknown, because the agent is silent or blind, or the last heartbeat is not known.
    pub fn running_gap(&self, config: &Config, now: Duration) -> Option<Duration> {
        let silent = self.report_age(now)? > config.thresholds.stale_after;
        self.gap_by_last_report(now).filter(|_| !silent)
    }

    /// True when the controller can have flipped the node by `now` for the gap that runs. Absent: that gap is not known.
    pub fn can_be_flipped(&self, config: &Config, now: Duration) -> Option<bool> {
        let start = self.running?.start;
        let length = self.running_gap(config, now)?;
        Some(length >= config.controller.earliest_flip(start))
    }

    /// Room left to the grace period. Absent: no gap was measured.
    pub fn margin(&self, config: &Config) -> Option<Margin> {
        let grace_period = config.controller.grace_period;
        self.spread
            .as_ref()
            .map(|spread| Margin::of(grace_period, spread))
    }

    /// How its gaps spread. Absent: none was measured.
    pub const fn spread(&self) -> Option<&Spread> {
        self.spread.as_ref()
    }

    /// Flips expected a day. Absent: no gap was measured.
    pub const fn flips_per_day(&self) -> Option<f64> {
        self.flips_per_day
    }

    /// Time observed: the sum of the gaps measured.
    pub const fn measured(&self) -> Duration {
        self.measured
    }

    /// True once a flip of the node was seen.
    pub const fn has_flipped(&self) -> bool {
        self.last_flip.is_some()
    }

    /// True when the node is to be forgotten: it was silent for too long, and no stream of its agent is open.
    pub fn is_gone(&self, now: Duration) -> bool {
        self.gone_at.is_some_and(|gone| now >= gone)
    }

    /// The earliest moment after `now` at which time alone may have changed the node's state, or whether the controller can have
    /// flipped it, or have it forgotten. Absent: none ever does.
    ///
    /// Until then they are what they are at `now`; at that moment they may be the same still.
    pub fn holds_until(&self, config: &Config, now: Duration) -> Option<Duration> {
        let thresholds = &config.thresholds;
        let silent = self.received.map(|at| after(at, thresholds.stale_after));
        let flip = self
            .last_flip
            .map(|at| after(at, thresholds.flipping_seen_within));
        let running = if silent.is_some_and(|silent| now >= silent) {
            // Only a node that vanished has its gap looked at still. When its flip becomes certain only the closed form knows: until
            // then it may be at any moment.
            let vanished = self.vanished(&config.controller, now);
            vanished.map(|_| now.saturating_add(INSTANT))
        } else {
            self.running_gap_reaches_next(config, now)
        };
        let moments = [silent, flip, self.gone_at, running];
        let later = moments.into_iter().flatten().filter(|at| *at > now);
        later.min()
    }

    /// When the running gap reaches the next of the lengths that mean something, if no report comes. Absent: it has reached all, or is
    /// not known.
    fn running_gap_reaches_next(&self, config: &Config, now: Duration) -> Option<Duration> {
        let (running, received) = (self.running?, self.received?);
        let unusual = self.unusual_gap(config);
        let lengths = [
            Some(overdue_from(config)),
            unusual.map(|gap| gap.saturating_add(INSTANT)),
            Some(config.controller.earliest_flip(running.start)),
        ];
        let moment =
            |length: Duration| received.saturating_add(length.saturating_sub(running.length));
        let moments = lengths.into_iter().flatten().map(moment);
        moments.filter(|at| *at > now).min()
    }

    /// Age of the last report. Absent: none came.
    pub(crate) fn report_age(&self, now: Duration) -> Option<Duration> {
        self.received.map(|received| now.saturating_sub(received))
    }

    /// Length of the gap running at `now` if no heartbeat came since the last report. Absent: the agent left, or the last
    /// heartbeat is not known.
    pub(crate) fn gap_by_last_report(&self, now: Duration) -> Option<Duration> {
        Some(self.running?.length + self.report_age(now)?)
    }

    /// The gap of a node that fell silent with its agent, while the controller may still be about to flip it. Absent: it is none, or
    /// the controller has surely acted.
    pub(crate) fn vanished(
        &self,
        controller: &ControllerSettings,
        now: Duration,
    ) -> Option<Duration> {
        let ready = self
            .ready
            .is_none_or(|ready| ready == ConditionStatus::True);
        let length = self.gap_by_last_report(now).filter(|_| ready)?;
        let start = self.running?.start;
        // What is certain in truth may come out a hair below 1.
        let open = length < controller.latest_flip(start)
            && controller.flip_probability(length, start) < 1.0;
        open.then_some(length)
    }

    /// The gap beyond which a running one is unusual for the node. Absent: too few gaps were measured.
    pub(crate) fn unusual_gap(&self, config: &Config) -> Option<Duration> {
        let known = self.gaps >= config.thresholds.learning_gaps;
        let spread = self.spread.filter(|_| known)?;
        let factor = config.thresholds.overdue_median_factor;
        Some(spread.p999.max(spread.p50.mul_f64(factor)))
    }
}

/// From what length on a running gap is overdue whatever is usual: one monitor period before the first moment at which the
/// controller can act, and at the share of the grace period that is asked for when that comes first.
pub(crate) fn overdue_from(config: &Config) -> Duration {
    let controller = &config.controller;
    let warning = controller
        .earliest_flip(GapStart::Once)
        .saturating_sub(controller.monitor_period);
    let half = controller
        .grace_period
        .mul_f64(config.thresholds.overdue_grace_ratio);
    half.min(warning)
}

/// The first moment at which more than `long` has passed since `at`.
pub(crate) const fn after(at: Duration, long: Duration) -> Duration {
    at.saturating_add(long).saturating_add(INSTANT)
}
