//! The demo's flags as typed, and the checks that make them the demo as meant.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;

/// Runs a simulated cluster with real agents and a real aggregator, and shows which nodes come near the timeout.
///
/// Everything happens in this process over real sockets on this machine; nothing else is needed. After the report the
/// aggregator keeps serving until Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(name = "nodegrace-demo", version)]
pub struct Args {
    /// Simulated nodes.
    #[arg(long, env = "NODEGRACE_NODES", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub nodes: u32,

    /// How many times faster than real time the simulated cluster runs.
    #[arg(long, env = "NODEGRACE_SPEED", default_value_t = 60.0, value_parser = speed)]
    pub speed: f64,

    /// Seed of everything random in the simulated cluster.
    #[arg(long, env = "NODEGRACE_SEED", default_value_t = 1)]
    pub seed: u64,

    /// Exit after the report instead of serving on.
    #[arg(long, env = "NODEGRACE_ONCE")]
    pub once: bool,

    /// Simulated minutes before the report.
    #[arg(long, env = "NODEGRACE_MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub minutes: u32,

    /// Address of the aggregator's gRPC port.
    #[arg(long, env = "NODEGRACE_LISTEN", default_value = "127.0.0.1:4850")]
    pub listen: SocketAddr,

    /// Address of the aggregator's HTTP port.
    #[arg(long, env = "NODEGRACE_HTTP", default_value = "127.0.0.1:4851")]
    pub http: SocketAddr,

    /// The controller's node-monitor-grace-period. 40 s was Kubernetes' default up to 1.31; 1.32 made it 50 s.
    #[arg(long, env = "NODEGRACE_GRACE_PERIOD", default_value = "40s", value_parser = humantime::parse_duration)]
    pub grace_period: Duration,

    /// The controller's node-monitor-period; Kubernetes' default is 5 s.
    #[arg(long, env = "NODEGRACE_MONITOR_PERIOD", default_value = "5s", value_parser = humantime::parse_duration)]
    pub monitor_period: Duration,

    /// What to log to standard error, as a tracing filter.
    #[arg(long, env = "NODEGRACE_LOG", default_value = "error")]
    pub log: String,
}

/// A clock may run slower or faster, but not so fast that the machine's own delays look like late heartbeats: at 600 times
/// real time a delay of 10 ms is 6 s of the simulated cluster.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=600.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.1 to 600".to_owned()),
    }
}
