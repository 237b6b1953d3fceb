//! The gaps that were made, against those that were found.

use std::collections::HashMap;

/// How far a finding's beginning may be off.
const SAME: f64 = 1.0;

/// A gap that was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// The node's number.
    pub(super) node: u32,
    /// Of the renewal before the gap, as Unix time in seconds.
    pub(super) from: f64,
    /// Of the renewal after it.
    pub(super) to: f64,
}

/// How many were found, and how exactly.
#[derive(Clone, Debug, Default)]
pub(super) struct Score {
    /// Length of each gap that was made, and how much longer it was found to be. Absent: it was not found.
    gaps: Vec<(f64, Option<f64>)>,
    /// Findings where there was none.
    pub(super) false_alarms: usize,
}

impl Score {
    /// Holds what was found against the truth: node, beginning and length of each gap.
    pub(super) fn of(truth: &[(u32, f64, f64)], found: &[Found]) -> Self {
        let mut by_node: HashMap<u32, Vec<&Found>> = HashMap::new();
        for one in found {
            by_node.entry(one.node).or_default().push(one);
        }
        let mut score = Self::default();
        for &(node, from, length) in truth {
            let (of_node, to) = (by_node.entry(node).or_default(), from + length);
            // What spans the gap, or begins or ends with it.
            let spans = |one: &&Found| one.from <= from + SAME && one.to >= to - SAME;
            let at = of_node.iter().position(spans);
            let off = at
                .map(|at| of_node.remove(at))
                .map(|one| one.to - one.from - length);
            score.gaps.push((length, off));
        }
        score.false_alarms = by_node.values().map(Vec::len).sum();
        score
    }

    /// Share of the gaps of these lengths, in seconds, that were found.
    pub(super) fn noticed(&self, from: f64, to: f64) -> f64 {
        let of_length = self
            .gaps
            .iter()
            .filter(|(length, _)| (from..to).contains(length));
        let all = of_length.clone().count();
        let found = of_length.filter(|(_, off)| off.is_some()).count();
        found as f64 / all as f64
    }

    /// A quantile of how far off the lengths of those found are, in seconds.
    pub(super) fn error(&self, quantile: f64) -> f64 {
        let offs = self.gaps.iter().filter_map(|(_, off)| off.map(f64::abs));
        let mut offs: Vec<_> = offs.collect();
        offs.sort_unstable_by(f64::total_cmp);
        let rank = (quantile * offs.len() as f64).ceil() as usize;
        offs.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_found_once_and_what_is_left_is_false() {
        let found = |node, from, to| Found { node, from, to };
        let truth = [(1, 100.0, 30.0), (2, 200.0, 18.0)];
        let findings = [
            found(1, 100.0, 140.2),
            found(1, 300.0, 330.0),
            found(3, 100.0, 130.0),
        ];
        let score = Score::of(&truth, &findings);
        assert!((score.noticed(15.0, 60.0) - 0.5).abs() < 1e-9);
        assert!((score.noticed(30.0, 60.0) - 1.0).abs() < 1e-9);
        assert!((score.error(0.99) - 10.2).abs() < 1e-9);
        assert_eq!(score.false_alarms, 2);
    }
}
