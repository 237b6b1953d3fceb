//! The verdict on a node: its state, and why in words.

mod thresholds;
mod words;

use std::{fmt, time::Duration};

pub use thresholds::Thresholds;
use words::{Seconds, rate};

use crate::{
    controller::{GapStart, Judge},
    event::{Channel, ConditionStatus},
    expected::Risk,
    figures::RunningGap,
    fleet::Config,
    node::NodeHistory,
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

impl Verdict {
    fn new(state: State, reason: impl fmt::Display) -> Self {
        Self {
            state,
            reason: reason.to_string(),
        }
    }

    /// The verdict on a node at `now` of the aggregator's clock.
    pub fn of(node: &NodeHistory, config: &Config, now: Duration) -> Self {
        unseen(node, config, now)
            .or_else(|| not_ready(node))
            .or_else(|| overdue(node, config, now))
            .or_else(|| flipping(node, config, now))
            .or_else(|| learning(node, config))
            .or_else(|| near(node, config))
            .unwrap_or_else(|| ok(node, config))
    }
}

/// Nothing is known of it now.
fn unseen(node: &NodeHistory, config: &Config, now: Duration) -> Option<Verdict> {
    let Some(age) = node.report_age(now) else {
        return Some(Verdict::new(State::NoAgent, "no agent has reported yet"));
    };
    if age > config.thresholds.stale_after {
        if let Some(verdict) = vanished(node, config, now) {
            return Some(verdict);
        }
        let words = format_args!("no report for {}", Seconds(age)).to_string();
        return Some(Verdict::new(State::Stale, words));
    }
    let channel = match node.unseen_channel()? {
        Channel::Lease => "Lease",
        Channel::NodeStatus => "Node",
    };
    let words = format!("the agent cannot see the {channel}");
    Some(Verdict::new(State::Stale, words))
}

/// A node that died takes its agent along. While the controller may still be about to flip it, that matters more than the
/// missing reports.
fn vanished(node: &NodeHistory, config: &Config, now: Duration) -> Option<Verdict> {
    let ready = |node: &NodeHistory| {
        node.ready()
            .is_none_or(|ready| ready.status == ConditionStatus::True)
    };
    let running = node.gap_by_last_report(&config.controller, now)?;
    (ready(node) && running.flip_probability < 1.0).then(|| {
        let words = format!("{}, its agent too", near_flip(&running));
        Verdict::new(State::Overdue, words)
    })
}

fn not_ready(node: &NodeHistory) -> Option<Verdict> {
    let ready = node.ready()?;
    let who = match ready.status {
        ConditionStatus::True => return None,
        ConditionStatus::False => "the kubelet says it is not ready",
        ConditionStatus::Unknown => "the controller lost its heartbeats",
    };
    let words = format!("{who} ({})", ready.reason);
    Some(Verdict::new(State::NotReady, words))
}

fn overdue(node: &NodeHistory, config: &Config, now: Duration) -> Option<Verdict> {
    let running = node.running_gap(config, now)?;
    let controller = &config.controller;
    // One monitor period before the first moment at which the controller can act, and at the share of the grace period that
    // is asked for when that comes first.
    let warning = controller
        .earliest_flip(GapStart::Once)
        .saturating_sub(controller.monitor_period);
    let half = controller
        .grace_period
        .mul_f64(config.thresholds.overdue_grace_ratio);
    if running.duration >= half.min(warning) {
        return Some(Verdict::new(State::Overdue, near_flip(&running)));
    }
    let usual = node.gaps().sketch();
    if usual.count() < config.thresholds.learning_gaps {
        return None;
    }
    let (median, longest) = (usual.median()?, usual.quantile(0.999)?);
    let unusual = longest.max(median.mul_f64(config.thresholds.overdue_median_factor));
    (running.duration > unusual).then(|| {
        let words = format!(
            "silent for {}, usually {} between heartbeats",
            Seconds(running.duration),
            Seconds(median)
        );
        Verdict::new(State::Overdue, words)
    })
}

fn near_flip(running: &RunningGap) -> String {
    let silent = Seconds(running.duration);
    if running.earliest_flip_in.is_zero() {
        let percent = 100.0 * running.flip_probability;
        format!("silent for {silent}, flipped by now with {percent:.0} % probability")
    } else {
        let left = Seconds(running.earliest_flip_in);
        format!("silent for {silent}, can flip in {left}")
    }
}

fn flipping(node: &NodeHistory, config: &Config, now: Duration) -> Option<Verdict> {
    let within = config.thresholds.flipping_seen_within;
    if let Some(flip) = node.flips().last()
        && let ago = now.saturating_sub(flip.at)
        && ago <= within
    {
        let words = format!("flipped {} ago", Seconds(ago));
        return Some(Verdict::new(State::Flipping, words));
    }
    expected_above(node, config, config.thresholds.flipping_per_day)
        .map(|words| Verdict::new(State::Flipping, words))
}

/// The reason when more flips are expected than that, and there are gaps enough to judge.
fn expected_above(node: &NodeHistory, config: &Config, per_day: f64) -> Option<String> {
    let flips = Risk::of(node.gaps(), &Judge::new(config.controller)).per_node()?;
    let known = node.gaps().sketch().count() >= config.thresholds.learning_gaps;
    (known && flips.per_day > per_day).then(|| {
        let (rate, observed) = (rate(flips.per_day), Seconds(flips.observed));
        format!("{rate} expected, from {observed} observed")
    })
}

fn learning(node: &NodeHistory, config: &Config) -> Option<Verdict> {
    let (gaps, needed) = (
        node.gaps().sketch().count(),
        config.thresholds.learning_gaps,
    );
    (gaps < needed).then(|| {
        let words = format!("{gaps} of {needed} gaps seen");
        Verdict::new(State::Learning, words)
    })
}

fn near(node: &NodeHistory, config: &Config) -> Option<Verdict> {
    let grace = config.controller.grace_period;
    let p99 = node.gaps().sketch().quantile(0.99)?;
    if p99 > grace.mul_f64(config.thresholds.near_grace_ratio) {
        return Some(Verdict::new(State::Near, room(p99, grace)));
    }
    expected_above(node, config, config.thresholds.near_per_day)
        .map(|words| Verdict::new(State::Near, words))
}

fn ok(node: &NodeHistory, config: &Config) -> Verdict {
    let p99 = node.gaps().sketch().quantile(0.99).unwrap_or_default();
    Verdict::new(State::Ok, room(p99, config.controller.grace_period))
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
