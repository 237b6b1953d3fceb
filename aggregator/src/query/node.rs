//! A node for the wire, and its fields for orders and filters.

use std::time::Duration;

use nodegrace_core::{
    Channel, ChannelFigures, ConditionStatus, ExpectedFlips, Losses, Margin, NodeFigures,
    Observation, Quantiles, Ready, RunningGap, Spread, State,
};
use nodegrace_proto::v1;
use tonic::Status;

use super::{
    cause,
    field::{Field, Value},
    risk, unknown_node,
};
use crate::{
    aggregator::Parts,
    register::{Beside, COURSE_STEP, Glance, Known, LatestSample},
    timeline::Timeline,
    wire,
};

/// The value of `field` at `now`; none when it is not known. Most are at hand, and no history is looked at for them.
pub(crate) fn value<'a>(node: &Glance<'a>, field: Field, now: Duration) -> Option<Value<'a>> {
    let Glance {
        standing, config, ..
    } = *node;
    let gap = || standing.spread();
    let seconds = |duration: Duration| Value::Seconds(duration.as_secs_f64());
    match field {
        Field::Name => Some(Value::Text(node.name)),
        Field::State => Some(Value::State(state(standing.state(config, now)))),
        Field::Margin => standing
            .margin(config)
            .map(|margin| Value::Seconds(margin.p99.seconds())),
        Field::ExpectedFlips => standing.flips_per_day().map(Value::Number),
        Field::GapP50 => gap().map(|gap| seconds(gap.p50)),
        Field::GapP99 => gap().map(|gap| seconds(gap.p99)),
        Field::GapMax => gap().map(|gap| seconds(gap.max)),
        Field::RunningGap => standing.running_gap(config, now).map(seconds),
        Field::Observed => Some(seconds(standing.measured())),
        Field::Risk => standing.risk(config, now).map(Value::Number),
        Field::Ready
        | Field::PeriodP50
        | Field::KubeletVersion
        | Field::Cause
        | Field::Connected => node.known().and_then(|known| looked_up(known, field)),
    }
}

/// The value of a field that is not at hand.
fn looked_up(node: Known<'_>, field: Field) -> Option<Value<'_>> {
    let Known {
        history, beside, ..
    } = node;
    match field {
        Field::Ready => history
            .ready()
            .map(|ready| Value::Ready(status(ready.status))),
        Field::PeriodP50 => history
            .median_period()
            .map(|period| Value::Seconds(period.as_secs_f64())),
        Field::KubeletVersion => beside
            .facts
            .as_ref()
            .map(|facts| facts.kubelet_version.as_str())
            .filter(|version| !version.is_empty())
            .map(Value::Text),
        Field::Cause => history.cause().map(|kind| Value::Text(kind.name())),
        Field::Connected => Some(Value::Flag(history.is_connected())),
        _ => None,
    }
}

/// How much of a node is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Without the latest sample and the settings.
    Basic,
    /// Everything.
    Full,
}

impl Shape {
    /// The shape that a request asks for.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a view there is not.
    pub(super) fn of(view: i32) -> Result<Self, Status> {
        match v1::NodeView::try_from(view) {
            Ok(v1::NodeView::Unspecified | v1::NodeView::Basic) => Ok(Self::Basic),
            Ok(v1::NodeView::Full) => Ok(Self::Full),
            Err(_) => Err(Status::invalid_argument("view: must be BASIC or FULL")),
        }
    }
}

/// The node called `name`: as its agent reports it or, where it has none, as the cluster's watch shows it.
///
/// # Errors
/// `NOT_FOUND` when neither knows it.
pub(super) fn get(parts: &Parts, name: &str) -> Result<v1::Node, Status> {
    let reported = parts.register.node(name, |known| {
        let figures = known.figures(parts.timeline.now());
        message(&figures, known.beside, &parts.timeline, Shape::Full)
    });
    let node = reported.or_else(|| without_agent(parts, name));
    let node = node.ok_or_else(|| unknown_node(name))?;
    Ok(v1::Node {
        blast_radius: risk::blast_radius(&parts.cluster, name),
        ..node
    })
}

/// A node of which only the cluster's watch tells. Absent: it does not, either.
fn without_agent(parts: &Parts, name: &str) -> Option<v1::Node> {
    let cluster = parts.cluster.read();
    cluster.has_node(name).then(|| v1::Node {
        name: name.to_owned(),
        state: v1::State::NoAgent.into(),
        state_reason: "the Node is there, and no agent has reported for it".to_owned(),
        ready: cluster.ready(name).map(ready),
        ..v1::Node::default()
    })
}

/// The node as the wire has it.
pub(super) fn message(
    node: &NodeFigures,
    beside: &Beside,
    timeline: &Timeline,
    shape: Shape,
) -> v1::Node {
    let full = shape == Shape::Full;
    v1::Node {
        name: node.name.to_string(),
        state: state(node.verdict.state).into(),
        state_reason: node.verdict.reason.clone(),
        gap: Some(quantiles(&node.gap)),
        running_gap: node.running_gap.map(running_gap),
        margin: node.margin.map(margin),
        expected_flips: node.expected_flips.map(expected_flips),
        flips_seen: node.flips_seen,
        ready: node.ready.as_ref().map(ready),
        channels: node
            .channels
            .iter()
            .map(|figures| channel_figures(figures, beside))
            .collect(),
        observation: Some(observation(&node.observation, timeline)),
        losses: node.losses.map(losses),
        facts: beside.facts.as_deref().cloned(),
        kubelet_settings: beside.settings.as_deref().filter(|_| full).cloned(),
        latest_sample: beside
            .sample
            .as_ref()
            .filter(|_| full)
            .map(LatestSample::message),
        agent: Some(beside.agent.clone()),
        causes: node.causes.iter().map(cause::total).collect(),
        habits: node.habits.iter().map(cause::habit).collect(),
        // Only for whoever asks for one node: see `risk::blast_radius`.
        blast_radius: None,
    }
}

/// The course of a node.
pub(super) fn course(beside: &Beside, timeline: &Timeline) -> v1::NodeCourse {
    let begin = beside.course.begin();
    let duration = |seconds: f64| wire::to_duration(Duration::from_secs_f64(seconds));
    let steps = beside.course.steps().map(|step| {
        let [lease_period, status_period] = step.periods.map(|period| period.map(duration));
        let [cpu, io, memory] = step.pressure;
        v1::CourseStep {
            gap: step.gap.map(duration),
            lease_period,
            status_period,
            cpu_pressure_ratio: cpu,
            io_pressure_ratio: io,
            memory_pressure_ratio: memory,
            kubelet_cpu_cores: step.kubelet_cores,
            runtime_call: step.runtime_call.map(duration),
        }
    });
    v1::NodeCourse {
        start_time: begin.map(|begin| wire::to_timestamp(timeline.wall_at(begin))),
        step: Some(wire::to_duration(COURSE_STEP)),
        steps: steps.collect(),
    }
}

pub(crate) fn state(state: State) -> v1::State {
    match state {
        State::Ok => v1::State::Ok,
        State::Near => v1::State::Near,
        State::Flipping => v1::State::Flipping,
        State::Overdue => v1::State::Overdue,
        State::NotReady => v1::State::NotReady,
        State::NoAgent => v1::State::NoAgent,
        State::Stale => v1::State::Stale,
        State::Learning => v1::State::Learning,
    }
}

pub(crate) fn channel(channel: Channel) -> v1::Channel {
    match channel {
        Channel::Lease => v1::Channel::Lease,
        Channel::NodeStatus => v1::Channel::NodeStatus,
    }
}

pub(super) fn quantiles(quantiles: &Quantiles) -> v1::Quantiles {
    let figure = |of: fn(&Spread) -> Duration| {
        quantiles
            .spread
            .as_ref()
            .map(|spread| wire::to_duration(of(spread)))
    };
    v1::Quantiles {
        count: quantiles.count,
        min: figure(|spread| spread.min),
        p50: figure(|spread| spread.p50),
        p90: figure(|spread| spread.p90),
        p99: figure(|spread| spread.p99),
        p999: figure(|spread| spread.p999),
        max: figure(|spread| spread.max),
        relative_error: quantiles.relative_error,
        resolution: quantiles.resolution.map(wire::to_duration),
    }
}

pub(super) fn expected_flips(flips: ExpectedFlips) -> v1::ExpectedFlips {
    let likely = flips.likely();
    v1::ExpectedFlips {
        expected: flips.expected,
        per_day: flips.per_day,
        per_day_lower: flips.per_day_interval.lower,
        per_day_upper: flips.per_day_interval.upper,
        risky_gaps: flips.risky_gaps,
        observed: Some(wire::to_duration(flips.observed)),
        likely_flips_lower: likely.least,
        likely_flips_upper: likely.most,
    }
}

pub(super) fn losses(losses: Losses) -> v1::Losses {
    v1::Losses {
        dropped_heartbeats: losses.dropped_heartbeats,
        dropped_samples: losses.dropped_samples,
        dropped_others: losses.dropped_others,
        rejected_records: losses.rejected_records,
    }
}

pub(crate) fn status(status: ConditionStatus) -> v1::ConditionStatus {
    match status {
        ConditionStatus::True => v1::ConditionStatus::True,
        ConditionStatus::False => v1::ConditionStatus::False,
        ConditionStatus::Unknown => v1::ConditionStatus::Unknown,
    }
}

fn running_gap(gap: RunningGap) -> v1::RunningGap {
    v1::RunningGap {
        duration: Some(wire::to_duration(gap.duration)),
        earliest_flip_in: Some(wire::to_duration(gap.earliest_flip_in)),
        flip_probability_now: gap.flip_probability,
        flip_probability_at_end: gap.flip_probability_at_end,
    }
}

fn margin(margin: Margin) -> v1::Margin {
    let room = |room| Some(wire::to_signed_duration(room));
    v1::Margin {
        grace_period: Some(wire::to_duration(margin.grace_period)),
        p50: room(margin.p50),
        p90: room(margin.p90),
        p99: room(margin.p99),
        p999: room(margin.p999),
        max: room(margin.max),
        p99_ratio: margin.p99_ratio,
    }
}

fn ready(ready: &Ready) -> v1::Ready {
    v1::Ready {
        status: status(ready.status).into(),
        reason: ready.reason.to_string(),
        transition_time: Some(wire::to_timestamp(ready.transition)),
    }
}

fn channel_figures(figures: &ChannelFigures, beside: &Beside) -> v1::ChannelFigures {
    let channel = channel(figures.channel);
    v1::ChannelFigures {
        channel: channel.into(),
        view: beside
            .views
            .iter()
            .find(|view| view.channel == i32::from(channel))
            .cloned(),
        heartbeats: figures.heartbeats,
        uncredited_renewals: figures.uncredited_renewals,
        period: Some(quantiles(&figures.period)),
        delivery_delay: Some(quantiles(&figures.delivery_delay)),
        last_stamp_time: figures.last_stamp.map(wire::to_timestamp),
        last_arrival_time: figures.last_arrival_time.map(wire::to_timestamp),
    }
}

fn observation(observation: &Observation, timeline: &Timeline) -> v1::Observation {
    v1::Observation {
        since_time: observation
            .since
            .map(|since| wire::to_timestamp(timeline.wall_at(since))),
        measured: Some(wire::to_duration(observation.measured)),
        blind_spells: observation.blind_spells,
        blind: Some(wire::to_duration(observation.blind)),
        unmeasured_gaps: observation.unmeasured_gaps,
        forgotten_records: observation.forgotten_records,
        duplicate_records: observation.duplicate_records,
        report_age: observation.report_age.map(wire::to_duration),
        connected: observation.connected,
    }
}
