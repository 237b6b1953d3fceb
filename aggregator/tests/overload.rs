//! More than the disk takes, or less than is sent: agents wait, samples go before heartbeats, and readers that do not read are
//! cut off. None of it costs memory.

use std::path::Path;

use nodegrace_proto::v1;
use rusqlite::Connection;
use tokio::time::timeout;
use tonic::{Code, Request, Streaming, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use crate::kit::{Agent, World, seconds};

/// Keeps the database from being written until it is dropped.
struct Lock(Connection);

impl Lock {
    fn of(directory: &Path) -> Self {
        let connection = Connection::open(directory.join("history.db")).expect("a database");
        connection.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        Self(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").expect("no lock");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_sends_faster_than_the_disk_takes_has_to_wait() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    agent.beats(1, seconds(10)).await;
    let lock = Lock::of(directory.path());

    let mut taken = 0_usize;
    while taken < 10_000 {
        let batch = agent.large_sample();
        if timeout(seconds(1), agent.post(batch)).await.is_err() {
            break;
        }
        taken += 1;
    }
    // One is being written. The others, 12 KiB each, are in the buffers of the connection and of the agent's end of it.
    assert!(taken < 400, "{taken} batches were taken from the agent");

    lock.release();
    let mut acknowledged = 1;
    while acknowledged < 1 + taken as u64 {
        let ack = timeout(seconds(60), agent.ack()).await.expect("acks go on");
        acknowledged = ack.expect("an ack").sequence_number;
    }
}

/// A batch with a heartbeat and a sample.
fn batch(agent: &mut Agent) -> v1::ReportBatch {
    let mut batch = agent.beat();
    batch.samples = agent.large_sample().samples;
    batch
}

#[tokio::test(start_paused = true)]
async fn when_the_disk_does_not_follow_samples_are_shed_and_heartbeats_are_kept() {
    // One batch or more is being written, half a queue waits, and then there are some.
    const HALF_A_QUEUE: u64 = 512;
    const AGENTS: u64 = 2 * HALF_A_QUEUE + 50;
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::on_disk(directory.path());
    let mut agents = world.crowd(AGENTS).await;
    let lock = Lock::of(directory.path());
    for agent in &mut agents {
        let batch = batch(agent);
        agent.post(batch).await;
    }
    world.pass(seconds(1)).await;
    lock.release();

    for agent in &mut agents {
        let ack = agent.ack().await.expect("an ack");
        assert_eq!(ack.sequence_number, 3, "what is shed is not sent again");
    }
    let fleet = world.fleet().await;
    assert_eq!(fleet.heartbeats, AGENTS);
    let shed = fleet.history.expect("a history").shed_samples;
    let kept = AGENTS - shed;
    assert!(shed > 0 && kept > HALF_A_QUEUE, "{shed} samples were shed");

    for agent in &mut agents {
        agent.beats(1, seconds(1)).await;
    }
    let history = world.fleet().await.history.expect("a history");
    assert_eq!(
        history.forgotten_records, 0,
        "what is shed went nowhere else"
    );
}

#[tokio::test(start_paused = true)]
async fn what_comes_at_once_is_acknowledged_together_once_it_is_on_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    agent.beats(1, seconds(10)).await;
    let before = agent.sequence;
    for number in 0..8 {
        let mut batch = agent.beat();
        if number == 2 {
            batch.heartbeats[0].channel = 0;
        }
        agent.post(batch).await;
    }
    let (refused, last) = (before + 3, agent.sequence);
    let mut acks = Vec::new();
    while acks
        .last()
        .is_none_or(|ack: &v1::ReportAck| ack.sequence_number < last)
    {
        acks.push(agent.ack().await.expect("an ack"));
    }
    assert!(acks.len() < 8, "{} acknowledgements", acks.len());
    for ack in &acks {
        // Of the batch that an acknowledgement names, and no other, it says what was refused.
        let of_it = usize::from(ack.sequence_number == refused);
        assert_eq!(ack.rejections.len(), of_it, "{ack:?}");
    }
    assert!(acks.iter().any(|ack| ack.sequence_number == refused));
    let world = world.crash(directory.path()).await;
    let kept = world.fleet().await.heartbeats;
    assert_eq!(kept, last - 1, "all but the one that was refused");
}

/// The answer to `ListNodes` in full, as a stream: a client that does not read on does not take it.
async fn unread_nodes(world: &World) -> Streaming<v1::ListNodesResponse> {
    let request = v1::ListNodesRequest {
        page_size: 1000,
        view: v1::NodeView::Full.into(),
        ..v1::ListNodesRequest::default()
    };
    let mut client = Grpc::new(world.channel()).max_decoding_message_size(usize::MAX);
    client.ready().await.expect("a connection");
    let path = PathAndQuery::from_static("/nodegrace.v1.Query/ListNodes");
    let answer = client
        .server_streaming(Request::new(request), path, ProstCodec::default())
        .await;
    answer.expect("an answer").into_inner()
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_too_slow_for_its_answer_is_cut_off() {
    let world = World::new();
    let _agents = world.crowd(200).await;
    let (mut slow, mut patient) = (unread_nodes(&world).await, unread_nodes(&world).await);
    world.pass(seconds(15)).await;
    let answer = patient
        .message()
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(answer.nodes.len(), 200);

    world.pass(seconds(15)).await;
    let status = slow.message().await.expect_err("too late");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "the answer was read too slowly");
    assert_eq!(world.fleet().await.nodes, 200, "others are answered");
}
