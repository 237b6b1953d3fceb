//! `/api/v1/strips.json`: what the fleet view draws, small enough for 5,000 nodes every two seconds.
//!
//! One array a node, its columns named in the answer; durations in milliseconds, `null` for what is unknown. The answer carries
//! a cursor: asked with it, only what changed since is told, and which nodes no longer match. A cursor that cannot be used
//! any more (another run, nodes forgotten) leads to a `full` answer. Version 1; columns are only ever added at the end.

use std::{sync::Arc, time::Duration};

use nodegrace_core::NodeFigures;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    aggregator::Parts,
    query::{Filter, node_state, node_value},
    register::{Known, VISIT},
};

/// Latest long gaps shown of a node: more would not be told apart on a strip.
const RECENT: usize = 8;

const COLUMNS: [&str; 15] = [
    "name",
    "state",
    "risk",
    "cause",
    "connected",
    "p50",
    "p90",
    "p99",
    "p999",
    "max",
    "running",
    "flips_per_day",
    "flips_per_day_upper",
    "flips_seen",
    "recent",
];

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// As in `ListNodesRequest`.
    filter: String,
    /// `cursor` of the answer before, to the same filter. Empty: everything.
    cursor: String,
}

/// Where a reader is: only what comes later is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    run: u64,
    change: u64,
    forgotten: u64,
}

/// The answer.
pub(super) async fn strips(parts: &Parts, asked: &Asked) -> Result<Value, Status> {
    let filter = Filter::parse(&asked.filter)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let register = &parts.register;
    // In this order: what changes from here on is told next time.
    let here = Cursor {
        run: parts.timeline.run(),
        change: register.last_change(),
        forgotten: register.forgotten(),
    };
    let before = Cursor::parse(&asked.cursor).filter(|before| here.goes_on_from(*before));
    let names = match before {
        None => register.names(),
        Some(before) => changed(parts, before.change, here.change).into(),
    };
    let now = parts.timeline.now();
    let (mut nodes, mut gone) = (Vec::new(), Vec::new());
    register
        .visit(&names, |known| {
            let glance = known.glance();
            if filter.matches(&|field| node_value(&glance, field, now)) {
                nodes.push(row(&known.figures(now), known));
            } else if before.is_some() {
                gone.push(Value::from(glance.name));
            }
        })
        .await;
    Ok(json!({
        "version": 1,
        "cursor": here.to_string(),
        "full": before.is_none(),
        "columns": COLUMNS,
        "nodes": nodes,
        "gone": gone,
    }))
}

fn changed(parts: &Parts, mut after: u64, until: u64) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    loop {
        let chunk = parts.register.changes(after, until);
        let Some((last, _)) = chunk.last() else {
            return names;
        };
        after = *last;
        let whole = chunk.len() == VISIT;
        names.extend(chunk.into_iter().map(|(_, name)| name));
        if !whole {
            return names;
        }
    }
}

fn row(node: &NodeFigures, known: Known<'_>) -> Value {
    let gap = node.gap.spread.as_ref();
    let mut recent: Vec<_> = known.history.gaps().exact().collect();
    recent.sort_by_key(|gap| std::cmp::Reverse(gap.end_time));
    let recent: Vec<f64> = recent
        .into_iter()
        .take(RECENT)
        .map(|gap| millis(gap.duration))
        .collect();
    json!([
        &*node.name,
        node_state(node.verdict.state)
            .as_str_name()
            .trim_start_matches("STATE_"),
        node.risk(),
        node.cause().map(nodegrace_core::cause::CauseKind::name),
        node.observation.connected,
        gap.map(|gap| millis(gap.p50)),
        gap.map(|gap| millis(gap.p90)),
        gap.map(|gap| millis(gap.p99)),
        gap.map(|gap| millis(gap.p999)),
        gap.map(|gap| millis(gap.max)),
        node.running_gap.map(|gap| millis(gap.duration)),
        node.expected_flips.map(|flips| flips.per_day),
        node.expected_flips
            .map(|flips| flips.per_day_interval.upper),
        node.flips_seen,
        recent,
    ])
}

/// With three decimals: rounded to what people read it must give what gRPC's answer does.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Cursor {
    /// The cursor in `text`; none in a text that is no cursor.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse().ok());
        Some(Self {
            run: parts.next()??,
            change: parts.next()??,
            forgotten: parts.next()??,
        })
    }

    const fn goes_on_from(self, before: Self) -> bool {
        self.run == before.run && self.forgotten == before.forgotten && self.change >= before.change
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}-{}-{}", self.run, self.change, self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_only_in_its_own_run_and_while_no_node_is_forgotten() {
        let here = Cursor {
            run: 7,
            change: 12,
            forgotten: 1,
        };
        assert_eq!(Cursor::parse(&here.to_string()), Some(here));
        assert!(here.goes_on_from(Cursor { change: 3, ..here }));
        assert!(!here.goes_on_from(Cursor { run: 6, ..here }));
        assert!(!here.goes_on_from(Cursor {
            forgotten: 0,
            ..here
        }));
        assert!(!here.goes_on_from(Cursor { change: 13, ..here }));
        for text in ["", "7", "7-12", "a-b-c", "-1-2-3"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
