//! `WatchNodes`: what is there, then what changes.

use nodegrace_proto::v1::{self, watch_nodes_response::Event};
use tonic::{Code, Streaming};

use crate::kit::{World, seconds};

async fn watch(world: &World, filter: &str) -> Streaming<v1::WatchNodesResponse> {
    let request = v1::WatchNodesRequest {
        filter: filter.to_owned(),
        ..v1::WatchNodesRequest::default()
    };
    world
        .query()
        .watch_nodes(request)
        .await
        .expect("a watch")
        .into_inner()
}

async fn next(watch: &mut Streaming<v1::WatchNodesResponse>) -> Event {
    let step = watch.message().await.expect("no error");
    step.expect("no end").event.expect("an event")
}

/// The next event, which must be about a node.
async fn node(watch: &mut Streaming<v1::WatchNodesResponse>) -> v1::Node {
    match next(watch).await {
        Event::Node(node) => node,
        other => panic!("{other:?} instead of a node"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_shows_what_is_there_and_then_each_change() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(2, seconds(10)).await;

    let mut watch = watch(&world, "").await;
    assert_eq!(node(&mut watch).await.channels[0].heartbeats, 2);
    assert_eq!(next(&mut watch).await, Event::Synced(true));
    agent.beats(1, seconds(10)).await;
    assert_eq!(node(&mut watch).await.channels[0].heartbeats, 3);
    world.agent("node-2").await.beats(1, seconds(5)).await;
    assert_eq!(node(&mut watch).await.name, "node-2");
}

#[tokio::test(start_paused = true)]
async fn many_changes_within_the_interval_are_told_as_one() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut watch = watch(&world, "").await;
    assert_eq!(next(&mut watch).await, Event::Synced(true));

    agent.beats(50, std::time::Duration::from_millis(100)).await;
    let (mut told, mut last) = (0, 0);
    while last < 50 {
        told += 1;
        last = node(&mut watch).await.channels[0].heartbeats;
    }
    assert!(told <= 6, "{told} messages in five seconds");
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_although_nobody_reports_it() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(40, seconds(10)).await;
    let mut watch = watch(&world, "").await;
    assert_eq!(node(&mut watch).await.state(), v1::State::Ok);
    assert_eq!(next(&mut watch).await, Event::Synced(true));

    let overdue = node(&mut watch).await;
    assert_eq!(
        overdue.state(),
        v1::State::Overdue,
        "{}",
        overdue.state_reason
    );
    // The controller may be about to flip it, until it has surely done so.
    let later = loop {
        let later = node(&mut watch).await;
        if later.state() != v1::State::Overdue {
            break later;
        }
    };
    assert_eq!(later.state(), v1::State::Stale, "{}", later.state_reason);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_no_longer_matches_is_removed() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(40, seconds(10)).await;
    let mut watch = watch(&world, "state = OK").await;
    assert_eq!(node(&mut watch).await.name, "node-1");
    assert_eq!(next(&mut watch).await, Event::Synced(true));

    let removed = Event::Removed("node-1".to_owned());
    assert_eq!(next(&mut watch).await, removed);
    agent.beats(1, seconds(1)).await;
    assert_eq!(node(&mut watch).await.name, "node-1");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_too_slow_is_cut_off() {
    let world = World::new();
    let _agents = world.crowd(200).await;
    let request = v1::WatchNodesRequest {
        view: v1::NodeView::Full.into(),
        ..v1::WatchNodesRequest::default()
    };
    let watch = world.query().watch_nodes(request).await;
    let mut watch = watch.expect("a watch").into_inner();
    world.pass(seconds(60)).await;

    let status = loop {
        match watch.message().await {
            Ok(step) => assert!(step.is_some(), "an error ends the watch"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "the watch was read too slowly");
}

#[tokio::test(start_paused = true)]
async fn an_interval_too_short_is_refused() {
    let world = World::new();
    let request = v1::WatchNodesRequest {
        min_interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 1_000_000,
        }),
        ..v1::WatchNodesRequest::default()
    };
    let status = world
        .query()
        .watch_nodes(request)
        .await
        .expect_err("a refusal");
    assert_eq!(status.message(), "min_interval: must be at least 100 ms");
}
