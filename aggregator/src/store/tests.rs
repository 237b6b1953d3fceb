//! A kill at every point at which the database is written: what a copy of its files at that point holds is what a kill there
//! would have left.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use nodegrace_core::{WallTime, cluster::ClusterBounds};
use nodegrace_proto::{
    prost_types,
    store::v1::{LoggedBatch, LoggedBatches},
    v1,
};
use prost::Message as _;

use super::{
    Database,
    heartbeats::Candidates,
    log, restore,
    row::{Events, State, Work, logged},
    snapshot,
};
use crate::{
    Config, StoreConfig,
    cluster::ClusterState,
    ingest,
    register::Register,
    timeline::{Mark, Timeline},
};

const NODES: u64 = 3;
const BEATS: u64 = 8;

/// The node whose agent is blind for most of each long gap.
const CUT_OFF: u64 = 1;

/// The batch of a node's heartbeat of this number: every third one follows a long gap.
fn wire(node: u64, number: u64) -> Vec<u8> {
    let at = number * 10 + number / 3 * 20;
    let seconds = |seconds: u64| prost_types::Duration {
        seconds: seconds.cast_signed(),
        nanos: 0,
    };
    let since_boot = seconds(at);
    let blind = node == CUT_OFF && number.is_multiple_of(3);
    let spells_before = if node == CUT_OFF { (number - 1) / 3 } else { 0 };
    let first = number + spells_before;
    let spell = v1::BlindSpell {
        sequence_number: first,
        channel: v1::Channel::Lease.into(),
        start_monotonic: Some(seconds(at.saturating_sub(25))),
        end_monotonic: Some(since_boot),
        reason: v1::BlindReason::Connection.into(),
        resumed: true,
        ..v1::BlindSpell::default()
    };
    let time = prost_types::Timestamp {
        seconds: at.cast_signed(),
        nanos: 0,
    };
    v1::ReportBatch {
        node_name: format!("node-{node}"),
        agent: Some(v1::AgentInstance {
            boot_id: "boot".to_owned(),
            start_time: Some(prost_types::Timestamp::default()),
            start_monotonic: Some(prost_types::Duration::default()),
            version: String::new(),
        }),
        first_sequence_number: first,
        sent_monotonic: Some(since_boot),
        sent_time: Some(time),
        channel_views: [v1::Channel::Lease, v1::Channel::NodeStatus]
            .map(|channel| v1::ChannelView {
                channel: channel.into(),
                visibility: v1::Visibility::Observed.into(),
                ..v1::ChannelView::default()
            })
            .into(),
        blind_spells: blind.then_some(spell).into_iter().collect(),
        heartbeats: vec![v1::Heartbeat {
            sequence_number: first + u64::from(blind),
            channel: v1::Channel::Lease.into(),
            stamp_time: Some(time),
            arrival_monotonic: Some(since_boot),
            arrival_time: Some(time),
            arrival_uncertainty: blind.then(|| seconds(7)),
            resource_version: number.to_string(),
            ..v1::Heartbeat::default()
        }],
        ..v1::ReportBatch::default()
    }
    .encode_to_vec()
}

fn batch(wire: &[u8], number: u64) -> crate::register::Batch {
    ingest::read_back(wire, number == 1, Duration::from_secs(number)).expect("a batch")
}

fn work(applied_row: i64) -> Work {
    let mark = Mark {
        moment: Duration::from_secs(1),
        wall: WallTime::from_unix_nanos(1),
    };
    Work {
        batches: Vec::new(),
        events: Events::default(),
        flips: Vec::new(),
        snapshots: Vec::new(),
        forgotten: Vec::new(),
        applied_row,
        log_from: None,
        state: State {
            last: mark,
            anchor: mark,
            rejected_records: 0,
            rejected_streams: 0,
            shed_samples: 0,
        },
        retain: true,
    }
}

/// A copy of the files as they were at a write point, and the heartbeats of each node acknowledged by then.
struct Kill {
    directory: PathBuf,
    acknowledged: u64,
}

/// Copies the database and its write-ahead log.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for file in ["history.db", "history.db-wal"] {
        if from.join(file).exists() {
            fs::copy(from.join(file), to.join(file)).expect("a copy");
        }
    }
}

/// Opens what a kill left, checks that it holds what was acknowledged, sends everything again and gives what is known then.
fn reopen(kill: &Kill) -> Vec<nodegrace_core::NodeSnapshot> {
    let database = Database::open(&StoreConfig::new(&kill.directory)).expect("it opens");
    let register = Register::new(&Config::default()).expect("valid");
    let timeline = Timeline::begin(nodegrace_clock::Clock::real());
    let cluster = ClusterState::new(
        ClusterBounds::default(),
        nodegrace_core::ControllerSettings::default(),
        false,
    );
    restore(&database, &register, &cluster, &timeline).expect("it restores");
    let mut known = Vec::new();
    for node in 0..NODES {
        let name = format!("node-{node}");
        let kept = register.node(&name, |known| known.history.heartbeats());
        assert!(
            kept.unwrap_or(0) >= kill.acknowledged,
            "{}: {kept:?} of {}",
            kill.directory.display(),
            kill.acknowledged
        );
        for number in 1..=BEATS {
            register.replay(batch(&wire(node, number), number));
        }
        let mut history = register
            .node(&name, |known| known.history.export())
            .expect("known");
        // How often something came again is the one thing that a kill changes.
        history.counters.duplicate_records = 0;
        known.push(history);
    }
    known
}

/// Opens what a kill left, writes what came of its log, and checks that each heartbeat that is known is one row.
fn tell(kill: &Kill) {
    let mut database = Database::open(&StoreConfig::new(&kill.directory)).expect("it opens");
    let register = Register::new(&Config::default()).expect("valid");
    let timeline = Timeline::begin(nodegrace_clock::Clock::real());
    let cluster = ClusterState::new(
        ClusterBounds::default(),
        nodegrace_core::ControllerSettings::default(),
        false,
    );
    let restored = restore(&database, &register, &cluster, &timeline).expect("it restores");
    let mut first = work(restored.last_row);
    first.events = restored.events;
    database.write(&first).expect("it writes");
    let known: u64 = (0..NODES)
        .filter_map(|node| {
            register.node(&format!("node-{node}"), |known| known.history.heartbeats())
        })
        .sum();
    let count = |query: &str| -> i64 {
        let count = database.connection.query_row(query, [], |row| row.get(0));
        count.expect("a count")
    };
    let (rows, different) = (
        count("SELECT count(*) FROM heartbeats"),
        count("SELECT count(*) FROM (SELECT DISTINCT node, sequence_number FROM heartbeats)"),
    );
    let place = kill.directory.display();
    assert_eq!((rows, different), (known.cast_signed(), rows), "{place}");
}

#[test]
fn a_kill_at_any_write_point_leaves_all_that_was_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (live, copies) = (
        directory.path().join("live"),
        directory.path().join("copies"),
    );
    let mut database = Database::open(&StoreConfig::new(&live)).expect("it opens");
    let register = Register::new(&Config::default()).expect("valid");
    let acknowledged = Arc::new(Mutex::new(0));
    let kills = Arc::new(Mutex::new(Vec::new()));
    let copy_now = {
        let (live, acknowledged, kills) =
            (live.clone(), Arc::clone(&acknowledged), Arc::clone(&kills));
        move || {
            let mut kills = kills.lock().expect("no panic");
            let directory = copies.join(kills.len().to_string());
            copy(&live, &directory);
            let acknowledged = *acknowledged.lock().expect("no panic");
            kills.push(Kill {
                directory,
                acknowledged,
            });
        }
    };
    // Every row written or deleted, and every commit before it happens.
    let point = copy_now.clone();
    database
        .connection
        .update_hook(Some(move |_, _: &str, _: &str, _| point()))
        .expect("a hook");
    let point = copy_now.clone();
    database
        .connection
        .commit_hook(Some(move || {
            point();
            false
        }))
        .expect("a hook");

    let (mut last_row, mut events) = (0, Events::default());
    for number in 1..=BEATS {
        let mut work = work(last_row);
        work.events = std::mem::take(&mut events);
        let (mut batches, mut rows) = (Vec::new(), Vec::new());
        for node in 0..NODES {
            let wire = wire(node, number);
            let batch = batch(&wire, number);
            rows.push(logged(&batch, wire));
            batches.push(batch);
        }
        // In one row or in two.
        let second = rows.split_off(rows.len() - usize::from(number % 3 == 0));
        work.batches = [rows, second].into_iter().flat_map(log::in_rows).collect();
        if number % 2 == 0 {
            let name = format!("node-{}", number % NODES);
            work.snapshots.extend(register.node(&name, snapshot::save));
        }
        last_row = database.write(&work).expect("it writes");
        copy_now();
        for batch in batches {
            let node = Arc::clone(&batch.report.node);
            let heartbeats = Candidates::of(&batch.report, true);
            let applied = register.replay(batch);
            events.note(&node, heartbeats, applied, WallTime::from_unix_nanos(1));
        }
        *acknowledged.lock().expect("no panic") = number;
        copy_now();
    }

    let expected: Vec<_> = (0..NODES)
        .map(|node| {
            let history = register.node(&format!("node-{node}"), |known| known.history.export());
            history.expect("known")
        })
        .collect();
    for (node, history) in (0..).zip(&expected) {
        let (counted, told) = (history.gaps.exact.len(), history.gaps.uncounted.len());
        let cut_off = node == CUT_OFF;
        assert_eq!((counted, told), if cut_off { (0, 2) } else { (2, 0) });
    }
    let kills = kills.lock().expect("no panic");
    assert!(kills.len() > 60, "{} write points", kills.len());
    for kill in kills.iter() {
        tell(kill);
        assert_eq!(reopen(kill), expected, "{}", kill.directory.display());
    }
}

#[test]
fn a_write_ahead_log_that_is_torn_after_the_last_sync_holds_all_that_was_synced() {
    let directory = tempfile::tempdir().expect("a directory");
    let live = directory.path().join("live");
    let mut database = Database::open(&StoreConfig::new(&live)).expect("it opens");
    let length = || fs::metadata(live.join("history.db-wal")).map_or(0, |file| file.len());
    let (mut last_row, mut synced) = (0, 0);
    for number in 1..=BEATS {
        let mut work = work(last_row);
        let logged = (0..NODES).map(|node| {
            let wire = wire(node, number);
            logged(&batch(&wire, number), wire)
        });
        work.batches = log::in_rows(logged);
        synced = if number == BEATS { length() } else { synced };
        last_row = database.write(&work).expect("it writes");
    }
    let end = length();
    assert!(end > synced && synced > 0);
    for torn in (synced..end).step_by(997) {
        let kill = Kill {
            directory: directory.path().join(torn.to_string()),
            acknowledged: BEATS - 1,
        };
        copy(&live, &kill.directory);
        let log = fs::OpenOptions::new()
            .write(true)
            .open(kill.directory.join("history.db-wal"));
        log.and_then(|log| log.set_len(torn)).expect("torn");
        reopen(&kill);
    }
}

#[test]
fn a_full_disk_refuses_whole_transactions_and_works_again_with_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut database = Database::open(&StoreConfig::new(directory.path())).expect("it opens");
    let pages = |database: &Database, most: i64| {
        let pragma = database
            .connection
            .pragma_update(None, "max_page_count", most);
        pragma.expect("a limit");
    };
    let used: i64 = database
        .connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .expect("a count");
    pages(&database, used + 2);
    let mut work = work(0);
    work.batches = rows_of(2000);
    let error = database.write(&work).expect_err("it is full");
    assert_eq!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DiskFull)
    );
    let rows = |database: &Database| -> i64 {
        let count = database
            .connection
            .query_row("SELECT count(*) FROM log", [], |row| row.get(0));
        count.expect("a count")
    };
    assert_eq!(rows(&database), 0, "all or nothing");
    pages(&database, 1 << 30);
    assert_eq!(database.write(&work).expect("there is room"), 1);
    assert_eq!(rows(&database), 1);
}

/// The rows of so many batches of one node.
fn rows_of(batches: u64) -> Vec<LoggedBatches> {
    log::in_rows((1..=batches).map(|number| {
        let wire = wire(0, number);
        logged(&batch(&wire, number), wire)
    }))
}

#[test]
fn a_row_of_the_log_takes_no_more_batches_once_it_is_large() {
    let large = |byte| LoggedBatch {
        batch: vec![byte; 600 << 10],
        ..LoggedBatch::default()
    };
    let rows = log::in_rows([1, 2, 3, 4, 5].map(large));
    let lengths = rows.iter().map(|row| row.batches.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [2, 2, 1]);
    assert!(log::in_rows([]).is_empty());
}

/// A database with a log of one node, the id of its last row, and the work of forgetting that node: it leaves free pages.
fn forgetful(directory: &Path) -> (Database, i64, Work) {
    let mut database = Database::open(&StoreConfig::new(directory)).expect("it opens");
    let mut long = work(0);
    long.batches = rows_of(200);
    let last_row = database.write(&long).expect("it writes");
    let mut forget = work(last_row);
    forget.forgotten.push(Arc::from("node-0"));
    forget.log_from = Some(last_row + 1);
    (database, last_row, forget)
}

#[test]
fn free_pages_are_given_back_many_at_a_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut database, _, forget) = forgetful(directory.path());
    let pages = |database: &Database, pragma: &str| -> i64 {
        let pragma = database
            .connection
            .pragma_query_value(None, pragma, |row| row.get(0));
        pragma.expect("a count")
    };
    let before = pages(&database, "page_count");
    database.write(&forget).expect("it writes");
    assert_eq!(pages(&database, "freelist_count"), 0);
    let after = pages(&database, "page_count");
    assert!(after + 1 < before, "{after} of {before} pages");
}

#[test]
fn free_pages_that_cannot_be_given_back_undo_nothing_and_repeat_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut database, last_row, mut work) = forgetful(directory.path());
    // The first commit is that of the work, the next one gives the pages back.
    let commits = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&commits);
    database
        .connection
        .commit_hook(Some(move || {
            let mut commits = counted.lock().expect("no panic");
            *commits += 1;
            *commits > 1
        }))
        .expect("a hook");
    let wire = wire(1, 1);
    work.batches = log::in_rows([logged(&batch(&wire, 1), wire)]);
    let written = database.write(&work).expect("the work is on disk");
    assert_eq!(written, last_row + 1);
    assert_eq!(*commits.lock().expect("no panic"), 2, "it was refused");
}
