//! grpcurl, which knows no proto file of ours, finds and calls everything by reflection.

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{
    AgentInstance, Channel, ChannelView, Heartbeat, ReportBatch, Visibility,
    ingest_client::IngestClient,
};
use serde_json::Value;
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

use super::{daemons::AggregatorProcess, programs::output_of};

/// Heartbeats that each node has sent before anybody asks: enough for every verdict.
const HEARTBEATS: u32 = 60;

#[tokio::test]
async fn grpcurl_lists_the_services() -> anyhow::Result<()> {
    let aggregator = AggregatorProcess::start(&[]).await?;
    let services = grpcurl(&[&aggregator.address, "list"])?;
    for service in [
        "nodegrace.v1.Ingest",
        "nodegrace.v1.Query",
        "grpc.health.v1.Health",
    ] {
        assert!(services.lines().any(|line| line == service), "{services}");
    }
    let described = grpcurl(&[&aggregator.address, "describe", "nodegrace.v1.Node"])?;
    assert!(described.contains("Margin margin"), "{described}");
    Ok(())
}

#[tokio::test]
async fn grpcurl_gets_the_nodes_with_the_least_margin_first() -> anyhow::Result<()> {
    let aggregator = AggregatorProcess::start(&[]).await?;
    let _streams = [
        report(&aggregator, "calm", 10).await?,
        report(&aggregator, "late", 30).await?,
        report(&aggregator, "slow", 20).await?,
    ];
    let answer = grpcurl(&[
        "-d",
        r#"{"orderBy": "margin", "pageSize": 2}"#,
        &aggregator.address,
        "nodegrace.v1.Query/ListNodes",
    ])?;
    let page: Value = serde_json::from_str(&answer)?;
    let name = |at: usize| page["nodes"][at]["name"].as_str();
    assert_eq!((name(0), name(1)), (Some("late"), Some("slow")), "{page}");
    assert_eq!(page["totalSize"], 3, "{page}");
    assert!(page["nextPageToken"].is_string(), "{page}");
    // 50 s of grace less gaps of 30 s, within the sketch's error of 1 %.
    let margin = page["nodes"][0]["margin"]["p99"].as_str();
    let margin = margin
        .and_then(|text| text.strip_suffix('s'))
        .context("no margin")?;
    assert!((margin.parse::<f64>()? - 20.0).abs() <= 0.3, "{margin}");
    Ok(())
}

#[tokio::test]
async fn grpcurl_watches_nodes_as_they_change() -> anyhow::Result<()> {
    let aggregator = AggregatorProcess::start(&[]).await?;
    let _early = report(&aggregator, "early", 10).await?;
    let mut watch = Watch::start(&aggregator.address)?;
    assert_eq!(watch.next().await?["node"]["name"], "early");
    assert_eq!(watch.next().await?["synced"], true);

    let _newcomer = report(&aggregator, "newcomer", 10).await?;
    // The early node may be sent again meanwhile: its running gap grows.
    while watch.next().await?["node"]["name"] != "newcomer" {}
    Ok(())
}

#[tokio::test]
async fn grpcurl_is_told_that_a_node_does_not_exist() -> anyhow::Result<()> {
    let aggregator = AggregatorProcess::start(&[]).await?;
    let refused = grpcurl(&[
        "-d",
        r#"{"name": "nowhere"}"#,
        &aggregator.address,
        "nodegrace.v1.Query/GetNode",
    ]);
    let error = format!("{:#}", refused.expect_err("there is no such node"));
    assert!(
        error.contains("NotFound") && error.contains("nowhere"),
        "{error}"
    );
    Ok(())
}

/// Runs grpcurl without TLS and returns what it printed.
fn grpcurl(args: &[&str]) -> anyhow::Result<String> {
    output_of("grpcurl", ["-plaintext"].iter().chain(args))
}

/// Reports, as an agent would, a node whose Lease was renewed every `period` seconds until now. The node counts as connected until
/// what is returned is dropped.
pub(super) async fn report(
    aggregator: &AggregatorProcess,
    node: &str,
    period: u64,
) -> anyhow::Result<mpsc::Sender<ReportBatch>> {
    let clock = Clock::real();
    let (now, wall) = (clock.now(), clock.wall());
    let heartbeats = (0..=HEARTBEATS).map(|number| {
        let age = Duration::from_secs(period) * (HEARTBEATS - number);
        Heartbeat {
            sequence_number: u64::from(number) + 1,
            channel: Channel::Lease.into(),
            stamp_time: Some((wall - age).into()),
            // A machine that was just booted has no such past: the made-up one was up for a day longer.
            arrival_monotonic: duration(UPTIME + now - age),
            arrival_time: Some((wall - age).into()),
            resource_version: (number + 1).to_string(),
            baseline: number == 0,
            ..Heartbeat::default()
        }
    });
    let batch = ReportBatch {
        node_name: node.into(),
        agent: Some(AgentInstance {
            boot_id: "6b3f8a3c-0f0e-4c39-9a53-3d9e3f3d5c11".into(),
            start_time: Some((wall - UPTIME).into()),
            start_monotonic: duration(now),
            version: "test".into(),
        }),
        first_sequence_number: 1,
        sent_monotonic: duration(UPTIME + now),
        sent_time: Some(wall.into()),
        heartbeats: heartbeats.collect(),
        channel_views: vec![
            view(Channel::Lease, Visibility::Observed),
            view(Channel::NodeStatus, Visibility::Absent),
        ],
        ..ReportBatch::default()
    };
    let (sender, batches) = mpsc::channel(1);
    sender.send(batch).await?;
    let mut ingest = IngestClient::new(aggregator.connect().await?);
    let mut acks = ingest
        .report(ReceiverStream::new(batches))
        .await?
        .into_inner();
    let ack = acks.message().await?.context("the stream ended")?;
    anyhow::ensure!(ack.rejections.is_empty(), "{:?}", ack.rejections);
    // The answers keep coming as long as somebody holds the stream.
    tokio::spawn(async move { while let Ok(Some(_)) = acks.message().await {} });
    Ok(sender)
}

/// How long before its first report the made-up machine was booted.
const UPTIME: Duration = Duration::from_secs(24 * 3600);

fn duration(duration: Duration) -> Option<nodegrace_proto::prost_types::Duration> {
    duration.try_into().ok()
}

fn view(channel: Channel, visibility: Visibility) -> ChannelView {
    ChannelView {
        channel: channel.into(),
        visibility: visibility.into(),
        ..ChannelView::default()
    }
}

/// A running `grpcurl ... WatchNodes`.
struct Watch {
    grpcurl: Child,
    unread: Vec<u8>,
}

impl Watch {
    fn start(address: &str) -> anyhow::Result<Self> {
        let grpcurl = Command::new("grpcurl")
            .args(["-plaintext", address, "nodegrace.v1.Query/WatchNodes"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("grpcurl does not start; `.ci/run` installs it")?;
        Ok(Self {
            grpcurl,
            unread: Vec::new(),
        })
    }

    /// The next message.
    async fn next(&mut self) -> anyhow::Result<Value> {
        tokio::time::timeout(Duration::from_secs(20), self.read())
            .await
            .context("nothing came")?
    }

    async fn read(&mut self) -> anyhow::Result<Value> {
        let stdout = self.grpcurl.stdout.as_mut().context("it has no stdout")?;
        loop {
            // Messages follow each other as indented JSON, without a separator.
            let mut messages = serde_json::Deserializer::from_slice(&self.unread).into_iter();
            if let Some(Ok(message)) = messages.next() {
                let read = messages.byte_offset();
                self.unread.drain(..read);
                return Ok(message);
            }
            let more = stdout.read_buf(&mut self.unread).await?;
            anyhow::ensure!(more > 0, "grpcurl ended");
        }
    }
}
