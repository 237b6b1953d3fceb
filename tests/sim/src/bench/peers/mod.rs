//! The peers table: the same heartbeats and the same gaps as Prometheus sees them, and as nodegrace does.

mod nodegrace;
mod prometheus;
mod truth;

use std::time::Duration;

use anyhow::ensure;
use tempfile::TempDir;

use self::{
    prometheus::Prometheus,
    truth::{Found, Score},
};
use super::{
    aggregator::{LOADING, Server, Setup, free_port},
    args::Common,
    footprint::Memory,
    process::Launch,
    programs::Programs,
    table::Table,
};
use crate::soak::bytes_below;

const NODES: u32 = 5000;
/// Share of the nodes that have one gap.
const GAPS: f64 = 0.5;
/// Before the first gap, and from the last one's beginning to the end.
const BEFORE: u64 = 20;
const AFTER: u64 = 85;
const DAY: f64 = 86_400.0;
/// How long Prometheus keeps its log before it is only blocks: what is at least two hours old is compacted every two.
const LOG_KEPT: f64 = 3.0 * 3600.0;
const MIB: f64 = 1024.0 * 1024.0;

/// What one of the two took, and what it found.
struct Outcome {
    memory: Memory,
    cores: f64,
    /// For a day, in bytes.
    disk: f64,
    score: Score,
}

/// Prints the table.
///
/// # Errors
/// When Prometheus is not there, or a process ends that should not.
pub(super) async fn run(common: &Common) -> anyhow::Result<()> {
    let programs = Programs::of(common)?;
    let length: u64 = if common.quick { 150 } else { 630 };
    let within = length - BEFORE - AFTER;
    let place = TempDir::with_prefix("nodegrace-bench-")?;
    let place = place.path();

    let (scraped, heard) = (free_port().await?, free_port().await?);
    let exporter = [
        "exporter".to_owned(),
        format!("--listen={scraped}"),
        format!("--hear={heard}"),
        format!("--nodes={NODES}"),
    ];
    let exporter = Launch::role(exporter, place.join("exporter.log"))?.on_core(LOADING);
    let mut exporter = exporter.start()?;
    exporter.hear().await?;
    let history = place.join("history");
    let setup = Setup {
        history: Some(history.clone()),
        ..Setup::default()
    };
    let mut server = Server::aggregator(&programs, setup, place).await?;
    let mut prometheus = Prometheus::start(scraped, place).await?;
    let flags = [
        "--heartbeats-only".to_owned(),
        format!("--gaps={GAPS}"),
        format!("--gaps-from={BEFORE}"),
        format!("--gaps-within={within}"),
        format!("--mirror={heard}"),
    ];
    let mut load = server.load(NODES, &flags, place).await?;
    let started = prometheus.used()?;
    let window = load.watch(&mut server, Duration::from_secs(length)).await?;
    let used = prometheus.used()?.saturating_sub(started);
    let seconds = window.lasted.as_secs_f64();

    let truth = load.gaps().await?;
    ensure!(!truth.is_empty(), "no gap was made");
    let found = nodegrace::gaps(&server).await?;
    let ours = Outcome {
        memory: window.memory,
        cores: window.cores,
        // Heartbeats are kept for an hour; whatever else is kept of a node does not grow while nothing happens.
        disk: bytes_below(&history) as f64 / seconds * 3600.0,
        score: Score::of(&truth, &found),
    };
    let found = prometheus.gaps(length + 60).await?;
    let log = bytes_below(&prometheus.data().join("wal")) as f64;
    let blocks = prometheus.snapshot_bytes().await? as f64;
    let theirs = Outcome {
        memory: prometheus.memory()?,
        cores: used.as_secs_f64() / seconds,
        disk: blocks / seconds * DAY + log / seconds * LOG_KEPT,
        score: Score::of(&truth, &found),
    };
    table(&ours, &theirs, truth.len(), seconds).print();
    drop(load);
    server.stop().await?;
    prometheus.stop().await
}

fn table(ours: &Outcome, theirs: &Outcome, gaps: usize, seconds: f64) -> Table {
    let mut table = Table::new(
        format!(
            "Heartbeats of {NODES} nodes for {seconds:.0} s, {gaps} of them with one gap of 15 to 60 s"
        ),
        [
            "",
            "RSS MiB",
            "cores",
            "disk MiB, 24 h",
            "noticed",
            "15-20 s",
            "20-30 s",
            "30-60 s",
            "false",
            "error p50",
            "p99",
        ],
    );
    for (name, outcome) in [
        ("nodegrace-aggregator", ours),
        ("Prometheus, every 15 s", theirs),
    ] {
        let score = &outcome.score;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        table.row([
            name.to_owned(),
            format!("{:.0}", outcome.memory.resident as f64 / 1024.0),
            format!("{:.3}", outcome.cores),
            format!("{:.0}", outcome.disk / MIB),
            percent(score.noticed(15.0, 60.0)),
            percent(score.noticed(15.0, 20.0)),
            percent(score.noticed(20.0, 30.0)),
            percent(score.noticed(30.0, 60.0)),
            score.false_alarms.to_string(),
            format!("{:.3} s", score.error(0.5)),
            format!("{:.3} s", score.error(0.99)),
        ]);
    }
    table.note(
        "Leases are renewed every 10 to 10.4 s. nodegrace is told of each by an agent's stream, with history on disk; Prometheus scrapes one \
         renew_time gauge per node. There a gap is noticed where a scrape finds a renewal older than 11.4 s, or two scrapes in turn find \
         renewals more than 21.5 s apart, which without a gap does not happen; its length is told by the renewals before and after. Disk \
         of Prometheus: the block that a snapshot makes, for a day, and three hours of its log; of nodegrace: an hour of heartbeats and all \
         that is kept of each node.",
    );
    let share = ours.score.noticed(15.0, 60.0);
    table.goal(
        "Gaps that nodegrace notices",
        format!("{:.1} %", 100.0 * share),
        format!("those that Prometheus does, {:.1} %, and more", 100.0 * theirs.score.noticed(15.0, 60.0)),
        share >= theirs.score.noticed(15.0, 60.0),
        format!(
            "Its lengths are {:.0} times as exact at p99. Bound by when the agent gets to read what arrived.",
            theirs.score.error(0.99) / ours.score.error(0.99)
        ),
    );
    table
}

/// Where nodes' gaps were found.
type Findings = Vec<Found>;
