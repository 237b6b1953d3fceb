//! Why heartbeats were late, as the aggregator tells it: a paragraph for each of the worst nodes, and what nodes share.

use nodegrace_proto::v1;

use super::{Truths, seconds};

/// Nodes that get a paragraph: as many as a person reads.
const NODES: usize = 8;

/// Why heartbeats of the nodes at the top of the ranking were late, and what acts on it: a habit before the longest gap. After
/// that what late heartbeats of several nodes have in common. `gaps` are the fleet's, the longest first.
pub fn reasons(nodes: &[v1::Node], gaps: &[v1::Gap], fleet: &v1::Fleet, truth: &Truths) -> String {
    let mut paragraphs: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            let explained = |gap: &&v1::Gap| gap.node_name == node.name && !gap.causes.is_empty();
            let told = node_reasons(node, gaps.iter().find(explained))?;
            let kind = truth.get(&node.name).map_or("", |truth| &*truth.kind);
            Some(format!("{} ({kind})\n{told}", node.name))
        })
        .take(NODES)
        .collect();
    let shared = fleet.shared_causes.iter().filter(|cause| cause.nodes > 1);
    let shared: Vec<&str> = shared.map(|cause| &*cause.sentence).collect();
    if !shared.is_empty() {
        paragraphs.push(format!("What nodes share\n  {}", shared.join("\n  ")));
    }
    if paragraphs.is_empty() {
        return "No heartbeat was late.".to_owned();
    }
    paragraphs.join("\n\n")
}

/// The sentences about one node, and the first thing to do about each cause. `None`: none of its heartbeats was late.
fn node_reasons(node: &v1::Node, longest: Option<&v1::Gap>) -> Option<String> {
    let habit = node.habits.first().and_then(|habit| {
        let (period, nominal) = (seconds(habit.period), seconds(habit.nominal));
        let fact = format!("As a rule it beats every {period} and not every {nominal}.");
        Some((fact, habit.causes.first()?))
    });
    let lateness = longest.and_then(|gap| {
        let fact = format!("Its longest explained gap took {}.", seconds(gap.duration));
        Some((fact, gap.causes.first()?))
    });
    let (mut lines, mut advice) = (Vec::new(), Vec::new());
    for (fact, cause) in [habit, lateness].into_iter().flatten() {
        lines.push(format!("  {fact} {}", cause.sentence));
        if let Some(knob) = cause.knobs.first() {
            advice.push(format!("    {}: {}", knob.setting, knob.advice));
        }
    }
    advice.dedup();
    lines.append(&mut advice);
    (!lines.is_empty()).then(|| lines.join("\n"))
}
