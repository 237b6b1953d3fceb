//! A soak: many real agents and a real aggregator for some minutes, with restarts, and what they take meanwhile.

mod agents;
mod args;
mod report;
mod slope;
mod usage;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{Cluster, ClusterSpec, kubelet};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub use self::args::{Args, Role};
use self::{
    report::Table,
    slope::Point,
    usage::{Usage, bytes_below},
};
use crate::chaos::{Process, Program, play};

/// Time between two measurements.
const SAMPLE: Duration = Duration::from_secs(5);
/// Time after a start in which a process is still filling what it keeps: not part of the slope.
const SETTLING: Duration = Duration::from_secs(60);
/// How long the aggregator stays away after each SIGKILL.
const AWAY: Duration = Duration::from_secs(3);
/// Measurements between two lines of the table.
const LINE_EVERY: usize = 12;

/// One side of the system.
struct Side {
    program: Program,
    process: Option<Process>,
    started: Duration,
    run: usize,
    points: Vec<Point>,
}

/// Plays a role in this process.
///
/// # Errors
/// When the part fails.
pub fn play_role(role: Role) -> anyhow::Result<()> {
    play(|stop| async move {
        match role {
            Role::Aggregator(role) => {
                agents::open_many_files()?;
                role.run(stop).await
            }
            Role::Agents(role) => role.run(stop).await,
        }
    })
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

    let start = clock.now();
    let end = start + Duration::from_secs(60 * u64::from(args.minutes));
    let kill_every = Duration::from_secs(args.kill_aggregator_every);
    let mut next_kill = start + kill_every;
    let mut table = Table::new();
    let mut sample = 0;
    while clock.now() < end {
        clock.sleep_until(start + SAMPLE * (sample + 1)).await;
        sample += 1;
        let now = clock.now();
        let (of_aggregator, of_agents) = (aggregator.measure(now)?, agents.measure(now)?);
        if (sample as usize).is_multiple_of(LINE_EVERY) {
            let files = (bytes_below(&history), bytes_below(&spools));
            let fleet = fleet(aggregator_address).await.ok();
            table.line(now - start, of_aggregator, of_agents, files, fleet.as_ref());
        }
        // None at the very end: what it leaves behind could not be seen.
        if now >= next_kill && now + kill_every / 2 < end {
            next_kill += kill_every;
            aggregator.restart(&clock).await?;
        }
    }
    let half = start + (end - start) / 2;
    let fleet = fleet(aggregator_address).await.context("the aggregator")?;
    let (text, flat) = report::conclusion(
        args,
        &table,
        [("aggregator", &aggregator), ("agents", &agents)].map(|(name, side)| {
            let second_half: Vec<Point> = side
                .points
                .iter()
                .filter(|point| point.at >= half)
                .copied()
                .collect();
            (name, side.run, second_half)
        }),
        &fleet,
    );
    println!("{text}");
    cluster.stop().await;
    Ok(flat)
}

impl Side {
    fn start(program: Program, clock: &Clock) -> anyhow::Result<Self> {
        Ok(Self {
            process: Some(program.start()?),
            program,
            started: clock.now(),
            run: 0,
            points: Vec::new(),
        })
    }

    /// What the process takes; noted for the slope once it has settled.
    fn measure(&mut self, now: Duration) -> anyhow::Result<Usage> {
        let process = self.process.as_mut().context("a process")?;
        if let Some(status) = process.ended()? {
            let said = std::fs::read_to_string(&self.program.log).unwrap_or_default();
            let last = said.lines().last().unwrap_or_default();
            bail!("a process ended by itself with {status}: {last}");
        }
        let id = process.id().context("a process without an id")?;
        let usage = Usage::of(id).context("a process that runs")?;
        if now >= self.started + SETTLING {
            self.points.push(Point {
                at: now,
                run: self.run,
                value: usage.private_kib as f64,
            });
        }
        Ok(usage)
    }

    /// Kills it with SIGKILL and starts it again.
    async fn restart(&mut self, clock: &Clock) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            process.kill().await?;
        }
        clock.sleep(AWAY).await;
        self.process = Some(self.program.start()?);
        self.started = clock.now();
        self.run += 1;
        Ok(())
    }
}

async fn fleet(address: SocketAddr) -> anyhow::Result<v1::Fleet> {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
    let mut client = QueryClient::new(channel.connect().await?);
    Ok(client.get_fleet(v1::GetFleetRequest {}).await?.into_inner())
}

fn aggregator(listen: SocketAddr, history: &Path, logs: &Path) -> Program {
    let mut program = Program::new(["aggregator", "--listen"], logs.join("aggregator.log"));
    program.arguments.push(listen.to_string().into());
    program
        .arguments
        .extend(["--data-dir".into(), history.into()]);
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
        ("--crash-every", args.crash_agent_every.to_string()),
    ];
    let flags = flags.iter().flat_map(|(name, value)| [*name, value]);
    Program::new(
        std::iter::once("agents").chain(flags),
        logs.join("agents.log"),
    )
}
