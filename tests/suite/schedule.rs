//! A kubelet's known schedule comes back from the aggregator: every heartbeat counted once, the periods as they were,
//! whatever happens to the API server, its watches and the aggregator meanwhile.

use std::time::Duration;

use nodegrace_proto::v1;
use nodegrace_sim::System;
use nodegrace_sim_cluster::kubelet::{Channel, Kind, Posted};
use nodegrace_tests::{
    quantile::assert_quantiles,
    question,
    virtual_time::{minutes, seconds, system},
};

/// Kinds whose heartbeats are frequent, rare, late, stalled, and stamped by a clock that is stepped.
const KINDS: [Kind; 5] = [
    Kind::Healthy,
    Kind::Overloaded,
    Kind::SlowRuntime,
    Kind::CpuStarved,
    Kind::RestartedKubelet,
];
const CHANNELS: [(Channel, v1::Channel); 2] = [
    (Channel::Lease, v1::Channel::Lease),
    (Channel::NodeStatus, v1::Channel::NodeStatus),
];

/// What the API server took from the kubelet of a node on one channel.
fn posted(system: &System, node: &str, channel: Channel) -> Vec<Posted> {
    system.cluster().ledger().credited(node, channel)
}

fn periods(posted: &[Posted]) -> Vec<Duration> {
    posted
        .windows(2)
        .filter_map(|pair| pair[1].stamp.duration_since(pair[0].stamp).ok())
        .collect()
}

/// Asserts that every node's heartbeats were counted once and its periods are those of its schedule.
async fn assert_schedules(system: &System) {
    for node in system.cluster().nodes() {
        let name = &node.spec().name;
        let answer = question::node(system.queries(), name).await;
        for (truth, channel) in CHANNELS {
            let posted = posted(system, name, truth);
            let figures = question::channel(&answer, channel);
            assert_eq!(
                figures.heartbeats,
                posted.len() as u64,
                "{name} {channel:?}"
            );
            let period = figures.period.unwrap_or_default();
            let truth = periods(&posted);
            if truth.len() >= 100 {
                assert_quantiles(&period, truth);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_comes_back_as_it_was() {
    let system = system(&KINDS, 1);
    minutes(&system, 60).await;
    seconds(&system, 1).await;
    assert_schedules(&system).await;
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn a_relist_an_expired_watch_and_a_restarted_api_server_lose_no_heartbeat_and_invent_none() {
    let system = system(&KINDS, 2);
    let server = system.cluster().server();
    minutes(&system, 20).await;
    server.cut_connections();
    minutes(&system, 10).await;
    server.store().expire_watches();
    minutes(&system, 10).await;
    server.stop().await;
    seconds(&system, 3).await;
    server.start().await.expect("the API server starts again");
    minutes(&system, 20).await;
    assert_schedules(&system).await;
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_that_forgot_gets_what_is_still_held_and_counts_it_once() {
    let mut system = system(&KINDS, 3);
    minutes(&system, 20).await;
    let mut before = Vec::new();
    for node in system.cluster().nodes() {
        before.push(question::node(system.queries(), &node.spec().name).await);
    }
    system.crash_aggregator(0).await;
    seconds(&system, 30).await;
    system
        .start_aggregator(0)
        .expect("the aggregator starts again");
    minutes(&system, 20).await;
    for before in before {
        let after = question::node(system.queries(), &before.name).await;
        let observation = after.observation.expect("it is always there");
        for (truth, channel) in CHANNELS {
            let kept = question::channel(&after, channel).heartbeats;
            let forgotten = question::channel(&before, channel).heartbeats;
            let posted = posted(&system, &before.name, truth).len() as u64;
            // The agent sends again what its spool still holds of what the one before it had.
            let name = &before.name;
            assert!(
                (posted - forgotten..=posted).contains(&kept),
                "{name} {channel:?}: {kept}"
            );
            if observation.forgotten_records == 0 {
                assert_eq!(kept, posted, "{name} {channel:?}");
            }
        }
    }
    let history = question::fleet(system.queries())
        .await
        .history
        .expect("it is always there");
    assert!(!history.durable);
    system.stop().await.expect("everything stops");
}
