//! `SimulateGrace` and `Recommend`: other settings of the controller, judged by the gaps that were measured.

use std::time::Duration;

use nodegrace_proto::v1;
use tonic::Code;

use crate::kit::{Agent, World, seconds};

/// An hour of a kubelet that posts every 38 to 44 s, as overloaded ones without Leases do.
async fn overloaded(world: &World) -> Agent {
    let mut agent = world.agent("overloaded").await;
    for round in 0..90 {
        agent
            .beats(1, Duration::from_millis(38_000 + 66 * round))
            .await;
    }
    agent
}

fn candidate(grace_period: i64) -> v1::GraceCandidate {
    v1::GraceCandidate {
        grace_period: Some(prost_types::Duration {
            seconds: grace_period,
            nanos: 0,
        }),
        monitor_period: None,
    }
}

async fn simulate(
    world: &World,
    candidates: Vec<v1::GraceCandidate>,
) -> Result<v1::SimulateGraceResponse, tonic::Status> {
    let request = v1::SimulateGraceRequest {
        candidates,
        max_nodes: 0,
    };
    world
        .query()
        .simulate_grace(request)
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test(start_paused = true)]
async fn a_longer_grace_period_would_have_cost_fewer_flips() {
    let world = World::new();
    let _agent = overloaded(&world).await;
    let answer = simulate(&world, vec![candidate(30), candidate(40), candidate(50)]).await;
    let outcomes = answer.expect("outcomes").outcomes;

    let flips: Vec<f64> = outcomes
        .iter()
        .map(|outcome| {
            outcome
                .replayed_flips
                .as_ref()
                .expect("measured gaps")
                .expected
        })
        .collect();
    assert!(flips[0] > flips[1] && flips[1] > 1.0, "{flips:?}");
    assert!(flips[2] == 0.0, "no gap is longer than 44 s: {flips:?}");
    assert_eq!(outcomes[1].affected_nodes[0].node_name, "overloaded");
    assert_eq!(outcomes[2].affected_node_count, 0);
    assert!(outcomes[0].mean_detection.expect("known").seconds < 35);
}

#[tokio::test(start_paused = true)]
async fn where_no_gap_was_measured_nothing_is_told_of_what_they_cost() {
    let world = World::new();
    let answer = simulate(&world, Vec::new()).await.expect("a table");
    assert!(!answer.outcomes.is_empty());
    for outcome in answer.outcomes {
        assert_eq!(outcome.estimate, None);
        assert_eq!(outcome.not_ready_per_day, None);
        assert_eq!(outcome.saved_per_day, None);
        assert_eq!(outcome.lost_pods_per_day, None);
        assert!(
            outcome.mean_detection.is_some(),
            "that is the settings' own"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_present_setting_is_simulated_as_it_is_judged() {
    let world = World::new();
    let _agent = overloaded(&world).await;
    let answer = simulate(&world, Vec::new()).await.expect("a table");
    let present = answer.present.and_then(|present| present.grace_period);
    let outcome = answer
        .outcomes
        .iter()
        .find(|outcome| outcome.grace_period == present);
    let replayed = outcome.expect("a row for it").replayed_flips;
    assert_eq!(replayed, world.fleet().await.expected_flips);
}

#[tokio::test(start_paused = true)]
async fn settings_that_no_controller_has_are_refused_by_field() {
    let world = World::new();
    for (candidates, wanted) in [
        (
            vec![candidate(40), candidate(0)],
            "candidates[1]: the grace period must be",
        ),
        (
            vec![candidate(-1)],
            "candidates[0].grace_period: must not be negative",
        ),
        (
            vec![v1::GraceCandidate::default()],
            "candidates[0].grace_period: is missing",
        ),
        (
            vec![candidate(40); 101],
            "candidates: must not be more than 100",
        ),
    ] {
        let status = simulate(&world, candidates).await.expect_err(wanted);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(wanted), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recommendation_names_a_grace_period_or_what_is_missing_for_one() {
    let world = World::new();
    let recommend = async || {
        let request = v1::RecommendRequest::default();
        let answer = world.query().recommend(request).await;
        answer.expect("a recommendation").into_inner()
    };
    let nothing = recommend().await.shortage.expect("nothing to go by");
    assert_eq!(nothing.kind(), v1::ShortageKind::NothingMeasured);

    let _agent = overloaded(&world).await;
    let answer = recommend().await;
    assert!(
        answer.recommended.is_some() != answer.shortage.is_some(),
        "{answer:?}"
    );
    assert!(answer.summary.ends_with('.'), "{}", answer.summary);
    assert_eq!(answer.checks.len(), 4);

    let request = v1::RecommendRequest {
        flips_per_thousand_nodes_month: Some(-1.0),
        max_nodes: 0,
    };
    let status = world.query().recommend(request).await.expect_err("no goal");
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn flips_that_the_settings_cannot_explain_are_warned_of() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    for _ in 0..5 {
        agent.beats(1, seconds(30)).await;
        // Marked 22 s after its last heartbeat: a grace period of 20 s, not the 50 s of the flags.
        world.pass(seconds(22)).await;
        for status in [v1::ConditionStatus::Unknown, v1::ConditionStatus::True] {
            let batch = agent.ready(status);
            agent.send(batch).await.expect("an ack");
            world.pass(seconds(2)).await;
        }
    }
    let controller = world.fleet().await.controller.expect("settings");
    let inferred = controller.inferred.expect("flips to infer from");
    assert!(
        inferred.contradicts_settings && inferred.flips == 5,
        "{inferred:?}"
    );
    assert!(
        controller.warning.contains("5 flips seen point to"),
        "{}",
        controller.warning
    );
}
