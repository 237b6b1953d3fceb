//! The queries table: how long answers take while agents report, and whether those who ask hold the agents up.

use std::{net::SocketAddr, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{
    GraceCandidate, ListNodesRequest, SimulateGraceRequest, query_client::QueryClient,
};
use tempfile::TempDir;
use tonic::transport::Channel;

use super::{
    aggregator::{Load, Server, Setup, Window},
    args::Common,
    http,
    latency::Latencies,
    programs::Programs,
    table::Table,
};

const NODES: u32 = 10_000;
const METRICS_NODES: u32 = 5000;
/// Until many nodes have a history that can be ranked.
const WARM_UP: u64 = 120;
/// Pause between two of a reader's questions, as of many people and programs.
const PAUSE: Duration = Duration::from_millis(50);
/// Largest that ingest's p99 may become by those who read, as a multiple.
const MOST_HELD_UP: f64 = 2.0;

/// Prints the table.
///
/// # Errors
/// When a process ends that should not, or a question is refused.
pub(super) async fn run(common: &Common) -> anyhow::Result<()> {
    let programs = Programs::of(common)?;
    let (warm_up, length) = if common.quick {
        (30, 20)
    } else {
        (WARM_UP, 60)
    };
    let (warm_up, length) = (Duration::from_secs(warm_up), Duration::from_secs(length));
    let mut table = Table::new(
        format!("Answers while agents report, {} s each", length.as_secs()),
        ["", "nodes", "answers", "p50", "p99", "max"],
    );
    let clock = Clock::real();

    let (mut server, mut load, _place) = start(&programs, NODES).await?;
    clock.sleep(warm_up).await;
    let alone = load.watch(&mut server, length).await?;
    let query = QueryClient::connect(format!("http://{}", server.grpc)).await?;
    let (beside, list, what_if) = tokio::try_join!(
        load.watch(&mut server, length),
        list(query.clone(), length),
        what_if(query, length),
    )?;
    server.stop().await?;
    drop(load);

    let (mut server, mut load, _place) = start(&programs, METRICS_NODES).await?;
    let http = server.http;
    clock.sleep(warm_up).await;
    let (scraped, metrics) =
        tokio::try_join!(load.watch(&mut server, length), scrape(http, length),)?;
    server.stop().await?;
    drop(load);

    let asked = list.clone().count() + what_if.clone().count();
    let more = (beside.cores - alone.cores) * beside.lasted.as_secs_f64() / asked.max(1) as f64;
    let of_grpc = format!(
        "Bound by {:.1} ms of processor for each of these two kinds of answers on average, on a core of which {:.0} % were in use meanwhile.",
        more * 1e3,
        beside.cores * 1e2,
    );
    let of_http = format!(
        "Bound by making and sending the text on a core of which {:.0} % were in use meanwhile.",
        scraped.cores * 1e2,
    );
    for (what, nodes, latencies, goal, bound) in [
        (
            "ListNodes, the 50 of the highest risk",
            NODES,
            list,
            5,
            &of_grpc,
        ),
        (
            "SimulateGrace, 50 candidates",
            NODES,
            what_if,
            100,
            &of_grpc,
        ),
        (
            "/metrics of every node",
            METRICS_NODES,
            metrics,
            200,
            &of_http,
        ),
    ] {
        let answers = latencies.clone().count();
        let [p50, p99, max] = latencies.quantiles().unwrap_or_default();
        let millis = |took: Duration| format!("{:.1} ms", took.as_secs_f64() * 1e3);
        table.row([
            what.to_owned(),
            nodes.to_string(),
            answers.to_string(),
            millis(p50),
            millis(p99),
            millis(max),
        ]);
        table.goal(
            what,
            format!("p50 {}, p99 {}", millis(p50), millis(p99)),
            format!("{goal} ms"),
            p99 < Duration::from_millis(goal),
            bound,
        );
    }
    held_up(&mut table, &alone, &beside);
    table.print();
    Ok(())
}

/// Says how much later acknowledgements come `beside` readers than `alone`.
fn held_up(table: &mut Table, alone: &Window, beside: &Window) {
    let (without, with) = (alone.millis("ack", "p99"), beside.millis("ack", "p99"));
    table.note(format!(
        "Acknowledgements without readers: p50 {:.1} ms, p99 {without:.1} ms, {:.3} cores; with them: p50 {:.1} ms, p99 {with:.1} ms, {:.3} \
         cores. Readers ask, wait for the answer and {} ms, and ask again.",
        alone.millis("ack", "p50"),
        alone.cores,
        beside.millis("ack", "p50"),
        beside.cores,
        PAUSE.as_millis(),
    ));
    table.goal(
        "Ingest held up by readers, p99",
        format!("{:.2} x", with / without),
        format!("{MOST_HELD_UP:.0} x"),
        with / without < MOST_HELD_UP,
        format!(
            "Bound by how long one answer has the only core; of it {:.0} % were in use without readers and {:.0} % with them.",
            alone.cores * 1e2,
            beside.cores * 1e2,
        ),
    );
}

async fn start(programs: &Programs, nodes: u32) -> anyhow::Result<(Server, Load, TempDir)> {
    let place = TempDir::with_prefix("nodegrace-bench-")?;
    let setup = Setup {
        flags: vec!["--metrics-nodes=all".to_owned()],
        ..Setup::default()
    };
    let server = Server::aggregator(programs, setup, place.path()).await?;
    let load = server.load(nodes, &[], place.path()).await?;
    Ok((server, load, place))
}

/// Asks again and again, for a while.
async fn ask<Answer>(
    length: Duration,
    mut question: impl AsyncFnMut() -> anyhow::Result<Answer>,
) -> anyhow::Result<Latencies> {
    let (clock, mut latencies) = (Clock::real(), Latencies::default());
    let end = clock.now() + length;
    while clock.now() < end {
        let asked = clock.now();
        question().await?;
        latencies.note(clock.now().saturating_sub(asked));
        clock.sleep(PAUSE).await;
    }
    Ok(latencies)
}

async fn list(mut query: QueryClient<Channel>, length: Duration) -> anyhow::Result<Latencies> {
    ask(length, async || {
        let request = ListNodesRequest {
            page_size: 50,
            ..ListNodesRequest::default()
        };
        Ok(query.list_nodes(request).await?)
    })
    .await
}

async fn what_if(mut query: QueryClient<Channel>, length: Duration) -> anyhow::Result<Latencies> {
    ask(length, async || {
        let candidate = |seconds| GraceCandidate {
            grace_period: Some(nodegrace_proto::prost_types::Duration { seconds, nanos: 0 }),
            monitor_period: None,
        };
        let request = SimulateGraceRequest {
            candidates: (20..70).map(|seconds| candidate(2 * seconds)).collect(),
            max_nodes: 0,
        };
        Ok(query.simulate_grace(request).await?)
    })
    .await
}

async fn scrape(address: SocketAddr, length: Duration) -> anyhow::Result<Latencies> {
    ask(length, async || http::get(address, "/metrics", false).await).await
}
