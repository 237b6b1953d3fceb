//! As fast as it goes: the aggregator beside a bare server that takes the same streams, decodes and counts.

use std::time::Duration;

use nodegrace_clock::Clock;
use tempfile::TempDir;

use super::{
    aggregator::{Server, Setup, Window},
    programs::Programs,
    table::Table,
};

/// Streams: so many that none has to wait by the pace that the aggregator sets each.
const STREAMS: u32 = 2000;
const WARM_UP: Duration = Duration::from_secs(3);

/// What takes the streams.
#[derive(Clone, Copy, Debug)]
enum Taker {
    Sink,
    Memory,
    Disk,
}

impl Taker {
    const ALL: [Self; 3] = [Self::Sink, Self::Memory, Self::Disk];

    const fn label(self) -> &'static str {
        match self {
            Self::Sink => "bare sink",
            Self::Memory => "aggregator",
            Self::Disk => "aggregator, history on disk",
        }
    }
}

/// Prints the table.
///
/// # Errors
/// When a process ends that should not.
pub(super) async fn run(programs: &Programs, quick: bool) -> anyhow::Result<()> {
    let length = Duration::from_secs(if quick { 10 } else { 30 });
    let mut table = Table::new(
        format!(
            "As fast as it goes, {STREAMS} streams, {} s each",
            length.as_secs()
        ),
        [
            "",
            "batches/s",
            "cores",
            "batches per s of processor",
            "ratio",
            "ack p99",
            "load cores",
        ],
    );
    let mut ratios = Vec::new();
    let mut bare = None;
    for taker in Taker::ALL {
        let window = flood(programs, taker, length).await?;
        let capacity = window.batches_per_second() / window.cores;
        let ratio = capacity / *bare.get_or_insert(capacity);
        ratios.push(ratio);
        table.row([
            taker.label().to_owned(),
            format!("{:.0}", window.batches_per_second()),
            format!("{:.3}", window.cores),
            format!("{capacity:.0}"),
            format!("{ratio:.2}"),
            format!("{:.0} ms", window.millis("ack", "p99")),
            format!("{:.2}", window.load_cores),
        ]);
    }
    table.note(
        "Batches of one heartbeat and of one sample in turn, of the past, 4 under way on each stream, each acknowledged. The ratio is of \
         batches per second of the server's processor time, so that it says the same where the load is the bound.",
    );
    for (taker, ratio, goal) in [
        (Taker::Memory, ratios[1], 0.8),
        (Taker::Disk, ratios[2], 0.5),
    ] {
        table.goal(
            &format!("Throughput, {}", taker.label()),
            format!("{ratio:.2} x the bare sink"),
            format!("{goal:.1} x"),
            ratio >= goal,
            match taker {
                Taker::Disk => {
                    "Bound by what is done for each record, and by the log's encoding and commits."
                }
                _ => {
                    "Bound by what is done for each record: checks, conversion, the node's figures."
                }
            },
        );
    }
    table.print();
    Ok(())
}

async fn flood(programs: &Programs, taker: Taker, length: Duration) -> anyhow::Result<Window> {
    let place = TempDir::with_prefix("nodegrace-bench-")?;
    let history = matches!(taker, Taker::Disk).then(|| place.path().join("history"));
    let setup = Setup {
        history,
        ..Setup::default()
    };
    let mut server = match taker {
        Taker::Sink => Server::sink(place.path()).await?,
        _ => Server::aggregator(programs, setup, place.path()).await?,
    };
    let flags = ["--flood".to_owned()];
    let mut load = server.load(STREAMS, &flags, place.path()).await?;
    Clock::real().sleep(WARM_UP).await;
    let window = load.watch(&mut server, length).await?;
    server.stop().await?;
    Ok(window)
}
