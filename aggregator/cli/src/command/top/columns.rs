//! The columns of a list of nodes.

use nodegrace_proto::v1;

use crate::show::{
    bar::margin_bar,
    figure::{self, UNKNOWN},
    line::{Line, Tone},
    table::{Column, Shown},
};

/// The columns of a list of nodes. On a narrow terminal the interval goes first, then the median, the margin, the bar: it says the same as they do.
pub(super) const COLUMNS: &[Column<v1::Node>] = &[
    Column::text("NODE", |node, _| node.name.as_str().into()),
    Column::text("STATE", |node, _| state(node)),
    Column::figure("GAP-P50", |node: &v1::Node, _| gap(node, |gap| gap.p50))
        .shown(Shown::WithRoom(2)),
    Column::figure("P99", |node, _| gap(node, |gap| gap.p99)),
    Column::figure("MAX", |node, _| gap(node, |gap| gap.max)),
    Column::text("GAP-VS-GRACE", margin_bar).shown(Shown::WithRoom(4)),
    Column::figure("MARGIN-P99", |node: &v1::Node, _| margin(node)).shown(Shown::WithRoom(3)),
    Column::figure("FLIPS/DAY", |node, _| flips(node)),
    Column::text("95%-INTERVAL", |node: &v1::Node, _| interval(node)).shown(Shown::WithRoom(1)),
    Column::text("CAUSE", |node: &v1::Node, _| cause(node).into()).shown(Shown::WithRoom(5)),
    Column::figure("SEEN", |node: &v1::Node, _| {
        node.flips_seen.to_string().into()
    })
    .shown(Shown::Wide),
    Column::figure("RUNNING", |node: &v1::Node, _| running(node)).shown(Shown::Wide),
    Column::text("READY", |node: &v1::Node, _| ready(node)).shown(Shown::Wide),
    Column::figure("REPORTED", |node: &v1::Node, _| reported(node)).shown(Shown::Wide),
    Column::figure("OBSERVED", |node: &v1::Node, _| observed(node)).shown(Shown::Wide),
    Column::text("ZONE", |node: &v1::Node, _| fact(node, |facts| &facts.zone)).shown(Shown::Wide),
    Column::text("KUBELET", |node: &v1::Node, _| {
        fact(node, |facts| &facts.kubelet_version)
    })
    .shown(Shown::Wide),
];

/// The state, in its colour.
pub(in crate::command) fn state(node: &v1::Node) -> Line {
    let state = node.state();
    let tone = match state {
        v1::State::Ok => Tone::Good,
        v1::State::Near => Tone::Near,
        v1::State::Flipping | v1::State::Overdue | v1::State::NotReady => Tone::Bad,
        _ => Tone::Dim,
    };
    Line::new(tone, figure::name(state.as_str_name(), "STATE_"))
}

/// What accounts for most of its lateness: a cause of late heartbeats, or else of a habit.
fn cause(node: &v1::Node) -> String {
    let late = node.causes.first().map(v1::CauseTotal::kind);
    let habit = node.habits.first().and_then(|habit| habit.causes.first());
    let kind = late.or(habit.map(v1::Cause::kind));
    kind.map_or_else(figure::unknown, figure::cause)
}

type Wire = nodegrace_proto::prost_types::Duration;

fn gap(node: &v1::Node, of: fn(&v1::Quantiles) -> Option<Wire>) -> Line {
    figure::seconds(node.gap.as_ref().and_then(of)).into()
}

fn margin(node: &v1::Node) -> Line {
    let margin = node.margin.as_ref();
    let left = margin.and_then(|margin| margin.p99);
    let tone = match margin.map(|margin| margin.p99_ratio) {
        Some(..0.0) => Tone::Bad,
        _ => Tone::Plain,
    };
    Line::new(tone, figure::seconds(left))
}

fn flips(node: &v1::Node) -> Line {
    let flips = node.expected_flips.as_ref();
    flips.map_or_else(
        || UNKNOWN.into(),
        |flips| figure::per_day(flips.per_day).into(),
    )
}

fn interval(node: &v1::Node) -> Line {
    let flips = node.expected_flips.as_ref();
    flips.map_or_else(
        || UNKNOWN.into(),
        |flips| figure::interval(flips.per_day_lower, flips.per_day_upper).into(),
    )
}

fn running(node: &v1::Node) -> Line {
    figure::seconds(node.running_gap.as_ref().and_then(|gap| gap.duration)).into()
}

fn ready(node: &v1::Node) -> Line {
    let ready = node.ready.as_ref();
    ready.map_or_else(|| UNKNOWN.into(), |ready| status(ready.status()).into())
}

/// A condition's status as Kubernetes writes it.
pub(in crate::command) fn status(status: v1::ConditionStatus) -> &'static str {
    match status {
        v1::ConditionStatus::True => "True",
        v1::ConditionStatus::False => "False",
        v1::ConditionStatus::Unknown => "Unknown",
        v1::ConditionStatus::Unspecified => UNKNOWN,
    }
}

fn reported(node: &v1::Node) -> Line {
    figure::seconds(node.observation.as_ref().and_then(|seen| seen.report_age)).into()
}

fn observed(node: &v1::Node) -> Line {
    figure::seconds(node.observation.as_ref().and_then(|seen| seen.measured)).into()
}

fn fact(node: &v1::Node, of: fn(&v1::NodeFacts) -> &String) -> Line {
    let fact = node.facts.as_ref().map_or("", |facts| of(facts));
    figure::text(fact).into()
}
