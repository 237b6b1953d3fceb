//! The flags of the soak, and its roles.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand};

use crate::chaos::AggregatorRole;

/// Lets many real agents report to a real aggregator for a while, with restarts of both, and watches what they take.
///
/// The simulated cluster is in this process, the aggregator and the agents are in others; all in real time. All the agents
/// share a process: one that crashes there is dropped at any point of its work, without a last word, and leaves its spool as it
/// is; what it leaves in memory would stay. Exits with 1 when the memory of one side grows.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What this process is, instead of the one that starts the others.
    #[command(subcommand)]
    pub role: Option<Role>,

    /// Simulated nodes, each with a real agent.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=5000))]
    pub agents: u32,

    /// How long memory is measured, in minutes of real time. Before that comes a warm-up, in which the aggregator is killed once
    /// and every agent crashes a few times.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub minutes: u32,

    /// Seed of the simulated cluster, and of the order in which agents crash.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Most bytes of each agent's spool. The default is about the least there can be: what a spool holds in memory while it
    /// fills a file, up to a sixteenth of this, is soon at its bound.
    #[arg(long, default_value_t = 288 << 10)]
    pub spool_bytes: u64,

    /// Seconds from one SIGKILL of the aggregator to the next, once the warm-up is over. Each costs its new run a warm-up of its own,
    /// and the few minutes that are left of a short one tell no slope: by default what is measured is in one piece.
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u64).range(1..))]
    pub kill_aggregator_every: u64,

    /// Agents that crash in a second, one after the other: all of them in turn during the warm-up, then every second one, so
    /// that what an agent gathers over a long life shows in the others.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub crashes_per_second: u32,
}

/// What a process of this program is.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// The real aggregator.
    Aggregator(AggregatorRole),
    /// All the real agents.
    Agents(AgentsRole),
}

/// All the real agents.
#[derive(ClapArgs, Clone, Debug)]
pub struct AgentsRole {
    /// How many.
    #[arg(long)]
    pub agents: u32,
    /// Seed of the cluster, and of the order of crashes.
    #[arg(long)]
    pub seed: u64,
    /// Where they find the API server.
    #[arg(long)]
    pub api_server: SocketAddr,
    /// Where they find the aggregator.
    #[arg(long)]
    pub aggregator: SocketAddr,
    /// Directory of their spools.
    #[arg(long)]
    pub spools: PathBuf,
    /// Most bytes of each spool.
    #[arg(long)]
    pub spool_bytes: u64,
    /// Agents that crash in a second.
    #[arg(long)]
    pub crashes_per_second: u32,
}
