//! History on disk: what an aggregator answers after it was stopped, killed, refused or kept from writing.

use std::path::Path;

use nodegrace_aggregator::{Aggregator, Config, StoreConfig};
use nodegrace_clock::Clock;
use nodegrace_proto::v1;
use rusqlite::Connection;

use crate::kit::{Agent, World, seconds};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn connection(directory: &Path) -> Connection {
    Connection::open(directory.join("history.db")).expect("a database")
}

/// Everything that is answered about every node, without what only an open stream tells.
async fn answers(world: &World) -> (Vec<v1::Node>, Vec<v1::Gap>, v1::Fleet) {
    let request = v1::ListNodesRequest {
        view: v1::NodeView::Full.into(),
        order_by: "name".to_owned(),
        ..v1::ListNodesRequest::default()
    };
    let nodes = world.query().list_nodes(request).await.expect("nodes");
    let mut nodes = nodes.into_inner().nodes;
    for node in &mut nodes {
        let observation = node.observation.as_mut().expect("an observation");
        observation.connected = false;
        // Of the node that is connected the state says so; without a stream it says that.
        (node.state, node.state_reason) = (0, String::new());
        // Without a stream nobody knows whether the gap still runs.
        node.running_gap = None;
    }
    let mut fleet = world.fleet().await;
    fleet.states.clear();
    fleet.connected_agents = 0;
    let history = fleet.history.as_mut().expect("a history");
    // These are about the run, not about what it knows.
    (history.start_time, history.node_history_bytes) = (None, 0);
    (nodes, world.gaps().await, fleet)
}

/// Three nodes with usual and long gaps, a flip, a large sample and a record that makes no sense.
async fn lively(world: &World) -> Vec<Agent> {
    let mut agents = Vec::new();
    for number in 0..3 {
        let mut agent = world.agent(&format!("node-{number}")).await;
        agent.beats(5, seconds(10)).await;
        agent.beats(3, seconds(20 + 15 * number)).await;
        let flip = agent.ready(v1::ConditionStatus::Unknown);
        agent.send(flip).await.expect("an ack");
        agent.beats(2, seconds(10)).await;
        let sample = agent.large_sample();
        agent.send(sample).await.expect("an ack");
        let mut nonsense = agent.beat();
        nonsense.heartbeats[0].channel = 0;
        agent.send(nonsense).await.expect("an ack");
        agents.push(agent);
    }
    agents
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_there_again_though_fewer_nodes_may_be_known_now() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    for number in 0..3 {
        let mut agent = world.agent(&format!("node-{number}")).await;
        agent.beats(2, seconds(1)).await;
    }
    let mut config = World::durable(directory.path());
    config.limits.nodes = 2;
    let world = world.crash_into(config).await;
    for number in 0..3 {
        assert_eq!(
            world.node(&format!("node-{number}")).await.name,
            format!("node-{number}")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_answers_are_the_same_to_the_digit() {
    let directory = directory();
    let mut world = World::on_disk(directory.path());
    let mut agents = lively(&world).await;
    // From the log alone, then from snapshots and the log, then from snapshots.
    for pause in [0, 90, 0] {
        world.pass(seconds(pause)).await;
        for agent in &mut agents {
            agent.beats(2, seconds(7)).await;
        }
        let before = answers(&world).await;
        world = world.restart(directory.path()).await;
        assert_eq!(answers(&world).await, before, "stopped in peace");
        world = world.crash(directory.path()).await;
        assert_eq!(answers(&world).await, before, "killed");
        let mut back = Vec::new();
        for agent in agents {
            back.push(agent.reconnect(&world).await);
        }
        agents = back;
    }
    let history = world.fleet().await.history.expect("a history");
    assert!(history.durable && history.complete_since_time.is_some());
    assert_eq!(
        (history.rejected_records, history.forgotten_records),
        (3, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn snapshots_take_the_place_of_the_log() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    let mut agents = lively(&world).await;
    let count = |query: &str| -> i64 {
        let count = connection(directory.path()).query_row(query, [], |row| row.get(0));
        count.expect("a count")
    };
    world.pass(seconds(120)).await;
    assert_eq!(count("SELECT count(*) FROM log"), 0);
    assert_eq!(count("SELECT count(*) FROM node"), 3);
    assert_eq!(count("SELECT sum(heartbeats) FROM node"), 30);
    let batch = agents[0].beat();
    agents[0].send(batch).await.expect("an ack");
    assert_eq!(
        count("SELECT count(*) FROM log"),
        1,
        "acknowledged is on disk"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_known_again_when_it_is_sent_again() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    let mut sent = Vec::new();
    for _ in 0..10 {
        world.pass(seconds(10)).await;
        let batch = agent.beat();
        let ack = agent.send(batch.clone()).await.expect("an ack");
        assert!(ack.durable);
        sent.push(batch);
    }
    let world = world.crash(directory.path()).await;
    let mut agent = agent.reconnect(&world).await;
    for batch in sent {
        let ack = agent.send(batch).await.expect("an ack");
        assert!(ack.durable);
    }
    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 10);
    assert_eq!(
        node.observation.expect("an observation").duplicate_records,
        10
    );
    assert_eq!(node.gap.expect("gaps").count, 9);
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_moment_loses_nothing_acknowledged_and_counts_nothing_twice() {
    let directory = directory();
    let mut world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    let (mut unacknowledged, mut acknowledged) = (Vec::<v1::ReportBatch>::new(), 0);
    for round in 0..40_u64 {
        for _ in 0..5 {
            world.pass(seconds(10)).await;
            let batch = agent.beat();
            unacknowledged.push(batch.clone());
            agent.post(batch).await;
        }
        // More and more of them are on their way, in the queue, or on disk and not acknowledged.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        for _ in 0..round % 6 {
            acknowledged = agent.ack().await.expect("an ack").sequence_number;
        }
        world = world.crash(directory.path()).await;
        let request = v1::GetNodeRequest {
            name: "node-1".to_owned(),
        };
        let mut query = world.query();
        let kept = query
            .get_node(request)
            .await
            .map_or(0, |node| node.into_inner().channels[0].heartbeats);
        assert!(
            kept >= acknowledged,
            "round {round}: {kept} of {acknowledged}"
        );
        agent = agent.reconnect(&world).await;
        unacknowledged.retain(|batch| batch.first_sequence_number > acknowledged);
        for batch in std::mem::take(&mut unacknowledged) {
            acknowledged = agent.send(batch).await.expect("an ack").sequence_number;
        }
    }
    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 200);
    assert_eq!(node.gap.expect("gaps").count, 199);
    assert_eq!(
        node.observation.expect("an observation").forgotten_records,
        0
    );
}

#[tokio::test(start_paused = true)]
async fn while_nothing_can_be_written_nothing_is_acknowledged_and_questions_are_answered() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    agent.beats(3, seconds(10)).await;
    let other = connection(directory.path());
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");

    let batch = agent.beat();
    agent.post(batch).await;
    world.pass(seconds(2)).await;
    assert_eq!(world.node("node-1").await.channels[0].heartbeats, 3);
    let history = world.fleet().await.history.expect("a history");
    assert!(
        history.store_error.contains("locked"),
        "{}",
        history.store_error
    );
    assert!(history.store_failures > 0);

    other.execute_batch("ROLLBACK").expect("no lock");
    assert_eq!(agent.ack().await.expect("an ack").sequence_number, 4);
    assert_eq!(world.node("node-1").await.channels[0].heartbeats, 4);
    let history = world.fleet().await.history.expect("a history");
    assert_eq!(history.store_error, "");
}

#[tokio::test(start_paused = true)]
async fn long_gaps_and_flips_are_rows_that_people_can_read() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    let _agents = lively(&world).await;
    world.pass(seconds(2)).await;
    let connection = connection(directory.path());
    let gaps: Vec<(String, f64)> = connection
        .prepare("SELECT node, seconds FROM gaps WHERE node = 'node-2' ORDER BY ended")
        .and_then(|mut query| {
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
        .expect("gaps");
    assert_eq!(gaps.len(), 3);
    assert!(
        gaps.iter()
            .all(|(node, seconds)| node == "node-2" && (seconds - 50.0).abs() < 0.01)
    );
    let flips: i64 = connection
        .query_row("SELECT count(*) FROM flips", [], |row| row.get(0))
        .expect("flips");
    assert_eq!(flips, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_goes_in_small_steps() {
    let directory = directory();
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").retain_for = seconds(300);
    let world = World::with(config);
    let _agents = lively(&world).await;
    let rows = || -> i64 {
        let count = connection(directory.path())
            .query_row("SELECT count(*) FROM gap", [], |row| row.get(0));
        count.expect("a count")
    };
    world.pass(seconds(2)).await;
    assert!(rows() > 0);
    world.pass(seconds(420)).await;
    assert_eq!(rows(), 0);
    assert!(
        !world.gaps().await.is_empty(),
        "the fleet's own are not affected"
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_aggregators_wall_clock_changes_no_duration() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    agent.beats(5, seconds(10)).await;
    world.clock.step_wall(7200.0);
    world.pass(seconds(5)).await;
    let observation = world
        .node("node-1")
        .await
        .observation
        .expect("an observation");
    let age = observation.report_age.expect("a report");
    assert_eq!(age.seconds, 5);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_of_the_agent_left_behind_joins_its_history() {
    let directory = directory();
    let world = World::on_disk(directory.path());
    let mut old = world.agent("node-1").await;
    for _ in 0..3 {
        world.pass(seconds(10)).await;
        let batch = v1::ReportBatch {
            replay: true,
            channel_views: Vec::new(),
            ..old.beat()
        };
        old.send(batch).await.expect("an ack");
    }
    let world = world.crash(directory.path()).await;
    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 3);
    let observation = node.observation.expect("an observation");
    assert_eq!(
        (observation.connected, observation.report_age),
        (false, None)
    );

    let mut young = world.agent("node-1").await;
    young.beats(1, seconds(10)).await;
    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 4);
    assert!(node.observation.expect("an observation").connected);
}

#[tokio::test(start_paused = true)]
async fn a_data_directory_that_cannot_be_used_is_refused_with_a_reason() {
    let refusal = |directory: &Path| {
        let config = Config {
            store: Some(StoreConfig::new(directory)),
            ..Config::default()
        };
        let refused = Aggregator::new(config, Clock::real()).expect_err("a refusal");
        format!("{:#}", anyhow::Error::from(refused))
    };
    let newer = directory();
    connection(newer.path())
        .pragma_update(None, "user_version", 99)
        .expect("a version");
    let reason = refusal(newer.path());
    assert!(
        reason.contains("written by a newer nodegrace: it has version 99"),
        "{reason}"
    );

    let used = directory();
    let _world = World::on_disk(used.path());
    let reason = refusal(used.path());
    assert!(reason.ends_with("another aggregator uses it"), "{reason}");

    let file = directory();
    let path = file.path().join("file");
    std::fs::write(&path, "no directory").expect("a file");
    let reason = refusal(&path);
    assert!(reason.contains("the directory cannot be used"), "{reason}");

    let other = directory();
    std::fs::write(
        other.path().join("history.db"),
        "no database at all, but long enough",
    )
    .expect("a file");
    let reason = refusal(other.path());
    assert!(reason.contains("the database cannot be read"), "{reason}");
}
