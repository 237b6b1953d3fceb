//! Single heartbeats as rows of the database: each once, for as long as they are wanted and there is room.

use std::path::Path;

use rusqlite::Connection;

use crate::kit::{World, seconds};

fn count(directory: &Path, query: &str) -> i64 {
    let connection = Connection::open(directory.join("history.db")).expect("a database");
    connection
        .query_row(query, [], |row| row.get(0))
        .expect("a count")
}

fn rows(directory: &Path) -> i64 {
    count(directory, "SELECT count(*) FROM heartbeat")
}

#[tokio::test(start_paused = true)]
async fn each_counted_heartbeat_is_one_row_whatever_is_sent_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::on_disk(directory.path());
    let mut agent = world.agent("node-1").await;
    agent.beats(5, seconds(10)).await;
    let again = agent.beat();
    agent.send(again.clone()).await.expect("an ack");
    agent.send(again).await.expect("an ack");
    let world = world.crash(directory.path()).await;
    // What came of the log is written with the first transaction.
    world.pass(seconds(2)).await;
    let mut agent = agent.reconnect(&world).await;
    agent.beats(3, seconds(10)).await;
    world.pass(seconds(2)).await;

    let counted = world.node("node-1").await.channels[0].heartbeats;
    let query = "SELECT count(*) FROM heartbeats WHERE node = 'node-1' AND channel = 'LEASE' AND NOT baseline";
    assert_eq!(
        count(directory.path(), query),
        i64::try_from(counted).expect("few")
    );
    let distinct = "SELECT count(DISTINCT resource_version) FROM heartbeats WHERE NOT baseline";
    assert_eq!(count(directory.path(), distinct), 9);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_go_as_new_ones_come() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").retain_heartbeats = seconds(60);
    let world = World::with(config);
    let mut agent = world.agent("node-1").await;
    agent.beats(40, seconds(10)).await;
    world.pass(seconds(2)).await;
    let kept = rows(directory.path());
    assert!((5..=8).contains(&kept), "{kept}");
    world.pass(seconds(180)).await;
    let left = count(
        directory.path(),
        "SELECT (SELECT count(*) FROM heartbeat) + (SELECT count(*) FROM agent)",
    );
    assert_eq!(left, 0, "of a node that fell silent too");
}

#[tokio::test(start_paused = true)]
async fn runs_of_an_agent_go_with_the_last_of_their_heartbeats_while_other_runs_go_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").retain_heartbeats = seconds(60);
    let world = World::with(config);
    let mut other = world.agent("node-2").await;
    for _ in 0..20 {
        let mut agent = world.agent("node-1").await;
        agent.beats(3, seconds(10)).await;
        drop(agent);
        other.beats(1, seconds(10)).await;
        world.pass(seconds(10)).await;
    }
    world.pass(seconds(62)).await;
    other.beats(6, seconds(10)).await;
    world.pass(seconds(62)).await;
    let runs = |node: &str| {
        let query = format!("SELECT count(*) FROM agent WHERE node = '{node}'");
        count(directory.path(), &query)
    };
    assert!(runs("node-1") <= 2, "{}", runs("node-1"));
    assert_eq!(runs("node-2"), 1);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_room_they_go_before_any_gap() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").max_bytes = 1;
    let world = World::with(config);
    let mut agent = world.agent("node-1").await;
    // The first retention, at the start, finds too much already.
    agent.beats(3, seconds(100)).await;
    agent.beats(10, seconds(2)).await;
    let gaps = || count(directory.path(), "SELECT count(*) FROM gap");
    assert!(gaps() > 0 && rows(directory.path()) < 3);
    world.pass(seconds(130)).await;
    assert_eq!((rows(directory.path()), gaps()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_wants_none_has_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").retain_heartbeats = seconds(0);
    let world = World::with(config);
    let mut agent = world.agent("node-1").await;
    agent.beats(5, seconds(10)).await;
    world.pass(seconds(2)).await;
    assert_eq!(rows(directory.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_aggregators_clock_neither_stops_retention_nor_overdoes_it() {
    const DAYS: f64 = 86_400.0;
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").retain_heartbeats = seconds(600);
    let world = World::with(config);
    let mut agent = world.agent("node-1").await;
    agent.beats(20, seconds(30)).await;
    let gaps = count(directory.path(), "SELECT count(*) FROM gap");
    assert!(gaps > 10);
    for step in [100.0 * DAYS, -100.0 * DAYS] {
        world.clock.step_wall(step);
        agent.beats(40, seconds(30)).await;
        world.pass(seconds(2)).await;
        let kept = rows(directory.path());
        assert!((18..=24).contains(&kept), "{kept} rows of 10 minutes");
    }
    let left = count(directory.path(), "SELECT count(*) FROM gap");
    assert!(left >= gaps + 80, "{left} gaps of less than an hour");
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_not_wanted_any_more_are_gone_within_a_few_commits() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = World::durable(directory.path());
    config.store.as_mut().expect("a store").retain_heartbeats = seconds(1 << 20);
    let world = World::with(config.clone());
    let mut agent = world.agent("node-1").await;
    agent.beats(1200, seconds(10)).await;
    world.pass(seconds(2)).await;
    assert_eq!(rows(directory.path()), 1200);
    let clock = world.clock.clone();
    world.stop().await.expect("a clean end");

    config.store.as_mut().expect("a store").retain_heartbeats = seconds(0);
    let world = World::start(config, clock);
    let mut agent = agent.reconnect(&world).await;
    agent.beats(5, seconds(1)).await;
    assert_eq!(rows(directory.path()), 0);
}
