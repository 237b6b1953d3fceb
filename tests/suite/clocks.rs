//! Wall clocks that are stepped or wrong: durations, gaps, flips and the gap that runs are measured on clocks that nobody sets.

use std::time::Duration;

use nodegrace_aggregator::StoreConfig;
use nodegrace_proto::v1;
use nodegrace_sim::System;
use nodegrace_sim_cluster::kubelet::{Effect, Kind};
use nodegrace_tests::{
    quantile::{as_seconds, assert_quantiles},
    question,
    virtual_time::{minutes, nodes, seconds, spec, start, stop_agents, system},
};
use tempfile::TempDir;

/// How far an event may travel until the agent has it, in seconds.
const TRAVEL: f64 = 0.05;

/// Asserts that the gaps and flips of a node are those that an ideal controller saw.
async fn assert_as_posted(system: &System, node: &str) {
    let truth = system.cluster().ledger().gaps(node);
    let longest = truth.iter().max().expect("there are gaps").as_secs_f64();
    let known = question::node(system.queries(), node).await;
    let gap = known.gap.expect("gaps were measured");
    assert_eq!(gap.count, truth.len() as u64, "{node}");
    assert_quantiles(&gap, truth);
    let answered = as_seconds(gap.max.expect("gaps were measured"));
    assert!(
        (answered - longest).abs() < TRAVEL,
        "{node}: {answered} s, in truth {longest} s"
    );
    let flips = system.cluster().flips();
    let flips = flips.iter().filter(|flip| flip.node == node).count();
    assert_eq!(known.flips_seen, flips as u64, "{node}");
}

/// Stops the kubelet of a node for a minute and asserts that the gap that then runs is told as long as it is.
async fn assert_running_gap(system: &System, node: &str) {
    let stopped = system.cluster().node(node).expect("it is there");
    stopped.inject(Effect::Stopped, Duration::from_secs(60));
    seconds(system, 30).await;
    let posted = system.cluster().ledger().of(node);
    let last = posted.iter().rev().find(|posted| posted.credited);
    let truth = (system.clock().now() - last.expect("it posted").at).as_secs_f64();
    let known = question::node(system.queries(), node).await;
    let running = known.running_gap.expect("a gap runs");
    let answered = as_seconds(running.duration.expect("it has a length"));
    assert!(
        (answered - truth).abs() < TRAVEL,
        "{node}: {answered} s, in truth {truth} s"
    );
    minutes(system, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_clock_that_is_stepped_both_ways_makes_no_gap_longer_or_shorter() {
    let system = system(&[Kind::Healthy, Kind::Overloaded], 1);
    minutes(&system, 10).await;
    for step in [25.0, -15.0, 7200.0, -600.0] {
        for node in system.cluster().nodes() {
            node.inject(Effect::ClockStep(step), Duration::from_secs(1));
        }
        minutes(&system, 8).await;
        assert_running_gap(&system, "node-0").await;
    }
    for node in ["node-0", "node-1"] {
        assert_as_posted(&system, node).await;
    }
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_clock_is_an_hour_off_is_measured_like_any_other() {
    let system = system(&[Kind::Healthy, Kind::RestartedKubelet], 2);
    for node in system.cluster().nodes() {
        node.machine_clock().step_wall(3600.0);
    }
    minutes(&system, 30).await;
    for node in ["node-0", "node-1"] {
        assert_running_gap(&system, node).await;
        assert_as_posted(&system, node).await;
        let known = question::node(system.queries(), node).await;
        let lease = question::channel(&known, v1::Channel::Lease);
        // Stamp and arrival are by the same clock, whatever it shows.
        let delay = lease.delivery_delay.as_ref().and_then(|delay| delay.p50);
        let delay = as_seconds(delay.expect("heartbeats were delivered"));
        assert!(delay < 1.0, "{node}: {delay} s from stamp to arrival");
    }
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_whose_clock_is_stepped_agrees_with_one_whose_clock_is_right() {
    let directory = TempDir::new().expect("a directory");
    let mut spec = spec(nodes(&[Kind::Healthy, Kind::Overloaded], 3), 3);
    spec.aggregators.push(spec.aggregators[0].clone());
    spec.aggregators[1].store = Some(StoreConfig::new(directory.path()));
    let mut system = start(spec);
    for step in [7200.0, -10_800.0, 3600.0] {
        minutes(&system, 8).await;
        system.aggregator_clock(1).step_wall(step);
        minutes(&system, 2).await;
        // Moments of one run and the next are put together by the wall clock, which was stepped within the run.
        system.crash_aggregator(1).await;
        system.start_aggregator(1).expect("it starts again");
        minutes(&system, 2).await;
    }
    let (right, stepped) = (system.queries_to(0), system.queries_to(1));
    for name in ["node-0", "node-1"] {
        let right = question::node(right.clone(), name).await;
        let stepped = question::node(stepped.clone(), name).await;
        assert_eq!(right.running_gap, stepped.running_gap);
        assert_eq!(report_age(&right), report_age(&stepped));
        assert_eq!(question::lasting(right), question::lasting(stepped));
        assert_as_posted(&system, name).await;
    }
    stop_agents(&mut system).await;
    system.stop().await.expect("everything stops");
}

/// Age of the last report in whole seconds.
fn report_age(node: &v1::Node) -> i64 {
    let observation = node.observation.as_ref().expect("it is always there");
    observation.report_age.expect("it reported").seconds
}
