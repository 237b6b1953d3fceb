//! The verdict on a node: its state, and why in words.

mod thresholds;
mod words;

use std::time::Duration;

pub use thresholds::Thresholds;
use words::{Seconds, rate};

use crate::{
    controller::{ControllerSettings, GapStart},
    event::{Channel, ConditionStatus},
    fleet::Config,
    node::NodeHistory,
    standing::{Standing, overdue_from},
};

/// The state of a node, the first among those that apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No agent has reported for it.
    NoAgent,
    /// Its agent has not reported lately, or cannot see the heartbeats.
    Stale,
    /// Its Ready condition is not True.
    NotReady,
    /// The gap running now is unusually long for it, or near what the controller accepts; also where the agent fell silent with
    /// the node, until the controller has surely acted.
    Overdue,
    /// Flips are expected often, or one was seen lately.
    Flipping,
    /// Too few gaps to judge.
    Learning,
    /// Its long gaps come near the grace period, or flips are expected now and then.
    Near,
    /// Its gaps stay well below the grace period.
    Ok,
}

/// A state and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// Why, as a sentence without a full stop.
    pub reason: String,
}

/// What a state is founded on, before anything is put into words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Grounds {
    /// No report ever came.
    NoReport,
    /// No report came for so long.
    Silent(Duration),
    /// It fell silent with its agent, and its gap would be of this length.
    Vanished(Duration),
    /// The agent cannot see this channel.
    Unseen(Channel),
    /// Ready is not True.
    NotReady(ConditionStatus),
    /// The running gap comes near what the controller accepts.
    NearFlip(Duration),
    /// The running gap is unusually long.
    Unusual { running: Duration, median: Duration },
    /// A flip was seen so long ago.
    Flipped(Duration),
    /// So many flips a day are expected, which is often.
    OftenExpected(f64),
    /// Too few gaps were measured: so many.
    FewGaps(u64),
    /// The p99 gap is near the grace period.
    NearGrace(Duration),
    /// So many flips a day are expected, which is now and then.
    SometimesExpected(f64),
    /// The p99 gap leaves room enough.
    Room(Duration),
}

impl Grounds {
    /// Those of a node that stands so, at `now` of the aggregator's clock.
    pub(crate) fn of(node: &Standing, config: &Config, now: Duration) -> Self {
        unseen(node, config, now)
            .or_else(|| not_ready(node))
            .or_else(|| overdue(node, config, now))
            .or_else(|| flipping(node, config, now))
            .or_else(|| learning(node, config))
            .or_else(|| near(node, config))
            .unwrap_or_else(|| Self::Room(node.spread.map_or(Duration::ZERO, |gap| gap.p99)))
    }

    /// The state.
    pub(crate) const fn state(self) -> State {
        match self {
            Self::NoReport => State::NoAgent,
            Self::Silent(_) | Self::Unseen(_) => State::Stale,
            Self::NotReady(_) => State::NotReady,
            Self::Vanished(_) | Self::NearFlip(_) | Self::Unusual { .. } => State::Overdue,
            Self::Flipped(_) | Self::OftenExpected(_) => State::Flipping,
            Self::FewGaps(_) => State::Learning,
            Self::NearGrace(_) | Self::SometimesExpected(_) => State::Near,
            Self::Room(_) => State::Ok,
        }
    }
}

impl Verdict {
    /// The verdict on a node at `now` of the aggregator's clock.
    pub fn of(node: &NodeHistory, config: &Config, now: Duration) -> Self {
        Self::on(&Standing::of(node, config), node, config, now)
    }

    /// The verdict on a node that stands so.
    pub(crate) fn on(
        standing: &Standing,
        node: &NodeHistory,
        config: &Config,
        now: Duration,
    ) -> Self {
        let grounds = Grounds::of(standing, config, now);
        Self {
            state: grounds.state(),
            reason: reason(grounds, standing, node, config),
        }
    }
}

fn unseen(node: &Standing, config: &Config, now: Duration) -> Option<Grounds> {
    let Some(age) = node.report_age(now) else {
        return Some(Grounds::NoReport);
    };
    if age > config.thresholds.stale_after {
        // A node that died takes its agent along. While the controller may still be about to flip it, that matters more than the
        // missing reports.
        let vanished = node.vanished(&config.controller, now);
        return Some(vanished.map_or(Grounds::Silent(age), Grounds::Vanished));
    }
    node.unseen.map(Grounds::Unseen)
}

fn not_ready(node: &Standing) -> Option<Grounds> {
    let not = node.ready.filter(|ready| *ready != ConditionStatus::True);
    not.map(Grounds::NotReady)
}

fn overdue(node: &Standing, config: &Config, now: Duration) -> Option<Grounds> {
    let running = node.running_gap(config, now)?;
    if running >= overdue_from(config) {
        return Some(Grounds::NearFlip(running));
    }
    let (unusual, median) = (node.unusual_gap(config)?, node.spread?.p50);
    (running > unusual).then_some(Grounds::Unusual { running, median })
}

fn flipping(node: &Standing, config: &Config, now: Duration) -> Option<Grounds> {
    let thresholds = &config.thresholds;
    if let Some(flip) = node.last_flip
        && let ago = now.saturating_sub(flip)
        && ago <= thresholds.flipping_seen_within
    {
        return Some(Grounds::Flipped(ago));
    }
    expected_above(node, config, thresholds.flipping_per_day).map(Grounds::OftenExpected)
}

/// The flips expected a day when they are more than that, and there are gaps enough to judge.
fn expected_above(node: &Standing, config: &Config, per_day: f64) -> Option<f64> {
    let known = node.gaps >= config.thresholds.learning_gaps;
    node.flips_per_day.filter(|flips| known && *flips > per_day)
}

fn learning(node: &Standing, config: &Config) -> Option<Grounds> {
    let few = node.gaps < config.thresholds.learning_gaps;
    few.then_some(Grounds::FewGaps(node.gaps))
}

fn near(node: &Standing, config: &Config) -> Option<Grounds> {
    let grace = config.controller.grace_period;
    let p99 = node.spread?.p99;
    if p99 > grace.mul_f64(config.thresholds.near_grace_ratio) {
        return Some(Grounds::NearGrace(p99));
    }
    let expected = expected_above(node, config, config.thresholds.near_per_day);
    expected.map(Grounds::SometimesExpected)
}

/// The grounds in words.
fn reason(grounds: Grounds, standing: &Standing, node: &NodeHistory, config: &Config) -> String {
    let controller = &config.controller;
    match grounds {
        Grounds::NoReport => "no agent has reported yet".to_owned(),
        Grounds::Silent(age) => format!("no report for {}", Seconds(age)),
        Grounds::Vanished(gap) => {
            format!("{}, its agent too", near_flip(gap, standing, controller))
        }
        Grounds::Unseen(channel) => {
            let channel = match channel {
                Channel::Lease => "Lease",
                Channel::NodeStatus => "Node",
            };
            format!("the agent cannot see the {channel}")
        }
        Grounds::NotReady(status) => {
            let who = match status {
                ConditionStatus::Unknown => "the controller lost its heartbeats",
                _ => "the kubelet says it is not ready",
            };
            let reason = node.ready().map_or("", |ready| &ready.reason);
            format!("{who} ({reason})")
        }
        Grounds::NearFlip(gap) => near_flip(gap, standing, controller),
        Grounds::Unusual { running, median } => format!(
            "silent for {}, usually {} between heartbeats",
            Seconds(running),
            Seconds(median)
        ),
        Grounds::Flipped(ago) => format!("flipped {} ago", Seconds(ago)),
        Grounds::OftenExpected(per_day) | Grounds::SometimesExpected(per_day) => {
            let (rate, observed) = (rate(per_day), Seconds(standing.measured));
            format!("{rate} expected, from {observed} observed")
        }
        Grounds::FewGaps(gaps) => {
            format!("{gaps} of {} gaps seen", config.thresholds.learning_gaps)
        }
        Grounds::NearGrace(p99) | Grounds::Room(p99) => room(p99, controller.grace_period),
    }
}

fn near_flip(gap: Duration, node: &Standing, controller: &ControllerSettings) -> String {
    let silent = Seconds(gap);
    let start = node.running.map_or(GapStart::Once, |running| running.start);
    let left = controller.earliest_flip(start).saturating_sub(gap);
    if left.is_zero() {
        let percent = 100.0 * controller.flip_probability(gap, start);
        format!("silent for {silent}, flipped by now with {percent:.0} % probability")
    } else {
        format!("silent for {silent}, can flip in {}", Seconds(left))
    }
}

/// "p99 gap 38.2 s leaves 1.8 s of the 40 s grace period".
fn room(p99: Duration, grace: Duration) -> String {
    let (gap, whole) = (Seconds(p99), Seconds(grace));
    match grace.checked_sub(p99) {
        Some(left) => format!(
            "p99 gap {gap} leaves {} of the {whole} grace period",
            Seconds(left)
        ),
        None => format!(
            "p99 gap {gap} is {} above the {whole} grace period",
            Seconds(p99 - grace)
        ),
    }
}
