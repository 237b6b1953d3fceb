//! What a scrape of `/metrics` costs: `cargo bench -p nodegrace-aggregator --bench metrics`.
//!
//! Times are the best of several scrapes, on whatever machine this is. Nothing here fails on a time.

use std::{io, time::Duration};

use anyhow::Context as _;
use futures::stream;
use hyper_util::rt::TokioIo;
use nodegrace_aggregator::{Aggregator, Config, MetricsFormat, MetricsNodes};
use nodegrace_clock::Clock;
use nodegrace_proto::{
    prost_types::{Duration as Wire, Timestamp},
    v1::{self, ingest_client::IngestClient},
};
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

/// The largest cluster that Kubernetes is tested with.
const NODES: u32 = 5_000;
/// Heartbeats of each node: 40 minutes of them.
const HEARTBEATS: u32 = 240;
const SCRAPES: u32 = 5;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` runs this too, and only wants to see that it runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let nodes = if quick { NODES / 100 } else { NODES };
    println!("{nodes} nodes, {HEARTBEATS} heartbeats each, one node in twenty bad");
    println!("--metrics-nodes     best of {SCRAPES}      series       text");
    let runtime = Runtime::new()?;
    for (name, shown) in [
        ("all", MetricsNodes::All),
        ("top=1000", MetricsNodes::default()),
        ("none", MetricsNodes::None),
    ] {
        runtime.block_on(scrapes(nodes, name, shown))?;
    }
    Ok(())
}

async fn scrapes(nodes: u32, name: &str, shown: MetricsNodes) -> anyhow::Result<()> {
    let config = Config {
        metrics_nodes: shown,
        ..Config::default()
    };
    let clock = Clock::real();
    let aggregator = Aggregator::new(config, clock.clone())?;
    let shutdown = CancellationToken::new();
    let (connections, incoming) = tokio::sync::mpsc::unbounded_channel();
    let (serving, stop) = (aggregator.clone(), shutdown.clone());
    let server = tokio::spawn(async move {
        let incoming = UnboundedReceiverStream::new(incoming);
        serving.serve_grpc(incoming, stop).await
    });
    let endpoint = Endpoint::from_static("http://aggregator");
    let channel = endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let (client, server) = tokio::io::duplex(1 << 20);
        let sent = connections.send(Ok::<_, io::Error>(server));
        async move {
            sent.map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(client))
        }
    }));
    for node in 0..nodes {
        report(channel.clone(), batch(node, &clock)).await?;
    }
    let mut best = Duration::MAX;
    let mut text = String::new();
    for _ in 0..SCRAPES {
        let begin = clock.now();
        text = aggregator.metrics(MetricsFormat::OpenMetrics).await?;
        best = best.min(clock.now().saturating_sub(begin));
    }
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let (milliseconds, mebibytes) = (best.as_secs_f64() * 1e3, text.len() as f64 / 1_048_576.0);
    println!("{name:<16} {milliseconds:>9.1} ms {series:>11} {mebibytes:>6.1} MiB");
    shutdown.cancel();
    server.await?
}

/// Sends one batch, and waits until it counts.
async fn report(channel: Channel, batch: v1::ReportBatch) -> anyhow::Result<()> {
    let batches = stream::iter([batch]);
    let acks = IngestClient::new(channel).report(batches).await?;
    let ack = acks.into_inner().message().await?;
    ack.context("no acknowledgement")?;
    Ok(())
}

/// What an agent has to say of 40 minutes that end now.
fn batch(node: u32, clock: &Clock) -> v1::ReportBatch {
    let (mut at, mut random) = (0.0, u64::from(node) + 1);
    let mut arrivals = Vec::new();
    for _ in 0..HEARTBEATS {
        // Marsaglia's xorshift: any spread will do.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let share = (random % 1000) as f64 / 1000.0;
        let worst = if node.is_multiple_of(20) { 40.0 } else { 0.4 };
        at += 10.0 + share * worst;
        arrivals.push(at);
    }
    let begun = clock.wall() - Duration::from_secs_f64(at);
    let wall = |seconds: f64| Some(Timestamp::from(begun + Duration::from_secs_f64(seconds)));
    let heartbeats = (1..).zip(&arrivals).map(|(number, arrival)| v1::Heartbeat {
        sequence_number: number,
        channel: v1::Channel::Lease.into(),
        stamp_time: wall(arrival - 0.01),
        arrival_monotonic: monotonic(*arrival),
        arrival_time: wall(*arrival),
        ..v1::Heartbeat::default()
    });
    let view = |channel: v1::Channel| v1::ChannelView {
        channel: channel.into(),
        visibility: v1::Visibility::Observed.into(),
        ..v1::ChannelView::default()
    };
    v1::ReportBatch {
        node_name: format!("node-{node:05}"),
        agent: Some(v1::AgentInstance {
            boot_id: format!("boot of {node}"),
            start_time: wall(0.0),
            start_monotonic: monotonic(0.0),
            version: "0.1.0".to_owned(),
        }),
        first_sequence_number: 1,
        sent_monotonic: monotonic(at),
        sent_time: wall(at),
        channel_views: vec![view(v1::Channel::Lease), view(v1::Channel::NodeStatus)],
        heartbeats: heartbeats.collect(),
        ..v1::ReportBatch::default()
    }
}

fn monotonic(seconds: f64) -> Option<Wire> {
    Wire::try_from(Duration::from_secs_f64(seconds)).ok()
}
