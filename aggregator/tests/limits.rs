//! What one client may ask for, and what all of them together may.

use nodegrace_aggregator::{Config, Limits};
use nodegrace_proto::v1;
use tonic::Code;

use crate::kit::{World, seconds};

fn limited(limits: Limits) -> World {
    World::with(Config {
        limits,
        ..Config::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_too_many_records_ends_the_stream() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    batch.heartbeats = vec![v1::Heartbeat::default(); 1025];
    let status = agent.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "a batch must not hold more than 1024 records"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_too_many_views_ends_the_stream() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    batch.channel_views = vec![v1::ChannelView::default(); 17];
    let status = agent.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "channel_views: must not be more than 16");
}

#[tokio::test(start_paused = true)]
async fn of_each_channel_one_view_is_taken_stated_or_not() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    let lease = v1::ChannelView {
        channel: v1::Channel::Lease.into(),
        ..v1::ChannelView::default()
    };
    batch.channel_views = vec![lease; 3];
    let ack = agent.send(batch).await.expect("an ack");
    let refused = ack.rejections.iter().map(|rejection| &*rejection.field);
    assert_eq!(
        refused.collect::<Vec<_>>(),
        ["channel_views[1].channel", "channel_views[2].channel"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_ends_the_stream() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    batch.heartbeats[0].resource_version = "9".repeat(257 << 10);
    let status = agent.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "a message must not be larger than 262144 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn texts_and_parts_that_are_too_long_are_refused_by_field() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    batch.heartbeats[0].resource_version = "9".repeat(257);
    batch.node_facts = Some(v1::NodeFacts {
        os_image: "x".repeat(20 << 10),
        ..v1::NodeFacts::default()
    });
    let ack = agent.send(batch).await.expect("an ack");
    let refused: Vec<&str> = ack
        .rejections
        .iter()
        .map(|rejection| &*rejection.field)
        .collect();
    assert_eq!(refused, ["heartbeats[0].resource_version", "node_facts"]);
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_may_be_open_are_refused_until_one_ends() {
    let world = limited(Limits {
        report_streams: 1,
        ..Limits::default()
    });
    let first = world.agent("node-1").await;
    let status = world.try_agent("node-2").await.err().expect("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);

    drop(first);
    world.pass(seconds(1)).await;
    world.agent("node-2").await.beats(1, seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn more_nodes_than_may_be_known_are_refused() {
    let world = limited(Limits {
        nodes: 1,
        ..Limits::default()
    });
    world.agent("node-1").await.beats(1, seconds(1)).await;
    let mut second = world.agent("node-2").await;
    let batch = second.beat();
    let status = second.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    world.agent("node-1").await.beats(1, seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn more_watches_than_may_be_open_are_refused() {
    let world = limited(Limits {
        watches: 1,
        ..Limits::default()
    });
    let request = v1::WatchNodesRequest::default;
    let _open = world.query().watch_nodes(request()).await.expect("a watch");
    let status = world
        .query()
        .watch_nodes(request())
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_of_nodes_is_counted_and_bounded() {
    let world = World::new();
    assert_eq!(remembered(&world).await, 0);
    let mut agent = world.agent("node-1").await;
    agent.beats(2, seconds(10)).await;
    let calm = remembered(&world).await;
    for late in 0..300 {
        agent.beats(1, seconds(16 + late % 90)).await;
    }
    let troubled = remembered(&world).await;
    assert!(
        0 < calm && calm < troubled && troubled <= 34 << 10,
        "{calm} and {troubled} bytes"
    );
}

async fn remembered(world: &World) -> u64 {
    let history = world.fleet().await.history;
    history.expect("a history").node_history_bytes
}

#[tokio::test(start_paused = true)]
async fn whoever_reports_faster_than_an_agent_can_has_to_wait_and_loses_nothing() {
    let world = World::new();
    let mut hasty = world.agent("node-1").await;
    let mut honest = world.agent("node-2").await;
    let before = world.clock.now();
    for _ in 0..10_000 {
        let batch = hasty.beat();
        hasty.send(batch).await.expect("an ack");
    }
    let took = world.clock.now() - before;
    assert!(took > seconds(60), "a flood takes its time: {took:?}");
    honest.beats(2, seconds(10)).await;
    let fleet = world.fleet().await;
    assert_eq!(fleet.heartbeats, 10_002);
    assert!(fleet.refusals.expect("they are counted").hasty_batches > 1000);
}
