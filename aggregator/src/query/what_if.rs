//! `SimulateGrace`: what other settings of the controller would have led to.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use nodegrace_core::{
    Fleet,
    what_if::{Basis, Candidate, Estimate, Extrapolation, WhatIf, simulate_in_slices},
};
use nodegrace_proto::v1;
use tonic::Status;

use super::{compute::Computer, fleet, node};
use crate::{aggregator::Parts, aside::give_way, register::Known, wire};

/// Most candidates of one question: more than fit on a screen.
const MAX_CANDIDATES: usize = 100;
/// Grace periods of the table that is answered when none is asked for, in seconds: those of Kubernetes up to 1.31 and since
/// 1.32, what people shorten and lengthen them to, and what others recommend.
const USUAL: [u64; 9] = [20, 30, 40, 50, 60, 75, 90, 120, 180];
/// Affected nodes named unless asked otherwise, and at most: with [`MAX_CANDIDATES`] the answer stays below 4 MiB.
const DEFAULT_NODES: usize = 10;
const MAX_NODES: usize = 100;

/// What each candidate would have led to.
pub(super) async fn simulate_grace(
    parts: &Arc<Parts>,
    computer: &Computer,
    request: &v1::SimulateGraceRequest,
) -> Result<v1::SimulateGraceResponse, Status> {
    let present = parts.config.fleet.controller;
    let named = named(request.max_nodes)?;
    let candidates = if request.candidates.is_empty() {
        usual(present.grace_period, present.monitor_period)
    } else {
        asked(&request.candidates, present.monitor_period)?
    };
    for (index, candidate) in candidates.iter().enumerate() {
        present
            .with_periods(candidate.grace_period, candidate.monitor_period)
            .validate()
            .map_err(|error| Status::invalid_argument(format!("candidates[{index}]: {error}")))?;
    }
    let shared = Arc::clone(parts);
    let question = move |fleet: &Fleet| {
        let pods = |node: &str| shared.register.node(node, running_pods).flatten();
        let outcomes = simulate_in_slices(fleet, &candidates, pods, &give_way);
        (outcomes, fleet::controller(fleet))
    };
    let (outcomes, present) = computer.answer(&parts.register, question).await?;
    let outcomes = outcomes.map_err(|error| Status::invalid_argument(error.to_string()))?;
    Ok(v1::SimulateGraceResponse {
        present: Some(present),
        outcomes: outcomes
            .iter()
            .map(|outcome| message(outcome, named))
            .collect(),
    })
}

/// The number of affected nodes to name.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is negative.
pub(super) fn named(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_NODES),
        Ok(nodes) => Ok(nodes.min(MAX_NODES)),
        Err(_) => Err(Status::invalid_argument("max_nodes: must not be negative")),
    }
}

fn usual(present: Duration, monitor_period: Duration) -> Vec<Candidate> {
    let graces: BTreeSet<Duration> = USUAL
        .into_iter()
        .map(Duration::from_secs)
        .filter(|grace| *grace >= monitor_period)
        .chain([present])
        .collect();
    graces
        .into_iter()
        .map(|grace_period| Candidate {
            grace_period,
            monitor_period,
        })
        .collect()
}

fn asked(
    candidates: &[v1::GraceCandidate],
    monitor_period: Duration,
) -> Result<Vec<Candidate>, Status> {
    if candidates.len() > MAX_CANDIDATES {
        let problem = format!("candidates: must not be more than {MAX_CANDIDATES}");
        return Err(Status::invalid_argument(problem));
    }
    let period = |index: usize, field: &str, value: Option<_>| {
        value.map(wire::duration).transpose().map_err(|reason| {
            Status::invalid_argument(format!("candidates[{index}].{field}: {reason}"))
        })
    };
    let candidate = |(index, candidate): (usize, &v1::GraceCandidate)| {
        let grace_period = period(index, "grace_period", candidate.grace_period)?;
        let own = period(index, "monitor_period", candidate.monitor_period)?;
        Ok(Candidate {
            grace_period: grace_period.ok_or_else(|| {
                Status::invalid_argument(format!("candidates[{index}].grace_period: is missing"))
            })?,
            monitor_period: own.unwrap_or(monitor_period),
        })
    };
    candidates.iter().enumerate().map(candidate).collect()
}

/// The pods that run on a node now, from its latest sample. Absent: it does not say.
fn running_pods(known: Known<'_>) -> Option<u32> {
    known.beside.sample.as_ref()?.running_pods()
}

/// An outcome as the wire has it, with at most `named` affected nodes.
pub(super) fn message(outcome: &WhatIf, named: usize) -> v1::GraceOutcome {
    let estimate = outcome.estimate().map(estimate);
    let affected = outcome.affected.iter().take(named);
    v1::GraceOutcome {
        grace_period: Some(wire::to_duration(outcome.candidate.grace_period)),
        monitor_period: Some(wire::to_duration(outcome.candidate.monitor_period)),
        replayed_flips: outcome.flips.map(node::expected_flips),
        sketched_ratio: outcome.sketched_ratio,
        extrapolation: outcome.extrapolated.map(extrapolation),
        estimate,
        affected_node_count: outcome.affected.len() as u64,
        affected_nodes: affected
            .map(|affected| v1::AffectedNode {
                node_name: affected.name.to_string(),
                flips: affected.flips().map(node::expected_flips),
            })
            .collect(),
        not_ready_per_day: outcome.not_ready_per_day.map(wire::to_duration),
        saved_per_day: outcome.saved_per_day.map(wire::to_signed_duration),
        lost_pods_per_day: outcome.lost_pods_per_day,
        mean_detection: Some(wire::to_duration(outcome.mean_detection)),
        latest_detection: Some(wire::to_duration(outcome.latest_detection)),
    }
}

fn extrapolation(extrapolation: Extrapolation) -> v1::GraceExtrapolation {
    v1::GraceExtrapolation {
        per_day: extrapolation.per_day,
        per_day_lower: extrapolation.per_day_interval.lower,
        per_day_upper: extrapolation.per_day_interval.upper,
        longest_seen: Some(wire::to_duration(extrapolation.longest_seen)),
        beyond_seen: extrapolation.beyond_seen,
    }
}

fn estimate(estimate: Estimate) -> v1::FlipEstimate {
    let basis = match estimate.basis {
        Basis::Replayed => v1::EstimateBasis::Replayed,
        Basis::Extrapolated => v1::EstimateBasis::Extrapolated,
        Basis::HardlySeen => v1::EstimateBasis::HardlySeen,
    };
    v1::FlipEstimate {
        per_day: estimate.per_day,
        per_day_lower: estimate.interval.lower,
        per_day_upper: estimate.interval.upper,
        basis: basis.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_table_leaves_out_what_the_monitor_period_does_not_allow() {
        let seconds = Duration::from_secs;
        let table = usual(seconds(50), seconds(45));
        assert!(table.iter().all(|row| row.grace_period >= seconds(45)));
        assert_eq!(table[0].grace_period, seconds(50));
    }
}
