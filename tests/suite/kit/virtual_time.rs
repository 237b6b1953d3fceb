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

/// One node of each of these kinds, named by their place: `node-0`, `node-1`, ... Their agents see at once what comes, so that
/// what is answered can be held against what was posted.
pub fn nodes(kinds: &[Kind], seed: u64) -> Vec<NodeSpec> {
    let numbered = kinds.iter().zip(0..);
    numbered
        .map(|(kind, number)| NodeSpec {
            agent_waits: false,
            ..NodeSpec::new(format!("node-{number}"), *kind, seed + number)
        })
        .collect()
}

/// A system of these nodes, under a controller with a grace period of 40 s, and one aggregator in memory.
pub fn spec(nodes: Vec<NodeSpec>, seed: u64) -> SystemSpec {
    let mut cluster = ClusterSpec::new(nodes, seed);
    cluster.rule.grace_period = Duration::from_secs(40);
    SystemSpec::new(cluster)
}

/// Starts a system in memory.
///
/// # Panics
/// When it does not start.
pub fn start(spec: SystemSpec) -> System {
    let clock = Clock::scaled(1.0, UNIX_EPOCH + WALL);
    System::in_memory(spec, clock).expect("the system starts")
}

/// A system in memory with one node of each of these kinds.
///
/// # Panics
/// When it does not start.
pub fn system(kinds: &[Kind], seed: u64) -> System {
    system_of(nodes(kinds, seed), seed)
}

/// A system in memory with these nodes.
///
/// # Panics
/// When it does not start.
pub fn system_of(nodes: Vec<NodeSpec>, seed: u64) -> System {
    start(spec(nodes, seed))
}

/// Stops every agent, drained: whatever they saw is then wherever it can be.
///
/// # Panics
/// When one fails.
pub async fn stop_agents(system: &mut System) {
    for node in system.cluster().nodes().to_vec() {
        let stopped = system.stop_agent(&node.spec().name).await;
        stopped.expect("the agent stops");
    }
}

/// Starts every agent again.
///
/// # Panics
/// When one runs.
pub fn start_agents(system: &mut System) {
    for node in system.cluster().nodes().to_vec() {
        let started = system.start_agent(&node.spec().name);
        started.expect("the agent starts");
    }
}

/// Lets so many minutes of the system's time pass.
pub async fn minutes(system: &System, minutes: u64) {
    seconds(system, 60 * minutes).await;
}

/// Lets so many seconds of the system's time pass.
pub async fn seconds(system: &System, seconds: u64) {
    system.clock().sleep(Duration::from_secs(seconds)).await;
}
