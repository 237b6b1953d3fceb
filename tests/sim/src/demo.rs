//! The demo: runs the system for a while with progress, reports, and keeps serving until it is told to stop.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{ClusterSpec, kubelet};
use tempfile::TempDir;
use tokio::{net::TcpListener, signal::ctrl_c, task::JoinSet};
use tonic::transport::Channel;

use crate::{
    System, SystemSpec,
    args::Args,
    pace,
    report::{self, Truth, Truths},
};

/// Real time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(2);
/// The aggregator's page size limit.
const PAGE: i32 = 1000;

/// Runs the demo with the aggregator on these listeners until it ends or is interrupted.
///
/// # Errors
/// When a part of the system fails.
pub async fn run(args: Args, grpc: TcpListener, http: TcpListener) -> anyhow::Result<()> {
    let (grpc_address, http_address) = (grpc.local_addr()?, http.local_addr()?);
    let machines = machines().context("directory for the simulated machines")?;
    let clock = Clock::scaled(1.0, Clock::real().wall());
    let mut pace = JoinSet::new();
    pace.spawn(pace::keep(args.speed));
    let start = clock.now();
    let spec = spec(&args, machines.path());
    let mut system = System::over_tcp(spec, clock, grpc, http).await?;
    println!(
        "nodegrace-demo: {} simulated nodes for {} minutes at {} times real time, seed {}; grace period {}, monitor period {}\n",
        args.nodes,
        args.minutes,
        args.speed,
        args.seed,
        humantime::format_duration(args.grace_period),
        humantime::format_duration(args.monitor_period),
    );
    let end = start + Duration::from_secs(60 * u64::from(args.minutes));
    tokio::select! {
        outcome = progress(&system, start, end, args.speed) => outcome?,
        outcome = interrupted() => {
            outcome?;
            return system.stop().await;
        }
    }
    println!("{}", conclusion(&system).await?);
    if !args.once {
        println!("{}", how_to_query(grpc_address, http_address));
        tokio::select! {
            outcome = interrupted() => outcome?,
            outcome = system.failure() => outcome?,
        }
    }
    system.stop().await
}

/// A directory for the simulated machines' /proc, in memory where that is to be had: they are rewritten all the time.
fn machines() -> io::Result<TempDir> {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())
}

fn spec(args: &Args, machines: &Path) -> SystemSpec {
    let nodes = kubelet::fleet(args.nodes as usize, args.seed);
    let mut cluster = ClusterSpec::new(nodes, args.seed);
    cluster.rule.grace_period = args.grace_period;
    cluster.rule.monitor_period = args.monitor_period;
    cluster.machines = Some(machines.to_path_buf());
    SystemSpec {
        watch_cluster: true,
        ..SystemSpec::new(cluster)
    }
}

async fn interrupted() -> anyhow::Result<()> {
    ctrl_c().await.context("waiting for Ctrl-C")
}

/// Lets the system run until `end` of its clock, and says how far it is: on one line of a terminal, else now and then.
async fn progress(
    system: &System,
    start: Duration,
    end: Duration,
    speed: f64,
) -> anyhow::Result<()> {
    let clock = system.clock();
    let terminal = io::stderr().is_terminal();
    let step = if terminal { PROGRESS } else { PROGRESS * 5 }.mul_f64(speed);
    while clock.now() < end {
        let next = (clock.now() + step).min(end);
        clock.sleep_until(next).await;
        let fleet = fleet(system.queries()).await?;
        let line = format!(
            "{:3.0} of {:.0} min: {} agents report, {} heartbeats timed, {} flips",
            (next - start).as_secs_f64() / 60.0,
            (end - start).as_secs_f64() / 60.0,
            fleet.connected_agents,
            fleet.heartbeats,
            system.cluster().flips().len(),
        );
        let mut stderr = io::stderr().lock();
        let written = if terminal {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        };
        written.context("progress")?;
    }
    if terminal {
        eprintln!("\r\x1b[K");
    }
    Ok(())
}

/// The whole report, from the aggregator's answers and the cluster's truth.
async fn conclusion(system: &System) -> anyhow::Result<String> {
    let nodes = nodes(system.queries()).await?;
    let fleet = fleet(system.queries()).await?;
    let truth = truth(system);
    let mut client = QueryClient::new(system.queries());
    let what_if = client
        .simulate_grace(v1::SimulateGraceRequest::default())
        .await
        .context("SimulateGrace")?
        .into_inner();
    let recommended = client
        .recommend(v1::RecommendRequest::default())
        .await
        .context("Recommend")?
        .into_inner();
    let longest = v1::ListGapsRequest {
        page_size: PAGE,
        order_by: "duration desc".to_owned(),
        ..Default::default()
    };
    let gaps = client
        .list_gaps(longest)
        .await
        .context("ListGaps")?
        .into_inner()
        .gaps;
    Ok(format!(
        "Ranking, the most endangered first\n\n{}\n\n{}\n\nWhy were heartbeats late?\n\n{}\n\n\
         What if the grace period were different?\n\n{}\n\n{}\n",
        report::ranking(&nodes, &truth),
        report::verdict(&nodes, &fleet, &truth),
        report::reasons(&nodes, &gaps, &fleet, &truth),
        report::what_if(&what_if),
        report::recommendation(&recommended),
    ))
}

/// What the cluster knows of its nodes.
fn truth(system: &System) -> Truths {
    let mut truth: Truths = system
        .cluster()
        .nodes()
        .iter()
        .map(|node| {
            let spec = node.spec();
            let kind = spec.kind.label().to_owned();
            (spec.name.clone(), Truth { kind, flips: 0 })
        })
        .collect();
    for flip in system.cluster().flips() {
        truth.entry(flip.node).or_default().flips += 1;
    }
    truth
}

/// Every node, worst first, as anyone would ask for it.
async fn nodes(channel: Channel) -> anyhow::Result<Vec<v1::Node>> {
    let mut client = QueryClient::new(channel);
    let mut nodes = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListNodesRequest {
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let page = client
            .list_nodes(request)
            .await
            .context("ListNodes")?
            .into_inner();
        nodes.extend(page.nodes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(nodes);
        }
    }
}

async fn fleet(channel: Channel) -> anyhow::Result<v1::Fleet> {
    let answer = QueryClient::new(channel)
        .get_fleet(v1::GetFleetRequest {})
        .await
        .context("GetFleet")?;
    Ok(answer.into_inner())
}

fn how_to_query(listen: SocketAddr, http: SocketAddr) -> String {
    format!(
        "Still running; Ctrl-C ends it. Ask the aggregator:
  grpcurl -plaintext {listen} list
  grpcurl -plaintext -d '{{\"orderBy\":\"margin\",\"pageSize\":5}}' {listen} nodegrace.v1.Query/ListNodes
  grpcurl -plaintext -d '{{\"name\":\"node-000\"}}' {listen} nodegrace.v1.Query/GetNode
  grpcurl -plaintext {listen} nodegrace.v1.Query/WatchNodes
  curl http://{http}/readyz"
    )
}
