//! How far the watches of the cluster are, and what they say of agents, for the wire.

use std::{collections::BTreeMap, sync::Arc};

use nodegrace_core::{
    calibration::Day,
    cluster::{Coverage, FlipKind},
    likely_counts,
};
use nodegrace_proto::v1;

use super::flips;
use crate::{
    aggregator::Parts,
    cluster::{ClusterState, Phase, Progress},
    wire,
};

/// Names told of nodes that lack something.
const MOST_NAMES: usize = 100;

/// How far the watches are.
pub(crate) fn watch(state: &ClusterState) -> v1::ClusterWatch {
    let (nodes, slices) = (state.nodes(), state.slices());
    let cluster = state.read();
    let ((services, addresses), missed) = (cluster.sizes(), cluster.missed());
    v1::ClusterWatch {
        nodes: Some(progress(&nodes)),
        endpoint_slices: Some(progress(&slices)),
        services: services as u64,
        addresses: addresses as u64,
        refused_nodes: missed.nodes,
        refused_addresses: missed.endpoints,
        dropped_changes: missed.changes,
        unseen_flips: missed.unseen_flips,
        dropped_flip_addresses: missed.flip_addresses,
    }
}

fn progress(progress: &Progress) -> v1::WatchProgress {
    let phase = match progress.phase {
        Phase::Off => v1::WatchPhase::Off,
        Phase::Listing => v1::WatchPhase::Listing,
        Phase::Complete => v1::WatchPhase::Complete,
        Phase::Behind => v1::WatchPhase::Behind,
    };
    v1::WatchProgress {
        phase: phase.into(),
        trouble: progress.trouble.clone(),
        first_list: progress.first_list.map(wire::to_duration),
        events: progress.events,
        relists: progress.relists,
    }
}

/// Which nodes have agents.
pub(super) fn agents(coverage: &Coverage) -> v1::AgentCoverage {
    let names = |of: &[Arc<str>]| {
        of.iter()
            .take(MOST_NAMES)
            .map(ToString::to_string)
            .collect()
    };
    v1::AgentCoverage {
        nodes: coverage.nodes,
        without_agent: coverage.without_agent.len() as u64,
        without_agent_names: names(&coverage.without_agent),
        without_node: coverage.without_node.len() as u64,
        without_node_names: names(&coverage.without_node),
        silent_agents: coverage.silent_agents.len() as u64,
        silent_agent_names: names(&coverage.silent_agents),
    }
}

/// The flips kept, by kind.
pub(super) fn flips_by_kind(parts: &Parts) -> Vec<v1::FlipCount> {
    let rule = parts.cluster.rule();
    let mut counts = BTreeMap::<FlipKind, u64>::new();
    let flips = parts.cluster.read().flips().all();
    for flip in &flips {
        *counts.entry(flip.kind(&rule)).or_default() += 1;
    }
    let counts = counts.into_iter().map(|(kind, flips)| v1::FlipCount {
        kind: flips::kind(kind).into(),
        flips,
    });
    counts.collect()
}

/// What was predicted for a day, and what came.
pub(super) fn day(day: &Day) -> v1::CalibrationDay {
    let likely = likely_counts(day.predicted);
    v1::CalibrationDay {
        start_time: Some(wire::to_timestamp(day.start)),
        predicted: day.predicted,
        likely_lower: likely.least,
        likely_upper: likely.most,
        seen: day.seen,
        risky_gaps: day.risky_gaps,
    }
}
