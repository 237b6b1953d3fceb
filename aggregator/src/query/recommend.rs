//! `Recommend`: the smallest grace period that meets a goal, what it costs, and what to set.

mod words;

use std::time::Duration;

use nodegrace_core::{
    Channel, Fleet,
    recommend::{self, Check, Goal, LiveSettings, Outcome, Recommendation, Shortage},
    what_if::WhatIf,
};
use nodegrace_proto::{prost_types, v1};
use tonic::Status;

use super::{compute::Computer, what_if};
use crate::{aggregator::Parts, register::Register, wire};

/// Nodes and days that a goal is asked for.
const NODES: f64 = 1000.0;
const DAYS: f64 = 30.0;

/// The recommendation for the fleet as it is now.
pub(super) async fn recommendation(
    parts: &Parts,
    computer: &Computer,
    request: &v1::RecommendRequest,
) -> Result<v1::RecommendResponse, Status> {
    let named = what_if::named(request.max_nodes)?;
    let goal = goal(request.flips_per_thousand_nodes_month)?;
    let live = live_settings(&parts.register, parts.timeline.now()).await;
    let question = move |fleet: &Fleet| recommend::recommend(fleet, goal, &live);
    let recommendation = computer
        .answer(&parts.register, question)
        .await?
        .map_err(|error| Status::failed_precondition(error.to_string()))?;
    Ok(message(recommendation, named))
}

fn goal(asked: Option<f64>) -> Result<Goal, Status> {
    let Some(flips) = asked else {
        return Ok(Goal::default());
    };
    if !(flips > 0.0 && flips.is_finite()) {
        return Err(Status::invalid_argument(
            "flips_per_thousand_nodes_month: must be above 0",
        ));
    }
    Ok(Goal {
        flips_per_node_day: flips / (NODES * DAYS),
    })
}

/// Share of the nodes whose kubelets may be set to something longer than what is taken for the fleet: one that was set to wait
/// for hours is a fault of its own.
const ODD_NODES: f64 = 0.1;

/// What nearly all kubelets are set to, and how long a renewal takes to the API server: the median over nodes of its 99th
/// percentile, because the tail of a node in trouble is not the network's.
async fn live_settings(register: &Register, now: Duration) -> LiveSettings {
    let (mut leases, mut reports, mut round_trips) = (Vec::new(), Vec::new(), Vec::new());
    register
        .visit(&register.names(), |known| {
            let known_one = |value: Option<prost_types::Duration>| wire::duration(value?).ok();
            if let Some(settings) = &known.beside.settings {
                leases.extend(known_one(settings.node_lease_duration));
                reports.extend(known_one(settings.node_status_report_frequency));
            }
            let figures = known.figures(now);
            let lease = figures
                .channels
                .iter()
                .find(|figures| figures.channel == Channel::Lease);
            let delays = lease.and_then(|lease| lease.delivery_delay.spread);
            round_trips.extend(delays.map(|delays| delays.p99));
        })
        .await;
    LiveSettings {
        lease_duration: exceeded_by(ODD_NODES, leases),
        status_report_frequency: exceeded_by(ODD_NODES, reports),
        round_trip: exceeded_by(0.5, round_trips),
    }
}

/// The value that this share of the others exceeds; of a few, at least one is passed over. Absent: there is none.
fn exceeded_by(share: f64, mut values: Vec<Duration>) -> Option<Duration> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    Some(values[last - (last as f64 * share).ceil() as usize])
}

fn message(recommendation: Recommendation, named: usize) -> v1::RecommendResponse {
    let summary = words::summary(&recommendation);
    let outcome = |outcome: &WhatIf| what_if::message(outcome, named);
    v1::RecommendResponse {
        summary,
        goal_per_day: recommendation.goal_per_day,
        present: Some(outcome(&recommendation.present)),
        recommended: recommendation.recommended.as_ref().map(outcome),
        safe: recommendation.safe.as_ref().map(outcome),
        shortage: recommendation.shortage.map(shortage),
        checks: recommendation.checks.into_iter().map(check).collect(),
        settings: recommendation
            .settings
            .into_iter()
            .map(|settings| v1::SettingsText {
                place: settings.place.to_owned(),
                text: settings.text,
            })
            .collect(),
    }
}

fn shortage(shortage: Shortage) -> v1::Shortage {
    let empty = v1::Shortage::default();
    match shortage {
        Shortage::NothingMeasured => v1::Shortage {
            kind: v1::ShortageKind::NothingMeasured.into(),
            ..empty
        },
        Shortage::NotEnoughData { observed, needed } => v1::Shortage {
            kind: v1::ShortageKind::NotEnoughData.into(),
            observed: Some(wire::to_duration(observed)),
            needed: Some(wire::to_duration(needed)),
            ..empty
        },
        Shortage::OutOfReach { longest } => v1::Shortage {
            kind: v1::ShortageKind::OutOfReach.into(),
            longest_grace_period: Some(wire::to_duration(longest)),
            ..empty
        },
    }
}

fn check(check: Check) -> v1::SettingsCheck {
    let outcome = match check.outcome {
        Outcome::Holds => v1::CheckOutcome::Holds,
        Outcome::Fails => v1::CheckOutcome::Fails,
        Outcome::Unknown => v1::CheckOutcome::Unknown,
    };
    v1::SettingsCheck {
        rule: check.rule,
        outcome: outcome.into(),
        reason: check.reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_kubelet_does_not_decide_for_the_fleet() {
        let leases = |seconds: &[u64]| {
            let leases = seconds.iter().copied().map(Duration::from_secs).collect();
            exceeded_by(ODD_NODES, leases).map(|lease| lease.as_secs())
        };
        assert_eq!(leases(&[]), None);
        assert_eq!(leases(&[600]), Some(600));
        assert_eq!(leases(&[40, 1_000_000_000, 40]), Some(40));
        assert_eq!(leases(&[40, 40, 60, 60, 60]), Some(60));
    }
}
