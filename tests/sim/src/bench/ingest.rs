//! The ingest table: agents at their real rate, and what the aggregator takes for it.

use std::{path::Path, time::Duration};

use nodegrace_clock::Clock;
use tempfile::TempDir;

use super::{
    aggregator::{Server, Setup, Window},
    args::{IngestArgs, Part},
    flood,
    footprint::Memory,
    programs::Programs,
    scale,
    table::Table,
};

/// Time from the last agent's connection to the first measurement: each has beaten and sampled by then.
const WARM_UP: Duration = Duration::from_secs(30);
/// Heartbeats in a second whose way is timed.
const PROBES: u32 = 20;

/// Prints the table, or the parts of it that are asked for.
///
/// # Errors
/// When a process ends that should not.
pub(super) async fn run(args: &IngestArgs) -> anyhow::Result<()> {
    let programs = Programs::of(&args.common)?;
    let wanted = |part| args.part.is_empty() || args.part.contains(&part);
    let length = args
        .seconds
        .unwrap_or(if args.common.quick { 60 } else { 900 });
    let length = Duration::from_secs(length);
    if wanted(Part::Steady) || wanted(Part::Tls) {
        let mut runs = Vec::new();
        for (part, tls) in [(Part::Steady, false), (Part::Tls, true)] {
            if wanted(part) {
                runs.push((tls, steady(&programs, args.nodes, 1, tls, length).await?));
            }
        }
        steady_table(args.nodes, length, &runs).print();
    }
    if wanted(Part::Flood) {
        flood::run(&programs, args.common.quick).await?;
    }
    if wanted(Part::Scale) {
        scale::run(&programs, args.common.quick).await?;
    }
    Ok(())
}

/// What agents at their real rate take.
#[derive(Clone, Debug)]
pub(super) struct Steady {
    pub(super) nodes: u32,
    /// With nobody connected.
    pub(super) empty: Memory,
    pub(super) window: Window,
    sample_bytes: u64,
}

impl Steady {
    /// Memory per node, in KiB: what is resident, and what of it is no file's.
    pub(super) fn kib_per_node(&self) -> (f64, f64) {
        let per_node =
            |now: u64, empty: u64| now.saturating_sub(empty) as f64 / f64::from(self.nodes);
        let (now, empty) = (self.window.memory, self.empty);
        (
            per_node(now.resident, empty.resident),
            per_node(now.anonymous, empty.anonymous),
        )
    }
}

/// Runs `nodes` agents at their real rate for a while.
///
/// # Errors
/// When a process ends that should not.
pub(super) async fn steady(
    programs: &Programs,
    nodes: u32,
    per_connection: u32,
    tls: bool,
    length: Duration,
) -> anyhow::Result<Steady> {
    let place = TempDir::with_prefix("nodegrace-bench-")?;
    let setup = Setup {
        tls,
        ..Setup::default()
    };
    let mut server = Server::aggregator(programs, setup, place.path()).await?;
    let flags = [
        format!("--probes={PROBES}"),
        format!("--per-connection={per_connection}"),
    ];
    let outcome = watch(&mut server, nodes, &flags, place.path(), length).await?;
    server.stop().await?;
    Ok(outcome)
}

async fn watch(
    server: &mut Server,
    nodes: u32,
    flags: &[String],
    place: &Path,
    length: Duration,
) -> anyhow::Result<Steady> {
    let mut load = server.load(nodes, flags, place).await?;
    Clock::real().sleep(WARM_UP).await;
    Ok(Steady {
        nodes,
        empty: server.empty,
        window: load.watch(server, length).await?,
        sample_bytes: load.sample_bytes,
    })
}

fn steady_table(nodes: u32, length: Duration, runs: &[(bool, Steady)]) -> Table {
    let title = format!(
        "{nodes} agents at their real rate for {} s",
        length.as_secs()
    );
    let mut table = Table::new(
        title,
        [
            "",
            "batches/s",
            "KiB/s",
            "cores",
            "RSS KiB/node",
            "anonymous KiB/node",
            "shown p50",
            "p99",
            "max",
            "ack p50",
            "p99",
            "load cores",
            "late p99",
        ],
    );
    for (tls, run) in runs {
        let (resident, anonymous) = run.kib_per_node();
        let window = &run.window;
        let millis = |of, quantile| format!("{:.1} ms", window.millis(of, quantile));
        table.row([
            if *tls { "with TLS" } else { "without TLS" }.to_owned(),
            format!("{:.0}", window.batches_per_second()),
            format!("{:.0}", window.bytes_per_second() / 1024.0),
            format!("{:.3}", window.cores),
            format!("{resident:.1}"),
            format!("{anonymous:.1}"),
            millis("visible", "p50"),
            millis("visible", "p99"),
            millis("visible", "max"),
            millis("ack", "p50"),
            millis("ack", "p99"),
            format!("{:.2}", window.load_cores),
            millis("late", "p99"),
        ]);
    }
    let Some((tls, run)) = runs.first() else {
        return table;
    };
    table.note(format!(
        "One stream and one connection for each agent; a Lease renewed every 10 to 10.4 s, a status every 5 minutes, a sample of {} \
         bytes every 10 s, changes within 50 ms of a batch in the next one, pings as the agent sends them. One node in 20 renews one \
         Lease in 20 up to 45 s late. \"Shown\" is from a heartbeat's arrival at its agent until GetNode has it, timed for {} of them.",
        run.sample_bytes,
        run.window.timed("visible"),
    ));
    let how = if *tls { "with TLS" } else { "without TLS" };
    let (cores, (resident, anonymous)) = (run.window.cores, run.kib_per_node());
    let shown = run.window.millis("visible", "p99");
    table.goal(
        &format!("Processor, {how}"),
        format!("{cores:.3} cores"),
        "1",
        cores <= 1.0,
        "Bound by the system calls of one connection per agent and by HTTP/2's frames, pings included.",
    );
    table.goal(
        &format!("Memory per node, {how}"),
        format!("{resident:.1} KiB (anonymous {anonymous:.1} KiB)"),
        "24 KiB",
        resident < 24.0,
        "Bound by a connection's own buffers and tasks in h2, hyper and tonic.",
    );
    table.goal(
        &format!("Heartbeat to GetNode, p99, {how}"),
        format!("{shown:.1} ms"),
        "250 ms",
        shown < 250.0,
        "Bound by how soon each process has its turn, and by the 50 ms for which an agent gathers what comes soon after a batch.",
    );
    table
}
