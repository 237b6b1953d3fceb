//! SIGKILL for the real process, again and again, while agents report: nothing acknowledged is missing, nothing counts twice.

use std::{
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nodegrace_proto::v1::{self, ingest_client::IngestClient, query_client::QueryClient};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

const ROUNDS: u64 = 12;
const NODES: usize = 4;

/// A real aggregator, killed when dropped.
struct Process {
    child: Child,
    channel: Channel,
}

impl Process {
    async fn start(directory: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nodegrace-aggregator"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
                "--data-dir",
            ])
            .arg(directory)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut lines = BufReader::new(stderr).lines();
        let address = loop {
            let line = lines.next_line().await.expect("text").expect("an address");
            if let Some((_, address)) = line.split_once("serving gRPC address=") {
                break address.to_owned();
            }
        };
        // Whatever else it says has a reader, so that it never waits for one.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
        Self {
            child,
            channel: endpoint.connect_lazy(),
        }
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    async fn heartbeats(&self, node: &str) -> u64 {
        let request = v1::GetNodeRequest {
            name: node.to_owned(),
        };
        let node = QueryClient::new(self.channel.clone())
            .get_node(request)
            .await;
        node.map_or(0, |node| node.into_inner().channels[0].heartbeats)
    }
}

/// An agent that sends its records in order and remembers which were acknowledged.
#[derive(Clone)]
struct Sender {
    node: String,
    made: u64,
    acknowledged: u64,
}

impl Sender {
    fn batch(&self, number: u64) -> v1::ReportBatch {
        let seconds = |seconds: u64| prost_types::Duration {
            seconds: seconds.cast_signed(),
            nanos: 0,
        };
        let time = |at: u64| prost_types::Timestamp {
            seconds: 1_800_000_000 + at.cast_signed(),
            nanos: 0,
        };
        let at = number * 10;
        v1::ReportBatch {
            node_name: self.node.clone(),
            agent: Some(v1::AgentInstance {
                boot_id: "boot".to_owned(),
                start_time: Some(time(0)),
                start_monotonic: Some(seconds(0)),
                version: String::new(),
            }),
            first_sequence_number: number,
            sent_monotonic: Some(seconds(at)),
            sent_time: Some(time(at)),
            heartbeats: vec![v1::Heartbeat {
                sequence_number: number,
                channel: v1::Channel::Lease.into(),
                stamp_time: Some(time(at)),
                arrival_monotonic: Some(seconds(at)),
                arrival_time: Some(time(at)),
                resource_version: number.to_string(),
                ..v1::Heartbeat::default()
            }],
            ..v1::ReportBatch::default()
        }
    }

    /// Sends what was not acknowledged, then new records, until the stream ends or `last` is acknowledged.
    async fn send(mut self, channel: Channel, last: u64) -> Self {
        let (batches, stream) = mpsc::channel(8);
        let made = Arc::new(AtomicU64::new(self.made));
        let (feeding, counted) = (self.clone(), Arc::clone(&made));
        let feed = tokio::spawn(async move {
            for number in feeding.acknowledged + 1..=last {
                counted.fetch_max(number, Ordering::Relaxed);
                if batches.send(feeding.batch(number)).await.is_err() {
                    return;
                }
            }
            // Holds the stream open until the last acknowledgement.
            batches.closed().await;
        });
        let answer = IngestClient::new(channel)
            .report(ReceiverStream::new(stream))
            .await;
        if let Ok(acks) = answer {
            let mut acks = acks.into_inner();
            while self.acknowledged < last
                && let Ok(Some(ack)) = acks.message().await
            {
                assert!(ack.durable);
                self.acknowledged = ack.sequence_number;
            }
        }
        feed.abort();
        self.made = made.load(Ordering::Relaxed);
        self
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_and_nothing_counts_twice_whenever_it_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = StdRng::seed_from_u64(1);
    let mut senders: Vec<Sender> = (0..NODES)
        .map(|node| Sender {
            node: format!("node-{node}"),
            made: 0,
            acknowledged: 0,
        })
        .collect();
    for round in 0..ROUNDS {
        let process = Process::start(directory.path()).await;
        let sending: Vec<_> = senders
            .drain(..)
            .map(|sender| tokio::spawn(sender.send(process.channel.clone(), u64::MAX)))
            .collect();
        let life = Duration::from_millis(random.random_range(20..400));
        #[allow(clippy::disallowed_methods, reason = "a real process takes real time")]
        tokio::time::sleep(life).await;
        process.kill().await;
        for sender in sending {
            senders.push(sender.await.expect("no panic"));
        }
        let process = Process::start(directory.path()).await;
        for sender in &senders {
            let kept = process.heartbeats(&sender.node).await;
            assert!(
                (sender.acknowledged..=sender.made).contains(&kept),
                "round {round}: {kept} kept, {} acknowledged, {} made",
                sender.acknowledged,
                sender.made
            );
        }
    }
    let process = Process::start(directory.path()).await;
    for sender in senders {
        let (node, made) = (sender.node.clone(), sender.made);
        assert!(made > 0, "{node} sent nothing");
        sender.send(process.channel.clone(), made).await;
        assert_eq!(process.heartbeats(&node).await, made, "{node}");
    }
}
