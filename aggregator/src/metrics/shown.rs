//! Which nodes have series of their own.

use std::{cmp::Ordering, collections::BinaryHeap, str::FromStr, time::Duration};

use nodegrace_core::{Fleet, NodeFigures};

use crate::aside::give_way;

/// Nodes whose figures are made at once: some hundred microseconds of work.
const SLICE: usize = 64;

/// Which nodes have series of their own. The totals are always of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsNodes {
    /// Every node.
    All,
    /// So many, the most endangered first.
    Top(usize),
    /// None.
    None,
}

impl Default for MetricsNodes {
    /// All nodes of nearly every cluster, so that series do not come and go with the ranking; in a larger one the thousand
    /// that matter, so that the scrape stays at some 40,000 series.
    fn default() -> Self {
        Self::Top(1000)
    }
}

impl FromStr for MetricsNodes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => text
                .strip_prefix("top=")
                .and_then(|most| most.parse().ok())
                .filter(|most| *most > 0)
                .map(Self::Top)
                .ok_or("must be all, top=N or none"),
        }
    }
}

impl MetricsNodes {
    /// The figures at `now` of those of the fleet's nodes that it names, by name.
    pub(super) fn of(self, fleet: &Fleet, now: Duration) -> Vec<NodeFigures> {
        let nodes = fleet.nodes(now).enumerate().map(|(number, node)| {
            if number.is_multiple_of(SLICE) {
                give_way();
            }
            node
        });
        match self {
            Self::All => nodes.collect(),
            Self::Top(most) => top(nodes, most),
            Self::None => Vec::new(),
        }
    }
}

/// The `most` nodes of highest risk, by name. Never holds more than one above that.
fn top(nodes: impl Iterator<Item = NodeFigures>, most: usize) -> Vec<NodeFigures> {
    let mut worst = BinaryHeap::new();
    for node in nodes {
        worst.push(Ranked {
            risk: node.risk(),
            node,
        });
        if worst.len() > most {
            worst.pop();
        }
    }
    let mut worst: Vec<_> = worst.into_iter().map(|ranked| ranked.node).collect();
    worst.sort_by(|one, other| one.name.cmp(&other.name));
    worst
}

/// A node in the order in which nodes are left out: the lowest risk is the greatest, an unknown one beyond that.
struct Ranked {
    risk: Option<f64>,
    node: NodeFigures,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let risk = |ranked: &Self| ranked.risk.unwrap_or(f64::NEG_INFINITY);
        risk(other)
            .total_cmp(&risk(self))
            .then_with(|| self.node.name.cmp(&other.node.name))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_by_all_top_or_none() {
        assert_eq!("all".parse(), Ok(MetricsNodes::All));
        assert_eq!("top=7".parse(), Ok(MetricsNodes::Top(7)));
        assert_eq!("none".parse(), Ok(MetricsNodes::None));
        for nonsense in ["", "top", "top=0", "top=-1", "7"] {
            assert!(nonsense.parse::<MetricsNodes>().is_err(), "{nonsense}");
        }
    }
}
