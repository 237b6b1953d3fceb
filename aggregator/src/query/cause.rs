//! Causes for the wire.

use nodegrace_core::cause::{
    Cause, CauseTotal, Evidence, Explanation, Habit, Knob, Scope, SharedCause, Vantage,
};
use nodegrace_proto::v1;

use super::node::channel;
use crate::{timeline::Timeline, wire};

/// The causes of a late heartbeat.
pub(super) fn of_gap(why: &Explanation) -> Vec<v1::Cause> {
    let told = |cause| message(cause, why.sentence(cause));
    why.causes.iter().map(told).collect()
}

/// A period that is long as a rule.
pub(super) fn habit(habit: &Habit) -> v1::Habit {
    let told = |cause| message(cause, habit.sentence(cause));
    v1::Habit {
        channel: channel(habit.channel).into(),
        period: Some(wire::to_duration(habit.period)),
        nominal: Some(wire::to_duration(habit.nominal)),
        causes: habit.causes.iter().map(told).collect(),
    }
}

/// What was counted of a cause.
pub(super) fn total(total: &CauseTotal) -> v1::CauseTotal {
    v1::CauseTotal {
        kind: wire::cause_kind(total.kind).into(),
        gaps: total.gaps,
        accounts_for: Some(wire::to_duration(total.accounts_for)),
        last_time: Some(wire::to_timestamp(total.last)),
    }
}

/// A cause that several nodes share.
pub(super) fn shared(cause: &SharedCause, timeline: &Timeline) -> v1::SharedCause {
    let moment = cause.together_at.map(|moment| timeline.wall_at(moment));
    v1::SharedCause {
        kind: wire::cause_kind(cause.kind).into(),
        scope: scope(cause.scope).into(),
        value: cause.value.clone(),
        nodes: cause.nodes,
        nodes_in_scope: cause.nodes_in_scope,
        nodes_elsewhere: cause.nodes_elsewhere,
        gaps: cause.gaps,
        simultaneous: moment.is_some(),
        start_time: moment.map(wire::to_timestamp),
        sentence: cause.sentence(),
    }
}

/// Where the lateness arose.
pub(super) const fn vantage(vantage: Option<Vantage>) -> v1::Vantage {
    match vantage {
        None => v1::Vantage::Unspecified,
        Some(Vantage::Node) => v1::Vantage::Node,
        Some(Vantage::Delivery) => v1::Vantage::Delivery,
    }
}

const fn scope(scope: Scope) -> v1::CauseScope {
    match scope {
        Scope::Fleet => v1::CauseScope::Fleet,
        Scope::Zone => v1::CauseScope::Zone,
        Scope::Region => v1::CauseScope::Region,
        Scope::InstanceType => v1::CauseScope::InstanceType,
        Scope::KernelVersion => v1::CauseScope::KernelVersion,
        Scope::KubeletVersion => v1::CauseScope::KubeletVersion,
        Scope::ContainerRuntimeVersion => v1::CauseScope::ContainerRuntimeVersion,
        Scope::Node => v1::CauseScope::Node,
    }
}

fn message(cause: &Cause, sentence: String) -> v1::Cause {
    v1::Cause {
        kind: wire::cause_kind(cause.kind).into(),
        accounts_for: Some(wire::to_duration(cause.accounts_for)),
        share: cause.share.into(),
        sentence,
        evidence: cause.evidence.iter().map(evidence).collect(),
        knobs: cause.knobs().iter().map(knob).collect(),
    }
}

fn evidence(evidence: &Evidence) -> v1::Evidence {
    v1::Evidence {
        figure: evidence.figure.name().to_owned(),
        value: evidence.value.into(),
        usual: evidence.usual.map(f64::from),
        deviations: evidence.deviations.map(f64::from),
        unit: evidence.figure.unit().symbol().to_owned(),
        recorded: Some(wire::to_duration(evidence.recorded)),
    }
}

fn knob(knob: &Knob) -> v1::Knob {
    v1::Knob {
        setting: knob.setting.to_owned(),
        advice: knob.advice.to_owned(),
    }
}
