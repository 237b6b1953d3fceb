//! A fleet that is made up: thousands of nodes whose heartbeats are told at once and then stand still, so that what a page shows can be
//! held against what gRPC answers.

use std::time::Duration;

use anyhow::Context as _;
use nodegrace_agent::{Timeouts, TlsFiles};
use nodegrace_clock::Clock;
use nodegrace_proto::{
    prost_types,
    v1::{self, ingest_client::IngestClient},
};
use nodegrace_tests::process::Process;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::real::monitoring::free_address;

/// Nobody reports twice.
const FLAGS: [&str; 1] = ["--stale-after=1h"];
/// Heartbeats of each node: as many as it takes to be judged, and a few.
const HEARTBEATS: u64 = 36;
/// Nodes told of at the same time.
const AT_ONCE: usize = 64;
/// Since the machines were booted.
const UP: Duration = Duration::from_secs(1_000_000);

/// An aggregator that is told of it.
pub(super) struct Told {
    /// IP:PORT of its page.
    pub(super) http: String,
    /// A connection to it.
    pub(super) channel: Channel,
    _process: Process,
}

impl Told {
    /// Starts it, without a node.
    pub(super) async fn start() -> anyhow::Result<Self> {
        // So long, as all periods are, that nothing gets overdue while a test looks.
        Self::start_with(&["--grace-period=400s"]).await
    }

    /// Starts it for a controller with these settings.
    pub(super) async fn start_with(controller: &[&str]) -> anyhow::Result<Self> {
        let (grpc, http) = (free_address()?, free_address()?);
        let args = ["--listen", &grpc, "--http", &http];
        let mut process = Process::start(
            "nodegrace-aggregator",
            &[&args[..], controller, &FLAGS].concat(),
        );
        process.line("serving HTTP").await;
        let url = format!("http://{grpc}");
        let channel = nodegrace_agent::channel(&url, &TlsFiles::default(), &Timeouts::default())?;
        Ok(Self {
            http,
            channel,
            _process: process,
        })
    }
}

/// The name of a node.
pub(super) fn name(number: u64) -> String {
    format!("pool-{}-node-{number:04}", number % 7)
}

/// Tells of so many nodes, one in twelve of which is in trouble.
pub(super) async fn tell(channel: &Channel, nodes: u64) -> anyhow::Result<()> {
    let mut told = JoinSet::new();
    for number in 0..nodes {
        if told.len() >= AT_ONCE {
            told.join_next().await.context("some are told")???;
        }
        told.spawn(report(channel.clone(), batch(number, 0, HEARTBEATS)));
    }
    while let Some(one) = told.join_next().await {
        one??;
    }
    Ok(())
}

/// Tells that a node beat once more, after so long a gap.
pub(super) async fn tell_late(channel: &Channel, number: u64, gap: Duration) -> anyhow::Result<()> {
    let mut batch = batch(number, HEARTBEATS, 1);
    let last = UP + since_first(number, HEARTBEATS - 1);
    let heartbeat = batch.heartbeats.first_mut().context("there is one")?;
    heartbeat.arrival_monotonic = Some((last + gap).try_into()?);
    batch.sent_monotonic = heartbeat.arrival_monotonic;
    report(channel.clone(), batch).await
}

/// Tells that a node beat once more, and that its agent's records were lost.
pub(super) async fn tell_lost(
    channel: &Channel,
    number: u64,
    losses: v1::Losses,
) -> anyhow::Result<()> {
    let batch = v1::ReportBatch {
        losses: Some(losses),
        ..batch(number, HEARTBEATS, 1)
    };
    report(channel.clone(), batch).await
}

async fn report(channel: Channel, batch: v1::ReportBatch) -> anyhow::Result<()> {
    let mut acks = IngestClient::new(channel)
        .report(tokio_stream::once(batch))
        .await?
        .into_inner();
    acks.message().await?.context("it is acknowledged")?;
    Ok(())
}

/// From a node's first heartbeat to the one of this number. Every period is a little different; every ninth of a troubled node is long.
fn since_first(number: u64, heartbeat: u64) -> Duration {
    let period = |beat: u64| {
        let jitter = (number * 7919 + beat * 104_729) % 4_000;
        let late = if number.is_multiple_of(12) && beat % 9 == 8 {
            50_000 + (number * 1_237) % 300_000
        } else {
            0
        };
        Duration::from_millis(100_000 + jitter + late)
    };
    (0..heartbeat).map(period).sum()
}

/// A batch with so many heartbeats from this number on, the last of which came just now.
fn batch(number: u64, first: u64, count: u64) -> v1::ReportBatch {
    let now = UP + since_first(number, first + count - 1);
    let wall = Clock::real().wall();
    let heartbeat = |beat: u64| {
        let arrival = UP + since_first(number, beat);
        let time = wall - now.saturating_sub(arrival);
        v1::Heartbeat {
            sequence_number: beat + 1,
            channel: v1::Channel::Lease.into(),
            stamp_time: Some(time.into()),
            arrival_monotonic: wire(arrival),
            arrival_time: Some(time.into()),
            resource_version: (beat + 1).to_string(),
            ..v1::Heartbeat::default()
        }
    };
    let view = |channel: v1::Channel| v1::ChannelView {
        channel: channel.into(),
        visibility: v1::Visibility::Observed.into(),
        ..v1::ChannelView::default()
    };
    v1::ReportBatch {
        node_name: name(number),
        agent: Some(v1::AgentInstance {
            boot_id: format!("boot of {number}"),
            start_time: Some(wall.into()),
            start_monotonic: wire(UP),
            version: "0.1.0".to_owned(),
        }),
        first_sequence_number: first + 1,
        sent_monotonic: wire(now),
        sent_time: Some(wall.into()),
        channel_views: vec![view(v1::Channel::Lease), view(v1::Channel::NodeStatus)],
        heartbeats: (first..first + count).map(heartbeat).collect(),
        ..v1::ReportBatch::default()
    }
}

fn wire(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}
