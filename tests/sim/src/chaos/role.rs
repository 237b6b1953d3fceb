//! The parts that run in processes of their own, so that they can be killed as a machine would kill them: the program starts
//! itself again with one of these roles.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use nodegrace_agent::{Config as AgentConfig, Timeouts, TlsFiles, kube_client};
use nodegrace_aggregator::{Config as AggregatorConfig, StoreConfig};
use nodegrace_clock::{Anchor, Clock};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Longer than any run: what the ledger is held against must still be there at its end.
const WHOLE_RUN: Duration = Duration::from_secs(365 * 24 * 3600);
/// Most threads that wait for disks in one process. Each keeps memory of its own: a process with a thousand agents would have
/// hundreds of them, where an agent on its node has one or two.
const MOST_BLOCKING: usize = 8;
/// Pause after a connection could not be accepted, mostly for want of file descriptors, in real time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a process of this program is.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// One real agent.
    Agent(AgentRole),
    /// The real aggregator.
    Aggregator(AggregatorRole),
    /// Hands on connections to another address.
    Relay(RelayRole),
}

/// One real agent.
#[derive(Args, Clone, Debug)]
pub struct AgentRole {
    /// Name of its node.
    #[arg(long)]
    pub node: String,
    /// Boot id of its machine.
    #[arg(long)]
    pub boot_id: String,
    /// Where it finds the API server.
    #[arg(long)]
    pub api_server: SocketAddr,
    /// Where it finds the aggregator.
    #[arg(long)]
    pub aggregator: SocketAddr,
    /// Directory of its spool.
    #[arg(long)]
    pub spool_dir: PathBuf,
    /// Most bytes of it.
    #[arg(long)]
    pub spool_bytes: u64,
    /// The clock of the run.
    #[arg(long)]
    pub clock: Anchor,
    /// How many seconds its machine's wall clock is ahead.
    #[arg(long)]
    pub ahead: f64,
}

/// The real aggregator.
#[derive(Args, Clone, Debug)]
pub struct AggregatorRole {
    /// Address of its gRPC port.
    #[arg(long)]
    pub listen: SocketAddr,
    /// Directory of its history.
    #[arg(long)]
    pub data_dir: PathBuf,
    /// The clock of the run. Absent: the machine's.
    #[arg(long)]
    pub clock: Option<Anchor>,
    /// Keep every heartbeat as a row, not only those of the last hour.
    #[arg(long)]
    pub keep_heartbeats: bool,
}

/// A relay of connections.
#[derive(Args, Clone, Debug)]
pub struct RelayRole {
    /// Where it listens.
    #[arg(long)]
    pub listen: SocketAddr,
    /// Where connections go.
    #[arg(long)]
    pub to: SocketAddr,
}

impl Role {
    /// Plays the role until SIGTERM. The process does not outlive the one that started it.
    ///
    /// # Errors
    /// When the part cannot start, or fails.
    pub fn play(self) -> anyhow::Result<()> {
        play(|stop| async move {
            match self {
                Self::Agent(role) => Box::pin(role.run(stop)).await,
                Self::Aggregator(role) => role.run(stop).await,
                Self::Relay(role) => {
                    let relayed = stop.run_until_cancelled(role.run()).await;
                    relayed.unwrap_or(Ok(()))
                }
            }
        })
    }
}

/// Runs a part in this process, on one thread, until it ends or SIGTERM asks it to. The process does not outlive the one that
/// started it.
///
/// # Errors
/// When the part fails.
pub fn play<Part>(part: impl FnOnce(CancellationToken) -> Part) -> anyhow::Result<()>
where
    Part: Future<Output = anyhow::Result<()>>,
{
    // One thread a process: what matters here is that there are many.
    play_on(
        Builder::new_current_thread().max_blocking_threads(MOST_BLOCKING),
        part,
    )
}

/// The same on the threads that `runtime` says.
///
/// # Errors
/// When the part fails.
pub fn play_on<Part>(
    runtime: &mut Builder,
    part: impl FnOnce(CancellationToken) -> Part,
) -> anyhow::Result<()>
where
    Part: Future<Output = anyhow::Result<()>>,
{
    set_parent_process_death_signal(Some(Signal::KILL)).context("parent's death signal")?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    runtime.enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        let stop = CancellationToken::new();
        let mut part = std::pin::pin!(part(stop.clone()));
        tokio::select! {
            ended = &mut part => return ended,
            _ = terminate.recv() => stop.cancel(),
        }
        part.await
    })
}

impl AgentRole {
    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        kube_client::install_crypto();
        let clock = Clock::anchored(self.clock);
        clock.step_wall(self.ahead);
        let mut config = AgentConfig::new(&self.node);
        config.boot_id = Some(self.boot_id);
        config.proc_root = "/nowhere".into();
        config.spool_dir = Some(self.spool_dir);
        config.spool_bytes = self.spool_bytes;
        config.timeouts = impatient();
        let api_server = kube::Config::new(format!("http://{}", self.api_server).parse()?);
        let client = kube_client::connect(&api_server, &config.timeouts, &clock)?;
        let url = format!("http://{}", self.aggregator);
        let aggregator = nodegrace_agent::channel(&url, &TlsFiles::default(), &config.timeouts)?;
        nodegrace_agent::run(config, client, aggregator, clock, stop).await
    }
}

/// Timeouts of an agent whose days pass in minutes.
fn impatient() -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(500),
        request: Duration::from_secs(2),
        // The kernel's own keepalive knows whole seconds only.
        keepalive_interval: Duration::from_secs(1),
        keepalive_timeout: Duration::from_millis(500),
        acknowledgement: Duration::from_secs(3),
        ..Timeouts::default()
    }
}

impl AggregatorRole {
    /// Runs it until `stop`.
    ///
    /// # Errors
    /// When it cannot start, or fails.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let clock = self.clock.map_or_else(Clock::real, Clock::anchored);
        let mut store = StoreConfig::new(self.data_dir);
        if self.keep_heartbeats {
            store.retain_heartbeats = WHOLE_RUN;
        }
        let config = AggregatorConfig {
            store: Some(store),
            ..AggregatorConfig::default()
        };
        let grpc = TcpListener::bind(self.listen).await.context("gRPC port")?;
        let http = TcpListener::bind((self.listen.ip(), 0)).await?;
        nodegrace_aggregator::run(config, clock, grpc, http, stop).await
    }
}

impl RelayRole {
    async fn run(self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.listen).await.context("relay")?;
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(hand_on(socket, self.to));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "relay could not accept");
                        Clock::real().sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

/// Carries bytes both ways until one side ends.
async fn hand_on(mut near: TcpStream, to: SocketAddr) {
    // Whatever ends the connection, both sides see it end.
    let carried = async {
        let mut far = TcpStream::connect(to).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    };
    if let Err(error) = carried.await {
        tracing::debug!(%error, "relayed connection ended");
    }
}
