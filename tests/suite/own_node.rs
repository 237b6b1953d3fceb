//! Agents that read the API server as their own nodes: they may read nothing else, and what they poll tells the same as what
//! others watch, as exactly as they say.

use std::time::Duration;

use nodegrace_proto::v1::{self, BlindReason, Visibility};
use nodegrace_sim::{System, system::own_node};
use nodegrace_sim_cluster::kubelet::{Channel, Kind};
use nodegrace_tests::{
    quantile::{as_seconds, assert_quantiles},
    question,
    virtual_time::{minutes, nodes, seconds, spec, start},
};

const KINDS: [Kind; 4] = [
    Kind::Healthy,
    Kind::Overloaded,
    Kind::CpuStarved,
    Kind::RestartedKubelet,
];

/// How far a gap may be off: both of its ends were seen by polls that are no more than 2.2 s apart.
const UNCERTAIN_S: f64 = 2.3;

fn system(kinds: &[Kind], seed: u64) -> System {
    let mut spec = spec(nodes(kinds, seed), seed);
    spec.own_node = true;
    start(spec)
}

fn view(node: &v1::Node, channel: v1::Channel) -> v1::ChannelView {
    let view = question::channel(node, channel).view.clone();
    view.expect("the agent tells what it sees")
}

#[tokio::test(start_paused = true)]
async fn schedules_come_back_as_they_were_and_gaps_within_what_polls_leave_open() {
    let system = system(&KINDS, 1);
    minutes(&system, 20).await;
    // The last renewals are seen by the next polls, and reported.
    seconds(&system, 3).await;
    for node in system.cluster().nodes() {
        let name = &node.spec().name;
        let answer = question::node(system.queries(), name).await;
        let posted = system.cluster().ledger().credited(name, Channel::Lease);
        let figures = question::channel(&answer, v1::Channel::Lease);
        let heartbeats = figures.heartbeats;
        let truth = posted.len() as u64;
        assert!(
            (truth.saturating_sub(1)..=truth).contains(&heartbeats),
            "{name}: {heartbeats} of {truth}"
        );
        let periods: Vec<Duration> = posted
            .windows(2)
            .filter_map(|pair| pair[1].stamp.duration_since(pair[0].stamp).ok())
            .collect();
        if periods.len() >= 100 {
            assert_quantiles(&figures.period.unwrap_or_default(), periods);
        }
        let longest = system.cluster().ledger().gaps(name).into_iter().max();
        let longest = longest.expect("there are gaps").as_secs_f64();
        let told = as_seconds(
            answer
                .gap
                .expect("gaps were measured")
                .max
                .expect("one is the longest"),
        );
        assert!(
            (told - longest).abs() < UNCERTAIN_S,
            "{name}: {told} for {longest}"
        );
    }
    assert_asked_as_own_node(&system);
    system.stop().await.expect("everything stops");
}

/// Every request of an agent was in the name of its own node, for that node, and was let through.
fn assert_asked_as_own_node(system: &System) {
    let log = system.cluster().server().request_log();
    let of_agents: Vec<_> = log
        .iter()
        .filter(|one| one.user == own_node::AGENT)
        .collect();
    assert!(of_agents.len() > 1000, "{}", of_agents.len());
    for request in of_agents {
        let node = request.impersonated.as_deref().unwrap_or_default();
        let node = node.strip_prefix("system:node:").unwrap_or("nobody");
        // Some kubelets have no Lease.
        let answered = request.code < 300 || request.code == 404;
        assert!(request.path.contains(node) && answered, "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_node_and_a_server_that_is_too_old_are_told_with_the_servers_words() {
    let system = system(&[Kind::Healthy, Kind::Healthy], 2);
    let server = system.cluster().server();
    minutes(&system, 2).await;
    // From now on the agent of node-0 shows a token that was made for node-1.
    let stolen = own_node::account("node-1");
    let access = own_node::access(system.cluster());
    server.set_access(access.with_account(&own_node::token("node-0"), stolen));
    server.cut_connections();
    minutes(&system, 1).await;
    let refused = question::node(system.queries(), "node-0").await;
    let words = "cannot impersonate-on:arbitrary-node:";
    assert_refused(&refused, words);
    let honest = question::node(system.queries(), "node-1").await;
    assert_eq!(
        view(&honest, v1::Channel::Lease).visibility(),
        Visibility::Observed
    );

    server.set_access(own_node::access(system.cluster()).not_constraining());
    server.cut_connections();
    minutes(&system, 1).await;
    let refused = question::node(system.queries(), "node-1").await;
    assert_refused(&refused, "cannot impersonate resource \"users\"");

    server.set_access(own_node::access(system.cluster()));
    minutes(&system, 1).await;
    for node in question::nodes(system.queries()).await {
        let seen = view(&node, v1::Channel::Lease).visibility();
        assert_eq!(seen, Visibility::Observed, "{}", node.name);
    }
    system.stop().await.expect("everything stops");
}

fn assert_refused(node: &v1::Node, words: &str) {
    for channel in [v1::Channel::Lease, v1::Channel::NodeStatus] {
        let view = view(node, channel);
        assert_eq!(view.visibility(), Visibility::Blind, "{view:?}");
        assert_eq!(view.reason(), BlindReason::Forbidden, "{view:?}");
        assert!(view.message.contains(words), "{}", view.message);
        assert!(
            view.message.contains("--impersonate-own-node"),
            "{}",
            view.message
        );
    }
}

/// What is told of the nodes after so many minutes, and the flips that the controller made.
async fn told_after(
    kinds: &[Kind],
    length: u64,
    seed: u64,
    own_node: bool,
) -> (Vec<v1::Node>, u64) {
    let mut spec = spec(nodes(kinds, seed), seed);
    spec.own_node = own_node;
    let system = start(spec);
    minutes(&system, length).await;
    let told = question::nodes(system.queries()).await;
    let flips = system.cluster().flips().len() as u64;
    system.stop().await.expect("everything stops");
    (told, flips)
}

fn expected(nodes: &[v1::Node]) -> f64 {
    let flips = nodes.iter().filter_map(|node| node.expected_flips.as_ref());
    flips.map(|flips| flips.expected).sum()
}

fn line(node: &v1::Node) -> String {
    let gap = node.gap.as_ref().expect("gaps were measured");
    let [p50, p99, max] = [gap.p50, gap.p99, gap.max].map(|gap| gap.map_or(f64::NAN, as_seconds));
    let (count, flips) = (gap.count, expected(std::slice::from_ref(node)));
    let unmeasured = node
        .observation
        .as_ref()
        .map_or(0, |seen| seen.unmeasured_gaps);
    format!(
        "{count} gaps ({unmeasured} unmeasured), p50 {p50:.2} p99 {p99:.2} max {max:.2}, {flips:.2} flips"
    )
}

fn asked(variable: &str, usual: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// The same clusters twice: as many as `NODEGRACE_SEEDS` says, each for `NODEGRACE_MINUTES`.
#[tokio::test(start_paused = true)]
async fn what_polls_predict_is_what_watches_predict() {
    let kinds = [Kind::CpuStarved, Kind::CpuStarved, Kind::FlakyConnection];
    let (mut by_watches, mut by_polls, mut flips) = (0.0, 0.0, 0);
    let length = asked("NODEGRACE_MINUTES", 30);
    for seed in 1..=asked("NODEGRACE_SEEDS", 1) {
        let (watches, made) = told_after(&kinds, length, seed, false).await;
        let (polls, again) = told_after(&kinds, length, seed, true).await;
        assert_eq!(made, again, "the controller does not care");
        for (watch, poll) in watches.iter().zip(&polls) {
            println!(
                "{} watched: {}\n{} polled:  {}",
                watch.name,
                line(watch),
                poll.name,
                line(poll)
            );
        }
        println!(
            "seed {seed}: {:.2} watched, {:.2} polled, {made} made",
            expected(&watches),
            expected(&polls)
        );
        by_watches += expected(&watches);
        by_polls += expected(&polls);
        flips += made;
    }
    println!("in all: {by_watches:.2} watched, {by_polls:.2} polled, {flips} made");
    // Polls add a second or so to some gaps and take it from others, and most flips come by gaps that are near the grace period.
    let off = (by_polls - by_watches).abs();
    assert!(off <= 0.7 + 0.2 * by_watches, "{by_polls} for {by_watches}");
}
