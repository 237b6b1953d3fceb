//! Stopping: in time, with a last word to everybody, and without losing what was acknowledged.

use nodegrace_proto::v1;
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::kit::{World, seconds};

#[tokio::test(start_paused = true)]
async fn an_agent_gets_a_last_acknowledgement_and_is_told_to_go() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(3, seconds(10)).await;
    world.shutdown.cancel();

    assert_eq!(agent.ack().await.expect("a last ack").sequence_number, 3);
    let status = agent.ack().await.expect_err("the end");
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn open_streams_do_not_hold_the_aggregator() {
    let world = World::new();
    let _agent = world.agent("node-1").await;
    let request = v1::WatchNodesRequest::default();
    let _watch = world.query().watch_nodes(request).await.expect("a watch");
    let mut health = HealthClient::new(world.channel());
    let request = HealthCheckRequest::default();
    let _health = health.watch(request).await.expect("a watch");

    let start = Instant::now();
    world.stop().await.expect("a clean end");
    assert!(start.elapsed() < seconds(5), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_does_not_hold_the_aggregator() {
    let world = World::new();
    let _agents = world.crowd(200).await;
    let request = v1::WatchNodesRequest {
        view: v1::NodeView::Full.into(),
        ..v1::WatchNodesRequest::default()
    };
    let _never_read = world.query().watch_nodes(request).await.expect("a watch");

    let start = Instant::now();
    world.stop().await.expect("a clean end");
    assert!(start.elapsed() < seconds(5), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn health_says_serving_until_the_drain_begins() {
    let world = World::new();
    for service in ["", "nodegrace.v1.Ingest", "nodegrace.v1.Query"] {
        let mut health = HealthClient::new(world.channel());
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = health.check(request).await.expect("a known service");
        assert_eq!(
            answer.into_inner().status(),
            ServingStatus::Serving,
            "{service}"
        );
    }
    let mut health = HealthClient::new(world.channel());
    let mut watch = health
        .watch(HealthCheckRequest::default())
        .await
        .expect("a watch")
        .into_inner();
    let first = watch.message().await.expect("no error").expect("no end");
    assert_eq!(first.status(), ServingStatus::Serving);
    world.shutdown.cancel();
    let last = watch.message().await.expect("no error").expect("no end");
    assert_eq!(last.status(), ServingStatus::NotServing);
    let status = watch.message().await.expect_err("the end");
    assert_eq!(status.code(), Code::Unavailable);
}
