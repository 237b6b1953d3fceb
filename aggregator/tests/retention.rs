//! A database that is too large: its oldest rows go first, and no figure with them.

use std::{path::Path, time::Duration};

use nodegrace_aggregator::{Config, StoreConfig};
use rusqlite::Connection;

use crate::kit::{World, seconds};

/// Gaps in the database when it is found too large, and how many of them go in one turn of retention.
const GAPS: i64 = 800;
const AT_ONCE: i64 = 500;

/// Number of gaps in the database, and the first and last heartbeat that ended one, as stamps of the node.
fn gaps(directory: &Path) -> (i64, Option<i64>, Option<i64>) {
    let query = "SELECT count(*), min(end_ns), max(end_ns) FROM gap";
    Connection::open(directory.join("history.db"))
        .expect("a database")
        .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("a count")
}

/// A store of at most so many bytes, without single heartbeats: those would go first.
fn config(directory: &Path, max_bytes: u64) -> Config {
    let store = StoreConfig {
        max_bytes,
        retain_heartbeats: Duration::ZERO,
        ..StoreConfig::new(directory)
    };
    Config {
        store: Some(store),
        ..Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_goes_oldest_first_and_no_figure_goes_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::with(config(directory.path(), u64::MAX));
    let mut agent = world.agent("node-1").await;
    agent.beats(GAPS.unsigned_abs() + 1, seconds(30)).await;
    world.pass(seconds(90)).await;
    let (node, clock) = (world.node("node-1").await, world.clock.clone());
    let (count, first, last) = gaps(directory.path());
    assert_eq!(count, GAPS);
    world.stop().await.expect("a clean end");

    let world = World::start(config(directory.path(), 1), clock);
    world.pass(seconds(2)).await;
    let (count, oldest, newest) = gaps(directory.path());
    let period = 30_000_000_000;
    assert_eq!(count, GAPS - AT_ONCE);
    assert_eq!(oldest, first.map(|first| first + AT_ONCE * period));
    assert_eq!(newest, last);
    world.pass(seconds(120)).await;
    assert_eq!(gaps(directory.path()).0, 0);

    let after = world.node("node-1").await;
    assert_eq!((after.gap, after.channels), (node.gap, node.channels));
    assert_eq!(after.expected_flips, node.expected_flips);
    let longest = world.gaps().await;
    assert!(!longest.is_empty(), "the fleet keeps its own");
}
