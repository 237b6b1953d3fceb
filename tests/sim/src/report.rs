//! The demo's report in words and tables: what the aggregator answered, beside what the simulated controller really did.

mod reasons;

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, Table, presets};
use nodegrace_proto::{prost_types, v1};

pub use self::reasons::reasons;

/// What the simulated cluster knows of a node and the aggregator does not: the truth to hold its answers against.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// What the node was simulated as, such as "overloaded".
    pub kind: String,
    /// How often the simulated controller flipped it for lost heartbeats.
    pub flips: u64,
}

/// The truth about every node, by name.
pub type Truths = BTreeMap<String, Truth>;

/// Nodes of the ranking that are shown whatever their state.
const RANKED: usize = 12;

/// The ranking as a table, worst node first, each row beside the truth about its node. Of the nodes that are `OK` and were not
/// flipped it shows the first ones only, and says how many more there are.
pub fn ranking(nodes: &[v1::Node], truth: &Truths) -> String {
    let mut table = table(&[
        "#",
        "node",
        "simulated as",
        "state",
        "gap p50",
        "p99",
        "max",
        "margin p99",
        "expected flips",
        "actual",
    ]);
    let flips = |node: &v1::Node| truth.get(&node.name).map_or(0, |truth| truth.flips);
    let calm = |node: &v1::Node| node.state() == v1::State::Ok && flips(node) == 0;
    let shown = nodes.iter().rposition(|node| !calm(node));
    let shown = shown
        .map_or(0, |last| last + 1)
        .max(RANKED)
        .min(nodes.len());
    for (index, node) in nodes[..shown].iter().enumerate() {
        let gap = node.gap.unwrap_or_default();
        let margin = node.margin.as_ref().and_then(|margin| margin.p99);
        let known = truth.get(&node.name);
        table.add_row([
            right((index + 1).to_string()),
            Cell::new(&node.name),
            Cell::new(known.map_or("", |truth| truth.kind.as_str())),
            Cell::new(state(node.state())),
            right(seconds(gap.p50)),
            right(seconds(gap.p99)),
            right(seconds(gap.max)),
            right(seconds(margin)),
            right(expected(node.expected_flips.as_ref())),
            right(flips(node).to_string()),
        ]);
    }
    match nodes.len() - shown {
        0 => table.to_string(),
        rest => format!("{table}\n ... {rest} more nodes, all OK"),
    }
}

/// Predicted against actual flips in two sentences, and whether the flips happened where the ranking says.
pub fn verdict(nodes: &[v1::Node], fleet: &v1::Fleet, truth: &Truths) -> String {
    let actual: u64 = truth.values().map(|truth| truth.flips).sum();
    let flips_of = |node: &v1::Node| truth.get(&node.name).map_or(0, |truth| truth.flips);
    let flipped = nodes.iter().filter(|node| flips_of(node) > 0).count();
    // By the prediction from the gaps alone: the ranking also knows which nodes were seen to flip.
    let mut by_prediction: Vec<&v1::Node> = nodes.iter().collect();
    by_prediction.sort_by(|a, b| predicted_flips(b).total_cmp(&predicted_flips(a)));
    let foreseen = by_prediction
        .iter()
        .take(flipped)
        .filter(|node| flips_of(node) > 0)
        .count();
    let predicted = fleet.expected_flips.as_ref().map_or_else(
        || "Predicted flips: unknown, no gap was measured.".to_owned(),
        |flips| {
            format!(
                "Predicted flips: {:.1} (with 95 % probability {} to {}). Actual flips: {actual}.",
                flips.expected, flips.likely_flips_lower, flips.likely_flips_upper,
            )
        },
    );
    let place = if actual == 0 {
        "The controller flipped no node.".to_owned()
    } else {
        format!(
            "They happened on {flipped} nodes; {foreseen} of these are the {flipped} with the highest predictions."
        )
    };
    format!("{predicted}\n{place}")
}

/// What other grace periods would have led to, replayed over the same heartbeats.
pub fn what_if(answer: &v1::SimulateGraceResponse) -> String {
    let mut table = table(&[
        "grace period",
        "flips per day",
        "95 % interval",
        "by",
        "nodes",
        "a dead node is noticed after",
    ]);
    let present = answer
        .present
        .as_ref()
        .and_then(|present| present.grace_period);
    for outcome in &answer.outcomes {
        let mark = if outcome.grace_period == present {
            " (now)"
        } else {
            ""
        };
        let estimate = outcome.estimate.as_ref();
        table.add_row([
            right(format!("{}{mark}", seconds(outcome.grace_period))),
            right(estimate.map_or_else(dash, |flips| format!("{:.2}", flips.per_day))),
            right(estimate.map_or_else(dash, |flips| {
                format!("{:.2} to {:.2}", flips.per_day_lower, flips.per_day_upper)
            })),
            Cell::new(estimate.map_or("-", |flips| basis(flips.basis()))),
            right(outcome.affected_node_count.to_string()),
            right(seconds(outcome.mean_detection)),
        ]);
    }
    table.to_string()
}

/// What the aggregator would set, in its own words, and the settings to paste.
pub fn recommendation(answer: &v1::RecommendResponse) -> String {
    let mut lines = vec![answer.summary.clone()];
    for settings in &answer.settings {
        lines.push(format!("\n  {}:", settings.place));
        lines.extend(settings.text.lines().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}

fn predicted_flips(node: &v1::Node) -> f64 {
    node.expected_flips
        .as_ref()
        .map_or(0.0, |flips| flips.expected)
}

fn basis(basis: v1::EstimateBasis) -> &'static str {
    match basis {
        v1::EstimateBasis::Replayed => "replay",
        v1::EstimateBasis::Extrapolated => "tail of the gaps",
        v1::EstimateBasis::HardlySeen => "too little seen",
        v1::EstimateBasis::Unspecified => "-",
    }
}

fn dash() -> String {
    "-".to_owned()
}

/// An empty table in the report's one style.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

/// A cell of figures, aligned so that they compare at a glance.
pub fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A duration in seconds with one digit; a dash where it is unknown.
pub fn seconds(value: Option<prost_types::Duration>) -> String {
    value.map_or_else(dash, |value| {
        format!(
            "{:.1} s",
            value.seconds as f64 + f64::from(value.nanos) / 1e9
        )
    })
}

fn expected(flips: Option<&v1::ExpectedFlips>) -> String {
    flips.map_or_else(dash, |flips| format!("{:.2}", flips.expected))
}

/// A state without the prefix of its enum.
pub fn state(state: v1::State) -> &'static str {
    state.as_str_name().trim_start_matches("STATE_")
}
