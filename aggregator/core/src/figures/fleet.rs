//! The figures of the fleet.

use crate::{
    event::Losses, expected::ExpectedFlips, figures::Quantiles, node::NodeHistory, state::State,
    time::WallTime,
};

/// Totals, coverage and the quality of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetFigures {
    /// Nodes by state, without the states that no node is in.
    pub states: Vec<(State, u64)>,
    /// Nodes that reported at least once.
    pub nodes: u64,
    /// Agents whose stream is open.
    pub connected_agents: u64,
    /// Gaps of all nodes together.
    pub gap: Quantiles,
    /// Flips expected in the fleet. Absent: no gap was measured.
    pub expected_flips: Option<ExpectedFlips>,
    /// Times Ready was seen to turn Unknown on any node.
    pub flips_seen: u64,
    /// Heartbeats counted.
    pub heartbeats: u64,
    /// What agents had to drop. Absent: nothing.
    pub losses: Option<Losses>,
    /// Records acknowledged by an earlier run and forgotten with it.
    pub forgotten_records: u64,
    /// Records received more than once.
    pub duplicate_records: u64,
    /// Records of replaced agents that came too late to be put in order.
    pub late_records: u64,
    /// Since when every record that agents made and did not report as lost is here, by the nodes' wall clocks. Absent: no
    /// record is.
    pub complete_since: Option<WallTime>,
    /// The counts among these with those of nodes that were forgotten.
    pub ever: Totals,
}

/// Counts that only ever grow while an aggregator runs: of the nodes that are known, and of those that it has forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Times Ready was seen to turn Unknown on any node.
    pub flips_seen: u64,
    /// Heartbeats counted.
    pub heartbeats: u64,
    /// What agents had to drop.
    pub losses: Losses,
    /// Records acknowledged by an earlier run and forgotten with it.
    pub forgotten_records: u64,
    /// Records received more than once.
    pub duplicate_records: u64,
    /// Records of replaced agents that came too late to be put in order.
    pub late_records: u64,
}

impl Totals {
    /// With those of one more node.
    pub(crate) fn with(self, node: &NodeHistory) -> Self {
        Self {
            flips_seen: self.flips_seen + node.flips_seen(),
            heartbeats: self.heartbeats + node.heartbeats(),
            losses: self.losses.plus(node.losses()),
            forgotten_records: self.forgotten_records + node.forgotten_records(),
            duplicate_records: self.duplicate_records + node.duplicate_records(),
            late_records: self.late_records + node.late_records(),
        }
    }
}
