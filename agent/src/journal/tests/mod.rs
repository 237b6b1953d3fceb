//! What a journal gives to its readers, in memory and on disk.

mod disk;
pub(crate) mod fickle;
mod standstills;

use std::time::Duration;

use nodegrace_proto::{
    codec::{BATCH_RECORDS, BATCHES_HEARD},
    v1::{AgentInstance, Heartbeat, KubeletSettings, NodeFacts, ReportBatch},
};
use prost::Message as _;

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

    /// Moves what was written to the spool, as the one who keeps it does.
    pub(crate) fn keep_now(&self) {
        self.flush();
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

fn beat() -> Vec<Observation> {
    vec![Observation::Heartbeat(Heartbeat {
        arrival_monotonic: Some(wire::duration(Duration::from_secs(77))),
        ..Heartbeat::default()
    })]
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
    journal.acknowledge("a", first.end);
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
async fn the_largest_batch_fits_thrice_what_is_set_apart_to_hear_it() {
    let journal = journal();
    let said = |letter: &str| letter.repeat(40);
    journal.learn(vec![
        Observation::Facts(NodeFacts {
            kubelet_version: said("k"),
            container_runtime_version: said("c"),
            kernel_version: said("l"),
            os_image: said("o"),
            uid: said("u"),
            zone: said("z"),
            region: said("r"),
            instance_type: said("i"),
            ..NodeFacts::default()
        }),
        Observation::LeaseDuration(Duration::from_secs(40)),
    ]);
    for _ in 0..250 {
        journal.learn(beat());
    }
    let limits = BatchLimits {
        records: 256,
        bytes: BATCH_RECORDS,
    };
    let mut batch = journal.next_batch(&mut journal.connect("a").unwrap(), limits);
    assert!(batch.heartbeats.len() > 15, "{}", batch.heartbeats.len());
    assert!(batch.node_facts.is_some() && batch.kubelet_settings.is_some());
    // What the uplink adds: a long name, and an agent that says all of itself.
    batch.node_name = "n".repeat(63);
    batch.agent = Some(AgentInstance {
        boot_id: "b".repeat(36),
        start_monotonic: Some(wire::duration(Duration::from_secs(1 << 40))),
        version: "v".repeat(32),
        ..AgentInstance::default()
    });
    let length = batch.encoded_len();
    assert!(3 * length <= BATCHES_HEARD, "{length}");
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
