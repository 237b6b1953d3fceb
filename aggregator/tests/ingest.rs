//! Reports: what is kept, what is recognised and what is refused.

use nodegrace_proto::v1;
use tonic::Code;

use crate::kit::{World, seconds};

#[tokio::test(start_paused = true)]
async fn heartbeats_appear_in_the_node() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(7, seconds(10)).await;

    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 7);
    assert_eq!(node.gap.as_ref().map(|gap| gap.count), Some(6));
    assert_eq!(
        node.channels[0].period.as_ref().map(|period| period.count),
        Some(6)
    );
    assert!(node.observation.expect("an observation").connected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_sent_again_changes_nothing() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(3, seconds(10)).await;
    let batch = agent.beat();
    let ack = agent.send(batch.clone()).await.expect("an ack");
    let again = agent.send(batch).await.expect("an ack");

    assert_eq!((ack.sequence_number, again.sequence_number), (4, 4));
    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 4);
    assert_eq!(
        node.observation.expect("an observation").duplicate_records,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_makes_no_sense_is_named_and_the_rest_is_kept() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    let mut nonsense = agent.beat().heartbeats;
    nonsense[0].channel = v1::Channel::Unspecified.into();
    batch.heartbeats.append(&mut nonsense);

    let ack = agent.send(batch).await.expect("an ack");
    let rejection = &ack.rejections[0];
    assert_eq!(rejection.sequence_number, 2);
    assert_eq!(rejection.field, "heartbeats[1].channel");
    assert_eq!(rejection.reason, "must be LEASE or NODE_STATUS");
    assert_eq!(ack.sequence_number, 2, "it need not be sent again");
    assert_eq!(world.node("node-1").await.channels[0].heartbeats, 1);
    let history = world.fleet().await.history.expect("a history");
    assert_eq!(history.rejected_records, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_node_name_ends_that_stream_and_no_other() {
    let world = World::new();
    let mut good = world.agent("node-1").await;
    good.beats(1, seconds(10)).await;
    let mut bad = world.agent("Node_2").await;
    let batch = bad.beat();

    let status = bad.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().starts_with("node_name: must be"),
        "{status}"
    );
    good.beats(1, seconds(10)).await;
    assert_eq!(world.node("node-1").await.channels[0].heartbeats, 2);
    let history = world.fleet().await.history.expect("a history");
    assert_eq!(history.rejected_streams, 1);
}

#[tokio::test(start_paused = true)]
async fn an_envelope_that_changes_ends_the_stream() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(1, seconds(10)).await;
    let mut batch = agent.beat();
    batch.node_name = "node-2".to_owned();

    let status = agent.send(batch).await.expect_err("a refusal");
    assert_eq!(
        status.message(),
        "node_name: must not change within a stream"
    );
}

#[tokio::test(start_paused = true)]
async fn times_out_of_range_are_refused_and_harm_nothing() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    let mut batch = agent.beat();
    batch.heartbeats[0].arrival_monotonic = Some(prost_types::Duration {
        seconds: i64::MAX,
        nanos: i32::MIN,
    });
    let ack = agent.send(batch).await.expect("an ack");
    assert_eq!(ack.rejections[0].field, "heartbeats[0].arrival_monotonic");

    let mut batch = agent.beat();
    batch.sent_monotonic = None;
    let status = agent.send(batch).await.expect_err("a refusal");
    assert_eq!(status.message(), "sent_monotonic: is missing");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_goes_is_seen_to_be_gone() {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    agent.beats(2, seconds(10)).await;
    drop(agent);
    world.pass(seconds(1)).await;
    let observation = world.node("node-1").await.observation;
    assert!(!observation.expect("an observation").connected);

    world.pass(seconds(60)).await;
    let node = world.node("node-1").await;
    assert_eq!(node.state(), v1::State::Stale);
    assert_eq!(node.running_gap, None, "what nobody watches is unknown");
}
