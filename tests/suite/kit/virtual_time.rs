//! Whole systems in virtual time: hours of a cluster in seconds, always the same.

use std::time::{Duration, UNIX_EPOCH};

use nodegrace_clock::Clock;
use nodegrace_sim::{System, SystemSpec};
use nodegrace_sim_cluster::{
    ClusterSpec,
    kubelet::{Kind, NodeSpec},
};

/// A day in 2026, so that stamps look like stamps.
const WALL: Duration = Duration::from_secs(1_795_000_000);

/// A system in memory with one node of each of these kinds, named by their place: `node-0`, `node-1`, ...
///
/// # Panics
/// When it does not start.
pub fn system(kinds: &[Kind], seed: u64) -> System {
    let nodes = kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| NodeSpec::new(format!("node-{index}"), *kind, seed + index as u64))
        .collect();
    system_of(nodes, seed)
}

/// A system in memory with these nodes, under a controller with a grace period of 40 s.
///
/// # Panics
/// When it does not start.
pub fn system_of(nodes: Vec<NodeSpec>, seed: u64) -> System {
    let mut cluster = ClusterSpec::new(nodes, seed);
    cluster.rule.grace_period = Duration::from_secs(40);
    let clock = Clock::scaled(1.0, UNIX_EPOCH + WALL);
    System::in_memory(SystemSpec::new(cluster), clock).expect("the system starts")
}

/// Lets so many minutes of the system's time pass.
pub async fn minutes(system: &System, minutes: u64) {
    seconds(system, 60 * minutes).await;
}

/// Lets so many seconds of the system's time pass.
pub async fn seconds(system: &System, seconds: u64) {
    system.clock().sleep(Duration::from_secs(seconds)).await;
}
