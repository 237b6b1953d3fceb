//! Databases of every version that was ever written open and answer as they did.

use rusqlite::Connection;

use crate::kit::{World, seconds};

/// Version 1: in a snapshot eight heartbeats 10 s apart, one after 30 s and a flip; in the log two more, after 130 s and 10 s.
const VERSION_1: &str = include_str!("data/history-1.sql");

/// What leads from version 1 to version 5.
const STEPS_TO_5: [&str; 4] = [
    include_str!("../src/store/schema/2.sql"),
    include_str!("../src/store/schema/3.sql"),
    include_str!("../src/store/schema/4.sql"),
    include_str!("../src/store/schema/5.sql"),
];

/// The first of the two heartbeats in the log, which became a row before the second did; and one of another run, long ago.
const HEARTBEATS_OF_5: &str = "
INSERT INTO agent VALUES (1, 'node-1', 'an earlier boot', 7), (2, 'node-1', 'boot of node-1', 3600000000000);
INSERT INTO heartbeat VALUES
    (40, 1, 3, 1, 0, 0, 0, 0, 0, '3', 1800000000000000000),
    (41, 2, 11, 1, 0, 0, 0, 0, 0, '11', 1800000240000000000);
PRAGMA user_version = 5;";

#[tokio::test(start_paused = true)]
async fn version_1_is_brought_up_to_date_and_answers_as_it_did() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = Connection::open(directory.path().join("history.db")).expect("a database");
    database.execute_batch(VERSION_1).expect("version 1");
    drop(database);

    let world = World::on_disk(directory.path());
    let node = world.node("node-1").await;
    assert_eq!(node.channels[0].heartbeats, 11);
    assert_eq!(node.flips_seen, 1);
    let gap = node.gap.expect("gaps");
    assert_eq!(gap.count, 10);
    assert_eq!(world.gaps().await.len(), 2);
    // Later than the agent that reported then.
    world.pass(seconds(1000)).await;
    let mut agent = world.agent("node-1").await;
    agent.beats(1, seconds(10)).await;
    assert_eq!(world.node("node-1").await.channels[0].heartbeats, 12);
}

#[tokio::test(start_paused = true)]
async fn a_log_of_version_5_is_taken_over_and_each_heartbeat_of_it_is_one_row() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("history.db");
    let database = Connection::open(&file).expect("a database");
    database.execute_batch(VERSION_1).expect("version 1");
    for step in STEPS_TO_5 {
        database.execute_batch(step).expect("version 5");
    }
    database.execute_batch(HEARTBEATS_OF_5).expect("version 5");
    drop(database);

    let count = |query: &str| -> i64 {
        let database = Connection::open(&file).expect("a database");
        let count = database.query_row(query, [], |row| row.get(0));
        count.expect("a count")
    };
    let rows = "SELECT count(*) FROM heartbeats WHERE resource_version IN ('3', '11', '12')";
    let different = "SELECT count(DISTINCT resource_version) FROM heartbeats";
    let mut world = World::on_disk(directory.path());
    for _ in 0..3 {
        assert_eq!(world.node("node-1").await.channels[0].heartbeats, 11);
        world.pass(seconds(2)).await;
        assert_eq!((count(rows), count(different)), (3, 3));
        world = world.crash(directory.path()).await;
    }
    world.pass(seconds(130)).await;
    assert_eq!(
        count("SELECT count(*) FROM log_5"),
        0,
        "a snapshot holds it"
    );
    // Later than the agent that reported then.
    world.pass(seconds(1000)).await;
    let mut agent = world.agent("node-1").await;
    agent.beats(1, seconds(10)).await;
    let world = world.crash(directory.path()).await;
    assert_eq!(world.node("node-1").await.channels[0].heartbeats, 12);
}
