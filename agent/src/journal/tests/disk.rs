//! A journal whose records are on disk: what outlives a run, and what is said of what does not.

use std::{fs, path::Path, time::Duration};

use nodegrace_proto::v1::{AgentInstance, NodeFacts, SourceReport};
use nodegrace_spool::Class;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{super::*, BYTES, LIMITS, beat, clock};
use crate::{logging::captured::Log, wire};

/// The run of the agent that started so many seconds after boot, with its spool on disk.
async fn run(directory: &Path, started: u64, bytes: u64) -> Journal {
    let agent = AgentInstance {
        boot_id: "boot".into(),
        start_monotonic: Some(wire::duration(Duration::from_secs(started))),
        ..AgentInstance::default()
    };
    let directory = Some(directory.to_owned());
    Journal::open(directory, bytes, &agent, clock())
        .await
        .unwrap()
}

/// A sample of about this many bytes.
fn sample(bytes: usize) -> Sample {
    Sample {
        sources: vec![SourceReport {
            reason: "x".repeat(bytes),
            ..SourceReport::default()
        }],
        ..Sample::default()
    }
}

#[tokio::test]
async fn a_run_leaves_what_nobody_acknowledged_to_the_next_one() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES).await;
    first.learn(beat());
    first.learn(vec![Observation::Facts(NodeFacts::default())]);
    first.flush();
    drop(first);

    let second = run(directory.path(), 99, BYTES).await;
    second.learn(beat());
    let mut reader = second.connect("a").unwrap();
    let batch = second.next_batch(&mut reader, LIMITS);
    assert!(batch.replay && batch.channel_views.is_empty() && batch.node_facts.is_none());
    let started = batch.agent.and_then(|agent| agent.start_monotonic);
    assert_eq!(started.map(|started| started.seconds), Some(10));
    assert_eq!(batch.sent_monotonic.map(|sent| sent.seconds), Some(77));
    assert!(batch.sent_time.is_some());
    let next = second.next(&mut reader, LIMITS).unwrap();
    assert!(matches!(next, Next::LaterRun));

    let end = second
        .contents(&mut second.connect("a").unwrap(), LIMITS)
        .end;
    second.acknowledge("a", end);
    let live = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert!(!live.replay && live.channel_views.len() == 2);
    assert_eq!(live.heartbeats[0].sequence_number, 1);
}

#[tokio::test]
async fn what_an_earlier_run_left_is_dated_by_what_happened_last_and_not_by_what_was_written_last()
{
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES).await;
    first.learn(beat());
    // Begun before the heartbeat came, and written down after it.
    first.sample(Sample {
        sample_monotonic: Some(wire::duration(Duration::from_secs(76))),
        ..Sample::default()
    });
    first.flush();
    drop(first);
    let second = run(directory.path(), 99, BYTES).await;
    let batch = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert_eq!((batch.heartbeats.len(), batch.samples.len()), (1, 1));
    assert_eq!(batch.sent_monotonic.map(|sent| sent.seconds), Some(77));
}

#[tokio::test]
async fn a_run_that_was_closed_is_not_sent_again() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES).await;
    first.learn(beat());
    let end = first.contents(&mut first.connect("a").unwrap(), LIMITS).end;
    first.acknowledge("a", end);
    Arc::new(first).close().await;
    let second = run(directory.path(), 99, BYTES).await;
    let batch = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert!(!batch.replay && batch.heartbeats.is_empty());
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_the_rest_delivered() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES).await;
    first.learn(beat());
    first.learn(beat());
    first.flush();
    drop(first);
    let segment = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("heartbeat"))
        .unwrap();
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 3]).unwrap();

    let (log, _guard) = Log::listen();
    let second = run(directory.path(), 99, BYTES).await;
    assert!(log.says("WARN", "torn records, they are cut off"));
    let batch = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert!(batch.replay);
    assert_eq!(batch.heartbeats.len(), 1);
}

#[tokio::test]
async fn what_is_dropped_when_the_spool_is_opened_is_said_once() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES).await;
    for _ in 0..500 {
        first.sample(sample(1000));
    }
    Arc::new(first).close().await;
    for told in [true, false] {
        let (log, _guard) = Log::listen();
        drop(run(directory.path(), 99, 512 << 10).await);
        assert_eq!(log.says("ERROR", "too old or too many"), told);
    }
}

#[tokio::test]
async fn a_spool_that_cannot_be_had_is_no_reason_not_to_measure() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let held = run(directory.path(), 10, BYTES).await;
    for directory in [file.join("spool"), directory.path().to_owned()] {
        let (log, _guard) = Log::listen();
        let journal = run(&directory, 20, BYTES).await;
        assert!(log.says("ERROR", "records are kept in memory only"));
        assert!(!journal.on_disk);
        journal.learn(beat());
        let batch = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
        assert_eq!(batch.heartbeats.len(), 1);
    }
    assert!(held.on_disk);
}

/// The next sample tells how many were dropped, and may be in a later batch than what follows the hole.
#[tokio::test]
async fn each_batch_says_how_many_numbers_before_it_are_nobodys_any_more() {
    let directory = TempDir::new().unwrap();
    let journal = run(directory.path(), 10, 512 << 10).await;
    let mut reader = journal.connect("a").unwrap();
    journal.learn(beat());
    let first = journal.next_batch(&mut reader, LIMITS);
    assert_eq!((first.first_sequence_number, first.dropped_before), (1, 0));
    for _ in 0..1000 {
        journal.sample(sample(1000));
        journal.learn(beat());
    }
    let few = BatchLimits {
        records: 3,
        bytes: usize::MAX,
    };
    let (mut reached, mut dropped, mut untold) = (1, 0, false);
    loop {
        let batch = journal.next_batch(&mut reader, few);
        if batch.first_sequence_number == 0 {
            break;
        }
        assert_eq!(
            batch.first_sequence_number,
            reached + 1 + batch.dropped_before
        );
        let told = batch.losses.unwrap_or_default().dropped_samples;
        dropped += batch.dropped_before;
        untold |= told < dropped;
        let numbers = batch.heartbeats.iter().map(|beat| beat.sequence_number);
        let samples = batch.samples.iter().map(|sample| sample.sequence_number);
        reached = numbers.chain(samples).max().unwrap();
    }
    assert!(dropped > 0 && untold, "{dropped}");
    let newcomer = journal.next_batch(&mut journal.connect("b").unwrap(), few);
    assert_eq!(newcomer.dropped_before, 0, "nothing was kept for it");
}

#[tokio::test]
async fn a_full_spool_drops_samples_before_heartbeats_and_each_replica_hears_what_it_missed() {
    let directory = TempDir::new().unwrap();
    let journal = run(directory.path(), 10, 512 << 10).await;
    let mut early = journal.connect("early").unwrap();
    for _ in 0..1000 {
        journal.learn(beat());
        journal.sample(sample(1000));
    }
    let everything = BatchLimits {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let (log, _guard) = Log::listen();
    journal.sync();
    assert!(log.says("ERROR", "dropped before every aggregator had them"));
    let batch = journal.next_batch(&mut early, everything);
    let losses = batch.losses.unwrap();
    assert_eq!(batch.heartbeats.len(), 1000);
    assert_eq!(losses.dropped_heartbeats, 0);
    assert!(losses.dropped_samples > 500, "{losses:?}");
    assert_eq!(losses.dropped_samples + batch.samples.len() as u64, 1000);

    let late = journal.next_batch(&mut journal.connect("late").unwrap(), everything);
    assert_eq!(
        late.losses, None,
        "what was gone before it came it did not miss"
    );
}

#[tokio::test]
async fn a_writer_does_not_wait_for_the_disk() {
    let directory = TempDir::new().unwrap();
    let journal = run(directory.path(), 10, BYTES).await;
    // Held by whoever waits for the disk.
    let spool = journal.spool();
    journal.learn(beat());
    assert_eq!(journal.entries().unwritten.len(), 1);
    drop(spool);
    let batch = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
    assert_eq!(batch.heartbeats.len(), 1);
}

#[tokio::test]
async fn what_is_acknowledged_and_moved_aside_meanwhile_waits_for_the_disk_and_keeps_nobody_else_waiting()
 {
    let directory = TempDir::new().unwrap();
    let journal = Arc::new(run(directory.path(), 10, BYTES).await);
    journal.learn(beat());
    let first = journal.contents(&mut journal.connect("a").unwrap(), LIMITS);
    let spool = journal.spool();
    journal.acknowledge("a", first.end);
    for _ in 0..3 {
        journal.learn(beat());
        drop(journal.move_aside(false));
    }
    assert_eq!(Arc::strong_count(&journal), 2, "one waits for all");
    drop(spool);
    while journal.entries().moving {
        tokio::task::yield_now().await;
    }
    assert_eq!(journal.spool().ledger()[Class::Heartbeat].held, 4);
    let rest = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
    assert_eq!((rest.first_sequence_number, rest.heartbeats.len()), (2, 3));
}

#[tokio::test]
async fn records_reach_the_spool_without_a_reader() {
    let directory = TempDir::new().unwrap();
    let journal = Arc::new(run(directory.path(), 10, BYTES).await);
    let keeping = tokio::spawn(Arc::clone(&journal).keep(CancellationToken::new()));
    tokio::task::yield_now().await;
    journal.learn(beat());
    while journal.spool().ledger()[Class::Heartbeat].held == 0 {
        tokio::task::yield_now().await;
    }
    keeping.abort();
}

#[tokio::test]
async fn a_disk_that_refuses_is_said_once_and_so_is_its_recovery() {
    let directory = TempDir::new().unwrap();
    let spool = directory.path().join("spool");
    let journal = run(&spool, 10, BYTES).await;
    // Nothing can be made in a directory that is gone.
    let aside = directory.path().join("aside");
    fs::rename(&spool, &aside).unwrap();
    journal.learn(beat());
    let (log, guard) = Log::listen();
    journal.sync();
    assert!(log.says("ERROR", "records wait in memory"));
    drop(guard);

    let (log, guard) = Log::listen();
    journal.sync();
    assert!(!log.says("ERROR", "records wait in memory"));
    drop(guard);

    fs::rename(&aside, &spool).unwrap();
    let (log, _guard) = Log::listen();
    journal.sync();
    assert!(log.says("INFO", "the spool is written again"));
    let batch = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
    assert_eq!(batch.heartbeats.len(), 1);
}
