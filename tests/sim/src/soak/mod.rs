//! A soak: many real agents and a real aggregator for some minutes, with restarts, and what they take meanwhile.

mod agents;
mod args;
mod heap;
mod report;
mod schedule;
mod side;
mod slope;
mod usage;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{Cluster, ClusterSpec, kubelet};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Builder};

pub use self::args::{Args, Role};
pub(crate) use self::{agents::open_many_files, usage::bytes_below};
use self::{
    report::{Counts, Histories, Outcome, Table},
    schedule::{ROUNDS, Schedule},
    side::Side,
};
use crate::{
    chaos::{Program, play, play_on},
    malloc::LARGE_APART,
};

/// Time between two measurements.
const SAMPLE: Duration = Duration::from_secs(5);
/// Measurements between two lines of the table.
const LINE_EVERY: u32 = 12;

/// Plays a role in this process, which has `allocated` so many bytes.
///
/// # Errors
/// When the part fails.
pub fn play_role(role: Role, allocated: fn() -> usize) -> anyhow::Result<()> {
    heap::tell(allocated)?;
    match role {
        // On as many threads as its own program has: each may keep memory of its own.
        Role::Aggregator(role) => play_on(&mut Builder::new_multi_thread(), |stop| async move {
            agents::open_many_files()?;
            role.run(stop).await
        }),
        Role::Agents(role) => play(|stop| role.run(stop)),
    }
}

/// Runs the soak and prints what was measured; true when the memory of both sides is flat.
///
/// # Errors
/// When the machine refuses something, or a part ended by itself.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    agents::open_many_files()?;
    let place = TempDir::with_prefix("nodegrace-soak-")?;
    let clock = Clock::real();
    let nodes = kubelet::fleet(args.agents as usize, args.seed);
    let cluster = Cluster::start(ClusterSpec::new(nodes, args.seed), &clock)?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let api_server = cluster.listen(loopback, None).await?;
    let aggregator_address = TcpListener::bind(loopback).await?.local_addr()?;
    let (history, spools) = (place.path().join("history"), place.path().join("spools"));
    let mut aggregator = Side::start(
        aggregator(aggregator_address, &history, place.path()),
        &clock,
    )?;
    let mut agents = Side::start(
        agents_program(args, api_server, aggregator_address, &spools, place.path()),
        &clock,
    )?;

    let schedule = Schedule::of(args);
    let start = clock.now();
    let mut kills = schedule.kills().peekable();
    let mut table = Table::new();
    let mut warm = None;
    let mut histories = Histories::default();
    for sample in 1.. {
        clock.sleep_until(start + SAMPLE * sample).await;
        let now = clock.now() - start;
        let (of_aggregator, of_agents) = (aggregator.usage()?, agents.usage()?);
        if sample.is_multiple_of(LINE_EVERY) {
            let files = (bytes_below(&history), bytes_below(&spools));
            let fleet = fleet(aggregator_address).await.ok();
            histories.latest = fleet.as_ref().map_or(histories.latest, history_bytes);
            table.line(now, of_aggregator, of_agents, files, fleet.as_ref());
        }
        if now >= schedule.end {
            break;
        }
        if schedule.is_measured(now, Duration::ZERO) {
            if warm.is_none() {
                warm = Some(Counts::of(&agents)?);
                histories.warm = histories.latest;
                table.end_of_warm_up();
            }
            agents.note(now, of_agents, 0);
        }
        if schedule.is_measured(now, aggregator.started().saturating_sub(start)) {
            aggregator.note(now, of_aggregator, histories.latest);
        }
        if kills.next_if(|kill| now >= *kill).is_some() {
            aggregator.restart(&clock).await?;
        }
    }
    let warm = warm.context("a measured part")?;
    let in_turn = args.agents as usize * (1 + ROUNDS as usize);
    anyhow::ensure!(
        warm.starts * 100 >= in_turn * 95,
        "the warm-up saw {} agents start instead of {in_turn}: this machine is too slow for so many",
        warm.starts
    );
    let counts = [warm, Counts::of(&agents)?];
    let fleet = fleet(aggregator_address).await.context("the aggregator")?;
    histories.latest = history_bytes(&fleet);
    let sides = [("aggregator", &aggregator), ("agents", &agents)];
    let outcome = Outcome {
        sides,
        counts,
        histories,
        fleet,
    };
    let (text, flat) = outcome.conclude(args, &schedule, &table);
    println!("{text}");
    cluster.stop().await;
    Ok(flat)
}

async fn fleet(address: SocketAddr) -> anyhow::Result<v1::Fleet> {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
    let mut client = QueryClient::new(channel.connect().await?);
    Ok(client.get_fleet(v1::GetFleetRequest {}).await?.into_inner())
}

fn history_bytes(fleet: &v1::Fleet) -> u64 {
    let history = fleet.history.as_ref();
    history.map_or(0, |history| history.node_history_bytes)
}

fn aggregator(listen: SocketAddr, history: &Path, logs: &Path) -> Program {
    let mut program = Program::new(["aggregator", "--listen"], logs.join("aggregator.log"));
    program.arguments.push(listen.to_string().into());
    program
        .arguments
        .extend(["--data-dir".into(), history.into()]);
    let (name, value) = LARGE_APART;
    program.environment.push((name, value.into()));
    program
}

fn agents_program(
    args: &Args,
    api_server: SocketAddr,
    aggregator: SocketAddr,
    spools: &Path,
    logs: &Path,
) -> Program {
    let flags = [
        ("--agents", args.agents.to_string()),
        ("--seed", args.seed.to_string()),
        ("--api-server", api_server.to_string()),
        ("--aggregator", aggregator.to_string()),
        ("--spools", spools.display().to_string()),
        ("--spool-bytes", args.spool_bytes.to_string()),
        ("--crashes-per-second", args.crashes_per_second.to_string()),
    ];
    let flags = flags.iter().flat_map(|(name, value)| [*name, value]);
    let arguments = std::iter::once("agents").chain(flags);
    Program::new(arguments, logs.join("agents.log"))
}
