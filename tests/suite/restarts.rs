//! An agent that is restarted: the gap that ran meanwhile is measured where that can be known, and marked where not.

use std::time::Duration;

use nodegrace_aggregator::StoreConfig;
use nodegrace_proto::v1;
use nodegrace_sim::System;
use nodegrace_sim_cluster::kubelet::{Effect, Kind};
use nodegrace_tests::{
    question,
    virtual_time::{minutes, nodes, seconds, spec, start},
};
use tempfile::TempDir;

const NODE: &str = "node-0";

/// A healthy node whose agent has its spool in `directory`, and an aggregator with its history there, after some minutes.
async fn system(directory: &TempDir) -> System {
    let mut spec = spec(nodes(&[Kind::Healthy], 1), 1);
    spec.spools = Some(directory.path().join("spools"));
    spec.aggregators[0].store = Some(StoreConfig::new(directory.path().join("history")));
    let system = start(spec);
    minutes(&system, 5).await;
    system
}

fn directory() -> TempDir {
    TempDir::new().expect("a directory")
}

/// Stops the kubelet for so many seconds from now on. What it posted just before has arrived when this returns.
async fn silence(system: &System, length: u64) {
    let node = system.cluster().node(NODE).expect("it is there");
    node.inject(Effect::Stopped, Duration::from_secs(length));
    seconds(system, 1).await;
}

/// What is known of the node, as numbers.
#[derive(Debug, PartialEq)]
struct Known {
    heartbeats: u64,
    gaps: u64,
    unmeasured: u64,
    /// In whole seconds.
    longest: i64,
}

async fn known(system: &System) -> Known {
    let node = question::node(system.queries(), NODE).await;
    let gap = node.gap.expect("gaps were measured");
    let observation = node.observation.expect("it is always there");
    Known {
        heartbeats: node.channels.iter().map(heartbeats).sum(),
        gaps: gap.count,
        unmeasured: observation.unmeasured_gaps,
        longest: gap.max.expect("gaps were measured").seconds,
    }
}

const fn heartbeats(channel: &v1::ChannelFigures) -> u64 {
    channel.heartbeats
}

/// Heartbeats that the API server took.
fn posted(system: &System) -> u64 {
    let posted = system.cluster().ledger().of(NODE);
    posted.iter().filter(|posted| posted.credited).count() as u64
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_an_agent_did_not_see_whole_is_measured_when_nothing_came_meanwhile() {
    let directory = directory();
    let mut system = system(&directory).await;
    let before = known(&system).await;
    for crash in [true, false] {
        let length = if crash { 25 } else { 35 };
        silence(&system, length).await;
        if crash {
            system.crash_agent(NODE).await.expect("it was there");
        } else {
            system.stop_agent(NODE).await.expect("it stops");
        }
        seconds(&system, 8).await;
        system.start_agent(NODE).expect("it starts again");
        minutes(&system, 2).await;

        let after = known(&system).await;
        assert_eq!(after.heartbeats, posted(&system));
        assert_eq!(after.unmeasured, before.unmeasured);
        let length = length.cast_signed();
        assert!((length..length + 11).contains(&after.longest), "{after:?}");
    }
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn a_gap_in_which_heartbeats_came_unseen_is_marked_and_not_measured() {
    let directory = directory();
    let mut system = system(&directory).await;
    let before = known(&system).await;
    system.crash_agent(NODE).await.expect("it was there");
    let (unseen, length) = (posted(&system), 45);
    seconds(&system, length).await;
    let unseen = posted(&system) - unseen;
    system.start_agent(NODE).expect("it starts again");
    minutes(&system, 2).await;

    let after = known(&system).await;
    assert!(unseen > 0);
    assert_eq!(after.heartbeats, posted(&system) - unseen);
    assert_eq!(after.unmeasured, before.unmeasured + 1);
    assert_eq!(after.longest, before.longest, "the agent's own silence");
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_measured_from_the_spool_when_only_that_knows_where_it_began() {
    let directory = directory();
    let mut system = system(&directory).await;
    let before = known(&system).await;
    system.crash_aggregator(0).await;
    minutes(&system, 2).await;
    silence(&system, 30).await;
    system.crash_agent(NODE).await.expect("it was there");
    seconds(&system, 10).await;
    system.start_agent(NODE).expect("it starts again");
    minutes(&system, 1).await;
    system.start_aggregator(0).expect("it starts again");
    minutes(&system, 2).await;

    let after = known(&system).await;
    assert_eq!(after.heartbeats, posted(&system));
    assert_eq!(after.unmeasured, before.unmeasured);
    assert!((30..41).contains(&after.longest), "{after:?}");
    system.stop().await.expect("everything stops");
}
