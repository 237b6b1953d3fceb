//! What a journal gives to its readers, in memory and on disk.

use std::{fs, path::Path, time::Duration};

use nodegrace_proto::v1::{AgentInstance, Heartbeat, KubeletSettings, NodeFacts, ReportBatch};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::wire;

const LIMITS: BatchLimits = BatchLimits {
    records: 3,
    bytes: 10_000,
};

/// Enough for every test but those that fill it.
const BYTES: u64 = 1 << 20;

impl Journal {
    /// A journal in memory.
    pub(crate) fn for_test(clock: &Clock) -> Self {
        Self::in_memory(BYTES, &AgentInstance::default(), clock.clone()).unwrap()
    }

    /// What comes next for a reader, which has not come to a later run.
    pub(crate) fn next_batch(&self, reader: &mut Reader, limits: BatchLimits) -> ReportBatch {
        self.contents(reader, limits).batch
    }

    fn contents(&self, reader: &mut Reader, limits: BatchLimits) -> Box<Contents> {
        match self.next(reader, limits).unwrap() {
            Next::Batch(contents) => contents,
            Next::LaterRun => panic!("a later run"),
        }
    }
}

fn clock() -> Clock {
    Clock::scaled(1.0, std::time::UNIX_EPOCH)
}

fn journal() -> Journal {
    Journal::for_test(&clock())
}

/// The run of the agent that started so many seconds after boot, with its spool on disk.
fn run(directory: &Path, started: u64, bytes: u64) -> Journal {
    let agent = AgentInstance {
        boot_id: "boot".into(),
        start_monotonic: Some(wire::duration(Duration::from_secs(started))),
        ..AgentInstance::default()
    };
    Journal::open(Some(directory), bytes, &agent, clock()).unwrap()
}

fn beat() -> Vec<Observation> {
    vec![Observation::Heartbeat(Heartbeat {
        arrival_monotonic: Some(wire::duration(Duration::from_secs(77))),
        ..Heartbeat::default()
    })]
}

/// A sample of about this many bytes.
fn sample(bytes: usize) -> Sample {
    Sample {
        sources: vec![nodegrace_proto::v1::SourceReport {
            reason: "x".repeat(bytes),
            ..Default::default()
        }],
        ..Sample::default()
    }
}

#[tokio::test]
async fn batches_carry_ascending_runs_over_all_kinds() {
    let journal = journal();
    journal.learn(beat());
    journal.sample(Sample::default());
    journal.learn(beat());
    journal.learn(beat());
    let mut reader = journal.connect("a").unwrap();
    let first = journal.contents(&mut reader, LIMITS);
    assert_eq!(first.batch.first_sequence_number, 1);
    assert_eq!(
        (first.batch.heartbeats.len(), first.batch.samples.len()),
        (2, 1)
    );
    assert!(!first.complete);
    let second = journal.contents(&mut reader, LIMITS);
    assert_eq!(second.batch.first_sequence_number, 4);
    assert!(second.complete);
    let empty = journal.next_batch(&mut reader, LIMITS);
    assert_eq!(empty.first_sequence_number, 0);
    assert_eq!(empty.channel_views.len(), 2);
}

#[tokio::test]
async fn a_stream_begins_after_what_its_replica_acknowledged() {
    let journal = journal();
    journal.learn(beat());
    let first = journal.contents(&mut journal.connect("a").unwrap(), LIMITS);
    journal.learn(beat());
    journal.acknowledge("a", &first.end);
    let again = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
    assert_eq!(again.heartbeats.len(), 1);
    assert_eq!(again.heartbeats[0].sequence_number, 2);
}

#[tokio::test]
async fn bytes_bound_a_batch_but_a_large_record_travels_alone() {
    let journal = journal();
    for _ in 0..2 {
        journal.learn(beat());
    }
    let tiny = BatchLimits {
        records: 3,
        bytes: 1,
    };
    let mut reader = journal.connect("a").unwrap();
    assert_eq!(journal.next_batch(&mut reader, tiny).heartbeats.len(), 1);
    assert_eq!(journal.next_batch(&mut reader, tiny).heartbeats.len(), 1);
}

#[tokio::test]
async fn facts_and_settings_travel_once_per_stream_and_when_they_change() {
    let journal = journal();
    journal.learn(vec![
        Observation::Facts(NodeFacts {
            listed_images: Some(50),
            ..NodeFacts::default()
        }),
        Observation::LeaseDuration(Duration::from_secs(40)),
    ]);
    let mut reader = journal.connect("a").unwrap();
    let first = journal.next_batch(&mut reader, LIMITS);
    assert!(
        first
            .node_facts
            .is_some_and(|facts| facts.listed_images_cut)
    );
    assert!(
        first
            .kubelet_settings
            .is_some_and(|settings| settings.node_lease_duration.is_some())
    );
    let second = journal.next_batch(&mut reader, LIMITS);
    assert!(second.node_facts.is_none() && second.kubelet_settings.is_none());

    journal.configured(KubeletSettings {
        node_status_max_images: Some(-1),
        ..KubeletSettings::default()
    });
    let third = journal.next_batch(&mut reader, LIMITS);
    assert!(
        third
            .node_facts
            .is_some_and(|facts| !facts.listed_images_cut)
    );
    assert!(
        third
            .kubelet_settings
            .is_some_and(|settings| settings.node_lease_duration.is_none())
    );
}

#[tokio::test]
async fn a_run_leaves_what_nobody_acknowledged_to_the_next_one() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES);
    first.learn(beat());
    first.learn(vec![Observation::Facts(NodeFacts::default())]);
    first.flush();
    drop(first);

    let second = run(directory.path(), 99, BYTES);
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
    second.acknowledge("a", &end);
    let live = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert!(!live.replay && live.channel_views.len() == 2);
    assert_eq!(live.heartbeats[0].sequence_number, 1);
}

#[tokio::test]
async fn a_run_that_was_closed_is_not_sent_again() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES);
    first.learn(beat());
    let end = first.contents(&mut first.connect("a").unwrap(), LIMITS).end;
    first.acknowledge("a", &end);
    first.close().await;
    let second = run(directory.path(), 99, BYTES);
    let batch = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert!(!batch.replay && batch.heartbeats.is_empty());
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_the_rest_delivered() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), 10, BYTES);
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

    let second = run(directory.path(), 99, BYTES);
    assert_eq!(second.spool().recovery().torn_segments, 1);
    let batch = second.next_batch(&mut second.connect("a").unwrap(), LIMITS);
    assert!(batch.replay);
    assert_eq!(batch.heartbeats.len(), 1);
}

#[tokio::test]
async fn a_spool_that_cannot_be_had_is_no_reason_not_to_measure() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let held = run(directory.path(), 10, BYTES);
    for directory in [file.join("spool"), directory.path().to_owned()] {
        let journal = run(&directory, 20, BYTES);
        assert!(!journal.on_disk);
        journal.learn(beat());
        let batch = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
        assert_eq!(batch.heartbeats.len(), 1);
    }
    assert!(held.on_disk);
}

#[tokio::test]
async fn a_full_spool_drops_samples_before_heartbeats_and_each_replica_hears_what_it_missed() {
    let directory = TempDir::new().unwrap();
    let journal = run(directory.path(), 10, 512 << 10);
    let mut early = journal.connect("early").unwrap();
    for _ in 0..1000 {
        journal.learn(beat());
        journal.sample(sample(1000));
    }
    let everything = BatchLimits {
        records: usize::MAX,
        bytes: usize::MAX,
    };
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
    let journal = run(directory.path(), 10, BYTES);
    // Held by whoever waits for the disk.
    let spool = journal.spool();
    journal.learn(beat());
    assert_eq!(journal.entries().unwritten.len(), 1);
    drop(spool);
    let batch = journal.next_batch(&mut journal.connect("a").unwrap(), LIMITS);
    assert_eq!(batch.heartbeats.len(), 1);
}

#[tokio::test]
async fn records_reach_the_spool_without_a_reader() {
    let directory = TempDir::new().unwrap();
    let journal = Arc::new(run(directory.path(), 10, BYTES));
    let keeping = tokio::spawn(Arc::clone(&journal).keep(CancellationToken::new()));
    tokio::task::yield_now().await;
    journal.learn(beat());
    while journal.spool().ledger()[Class::Heartbeat].held == 0 {
        tokio::task::yield_now().await;
    }
    keeping.abort();
}
