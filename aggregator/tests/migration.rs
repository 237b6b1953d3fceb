//! Databases of every version that was ever written open and answer as they did.

use rusqlite::Connection;

use crate::kit::{World, seconds};

/// Version 1: in a snapshot eight heartbeats 10 s apart, one after 30 s and a flip; in the log two more, after 130 s and 10 s.
const VERSION_1: &str = include_str!("data/history-1.sql");

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
