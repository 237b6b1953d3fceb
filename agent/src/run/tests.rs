//! Whole agents over scripted servers: how one ends, and what the next one makes of what it left.

use std::{convert::Infallible, fs, io, time::Duration};

use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use nodegrace_proto::v1::{Heartbeat, ReportBatch};
use nodegrace_spool::Directory;
use rustix::fs::{CWD, Mode};
use serde_json::json;
use tempfile::TempDir;
use tower::service_fn;

use super::*;
use crate::uplink::tests::aggregator::{Aggregator, Manner};

type Answer = Response<StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>;

/// An API server whose Node and Lease were written once, as version 7, and never change.
fn api_server() -> kube::Client {
    let server = service_fn(|request: Request<Body>| async move {
        let uri = request.uri().to_string();
        let stamp = "2026-11-24T00:00:00.000000Z";
        let object = if uri.contains("leases") {
            json!({"metadata": {"name": "a", "uid": "l", "resourceVersion": "7"},
                   "spec": {"leaseDurationSeconds": 40, "renewTime": stamp}})
        } else {
            json!({"metadata": {"name": "a", "uid": "n", "resourceVersion": "7"},
                   "status": {"conditions": [
                       {"type": "Ready", "status": "True", "lastHeartbeatTime": stamp}]}})
        };
        let body = if uri.contains("watch=true") {
            stream::pending().boxed()
        } else {
            let list = json!({"metadata": {"resourceVersion": "7"}, "items": [object]});
            stream::iter([Ok(Frame::data(Bytes::from(list.to_string())))]).boxed()
        };
        Ok::<Answer, io::Error>(Response::new(StreamBody::new(body)))
    });
    kube::Client::new(server, "default")
}

/// A node with a directory for its agents' spool.
struct Node {
    spool: TempDir,
    clock: Clock,
}

impl Node {
    fn new() -> Self {
        Self {
            spool: TempDir::new().unwrap(),
            clock: Clock::scaled(1.0, std::time::UNIX_EPOCH),
        }
    }

    /// An agent on this node, until `shutdown`.
    fn agent(
        &self,
        aggregator: &Aggregator,
        shutdown: &CancellationToken,
    ) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let (channel, clock) = (aggregator.channel(), self.clock.clone());
        run(
            self.config(),
            api_server(),
            channel,
            clock,
            shutdown.clone(),
        )
    }

    fn config(&self) -> Config {
        let mut config = Config::new("a");
        config.boot_id = Some("boot".into());
        config.proc_root = self.spool.path().join("no-proc");
        config.sys_root = self.spool.path().join("no-sys");
        config.spool_dir = Some(self.spool.path().join("spool"));
        config
    }

    /// Lets an agent run for so many seconds and crash.
    async fn crash_after(&self, seconds: u64, aggregator: &Aggregator) {
        let end = self.clock.sleep(Duration::from_secs(seconds));
        let never = CancellationToken::new();
        tokio::select! {
            ended = self.agent(aggregator, &never) => panic!("it ended by itself: {ended:?}"),
            () = end => {}
        }
        // Its tasks are dropped when their turn comes.
        self.clock.sleep(Duration::from_secs(1)).await;
    }

    /// Lets an agent run for so many seconds and end. Returns how many seconds that took.
    async fn end_after(&self, seconds: u64, aggregator: &Aggregator) -> f64 {
        let shutdown = CancellationToken::new();
        let agent = tokio::spawn(self.agent(aggregator, &shutdown));
        self.clock.sleep(Duration::from_secs(seconds)).await;
        let start = self.clock.now();
        shutdown.cancel();
        agent.await.unwrap().unwrap();
        (self.clock.now() - start).as_secs_f64()
    }
}

/// Every heartbeat, and whether it was replayed.
fn heartbeats(batches: &[ReportBatch]) -> Vec<(bool, &Heartbeat)> {
    batches
        .iter()
        .flat_map(|batch| batch.heartbeats.iter().map(|beat| (batch.replay, beat)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_restarted_agent_tells_the_last_runs_story_and_then_where_its_own_begins() {
    let node = Node::new();
    node.crash_after(30, &Aggregator::nowhere()).await;

    let aggregator = Aggregator::start(Manner::Acknowledge);
    node.end_after(30, &aggregator).await;
    let batches = aggregator.batches();
    let told: Vec<_> = heartbeats(&batches)
        .into_iter()
        .map(|(replay, beat)| (replay, beat.baseline, beat.resource_version.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (true, true, "7"),
            (true, true, "7"),
            (false, true, "7"),
            (false, true, "7")
        ],
        "both channels of both runs: the same version shows that nothing was missed in between"
    );
    let replayed = batches.iter().filter(|batch| batch.replay);
    let samples = replayed.flat_map(|batch| &batch.samples);
    assert_eq!(samples.filter(|sample| !sample.fine).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_agent_ends_within_five_seconds_and_leaves_nothing_to_repeat() {
    let node = Node::new();
    let aggregator = Aggregator::start(Manner::Acknowledge);
    for _ in 0..2 {
        let took = node.end_after(30, &aggregator).await;
        assert!(took < 5.0, "{took} s");
    }
    let batches = aggregator.batches();
    assert!(batches.iter().all(|batch| !batch.replay));
    assert_eq!(heartbeats(&batches).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_reaches_nobody_ends_within_five_seconds_and_its_records_are_kept() {
    let node = Node::new();
    for nobody in [Aggregator::nowhere(), Aggregator::start(Manner::Ignore)] {
        let took = node.end_after(30, &nobody).await;
        assert!(took < 5.0, "{took} s");
    }
    let aggregator = Aggregator::start(Manner::Acknowledge);
    node.end_after(30, &aggregator).await;
    assert_eq!(heartbeats(&aggregator.batches()).len(), 6);
}

#[tokio::test]
async fn an_agent_whose_spool_cannot_be_opened_yet_is_stopped_at_once() {
    let node = Node::new();
    let directory = node.spool.path().join("spool");
    fs::create_dir(&directory).unwrap();
    // Whoever opens a pipe for reading waits for somebody to write.
    let pipe = directory.join("state-0");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let shutdown = CancellationToken::new();
    let agent = node.agent(&Aggregator::nowhere(), &shutdown);
    let mut agent = tokio::spawn(agent);
    let soon = tokio::time::timeout(Duration::from_millis(200), &mut agent);
    assert!(soon.await.is_err(), "it waits for its spool");
    shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), agent).await;
    // Lets go of the one who waits, and waits for it: it reads and writes the pipe.
    let both = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    while Directory::lock(&directory, "a test").is_err() {
        tokio::task::yield_now().await;
    }
    drop(both);
    ended.expect("at once").unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_falls_silent_is_looked_at_every_second() {
    let node = Node::new();
    let aggregator = Aggregator::start(Manner::Acknowledge);
    node.end_after(30, &aggregator).await;
    let batches = aggregator.batches();
    let samples = batches.iter().flat_map(|batch| &batch.samples);
    let fine = samples.filter(|sample| sample.fine).count();
    assert!((18..=20).contains(&fine), "{fine} from 11 s to 30 s");
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_aggregators_runs_until_it_is_told_to_end() {
    let node = Node::new();
    let shutdown = CancellationToken::new();
    let (nobody, clock) = (Aggregators::none(), node.clock.clone());
    let agent = run(node.config(), api_server(), nobody, clock, shutdown.clone());
    let mut running = tokio::spawn(agent);
    let minute = Duration::from_secs(60);
    let ended = tokio::time::timeout(minute, &mut running).await;
    assert!(ended.is_err(), "it ended by itself: {ended:?}");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
