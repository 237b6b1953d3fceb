//! The flags of the bench, and its roles.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Agents at the real rate.
const NODES: u32 = 10_000;

/// Measures what nodegrace takes, beside what people would use in its place.
///
/// Every table is of real processes on this machine: the aggregator has core 0 to itself, what loads it has core 1. The last
/// lines of a table hold its figures against their goals. A goal that is missed is no failure of the program.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench", version)]
pub struct Args {
    /// What to measure.
    #[command(subcommand)]
    pub table: Table,
}

/// What is measured; and the roles of the processes that this program starts.
#[derive(Clone, Debug, Subcommand)]
pub enum Table {
    /// One agent on a node with 500 containers and 500 images, beside prometheus-node-exporter.
    Agent(Common),
    /// The aggregator with 10,000 agents at their real rate, as fast as it goes, and with other numbers of nodes.
    Ingest(IngestArgs),
    /// People and Prometheus ask while agents report.
    Queries(Common),
    /// Heartbeats as Prometheus would see them, and as nodegrace does.
    Peers(Common),
    /// What an agent asks of the API server.
    ApiCost(Common),
    /// Every table.
    All(Common),
    /// Many agents' streams in one process.
    #[command(hide = true)]
    Load(LoadRole),
    /// A server that takes agents' streams and counts.
    #[command(hide = true)]
    Sink(SinkRole),
    /// An exporter of one gauge per node.
    #[command(hide = true)]
    Exporter(ExporterRole),
}

/// The flags of every table.
#[derive(ClapArgs, Clone, Debug)]
pub struct Common {
    /// A minute or two of each instead of a quarter of an hour.
    #[arg(long)]
    pub quick: bool,

    /// Directory with nodegrace-agent and nodegrace-aggregator. Default: they are built as they are shipped, with
    /// their profiles and the C library inside, which takes some minutes the first time.
    #[arg(long)]
    pub programs: Option<PathBuf>,
}

/// The flags of the ingest table.
#[derive(ClapArgs, Clone, Debug)]
pub struct IngestArgs {
    /// The flags of every table.
    #[command(flatten)]
    pub common: Common,

    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub part: Vec<Part>,

    /// Agents at the real rate.
    #[arg(long, default_value_t = NODES)]
    pub nodes: u32,

    /// Seconds at the real rate, without and with TLS. Default: 900, or 60 with --quick.
    #[arg(long)]
    pub seconds: Option<u64>,
}

impl IngestArgs {
    /// All of it.
    pub(super) const fn new(common: Common) -> Self {
        Self {
            common,
            part: Vec::new(),
            nodes: NODES,
            seconds: None,
        }
    }
}

/// A part of the ingest table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Agents at their real rate.
    Steady,
    /// The same through TLS.
    Tls,
    /// As fast as it goes, beside a server that only counts.
    Flood,
    /// Other numbers of nodes.
    Scale,
}

/// Many agents' streams in one process. Commands come on standard input, answers go to standard output.
#[derive(ClapArgs, Clone, Debug)]
pub struct LoadRole {
    /// Where they report.
    #[arg(long)]
    pub target: SocketAddr,
    /// How many.
    #[arg(long)]
    pub agents: u32,
    /// Streams on each connection.
    #[arg(long, default_value_t = 1)]
    pub per_connection: u32,
    /// Agents that connect in a second.
    #[arg(long, default_value_t = 500)]
    pub ramp: u32,
    /// PEM file with the authority of the aggregator's certificate. Absent: no TLS.
    #[arg(long)]
    pub authority: Option<PathBuf>,
    /// Silence after which an agent pings, in seconds. Default: the agent's own.
    #[arg(long)]
    pub ping_after: Option<u64>,
    /// Send as fast as it goes, what happened in the past.
    #[arg(long)]
    pub flood: bool,
    /// Heartbeats in a second whose way into `GetNode` is timed; 0: none.
    #[arg(long, default_value_t = 0)]
    pub probes: u32,
    /// Send no samples.
    #[arg(long)]
    pub heartbeats_only: bool,
    /// Share of the nodes that have one gap of 15 to 60 s each, and no other; 0: some nodes are in trouble all the time.
    #[arg(long, default_value_t = 0.0)]
    pub gaps: f64,
    /// Seconds from the start to the first of these gaps.
    #[arg(long, default_value_t = 0)]
    pub gaps_from: u64,
    /// Seconds from the first to the last one's beginning.
    #[arg(long, default_value_t = 0)]
    pub gaps_within: u64,
    /// Where renewals go besides, for the exporter: UDP datagrams of node number and time.
    #[arg(long)]
    pub mirror: Option<SocketAddr>,
}

/// A server that takes agents' streams, decodes, counts and acknowledges.
#[derive(ClapArgs, Clone, Debug)]
pub struct SinkRole {
    /// Its address.
    #[arg(long)]
    pub listen: SocketAddr,
}

/// An exporter of one `renew_time` gauge per node.
#[derive(ClapArgs, Clone, Debug)]
pub struct ExporterRole {
    /// Its HTTP address.
    #[arg(long)]
    pub listen: SocketAddr,
    /// Where it hears of renewals.
    #[arg(long)]
    pub hear: SocketAddr,
    /// How many nodes.
    #[arg(long)]
    pub nodes: u32,
}
