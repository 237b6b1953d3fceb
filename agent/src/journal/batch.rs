//! The next run of records for a reader, bounded in number and bytes, and the state that goes with it.

use nodegrace_proto::v1::{KubeletSettings, Losses, NodeFacts, ReportBatch};

use super::{Entries, Vital};

/// Bounds of one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// Most records.
    pub(crate) records: usize,
    /// Most bytes of records, as encoded. A single larger record travels alone.
    pub(crate) bytes: usize,
}

/// How far a reader has come. A new one has not seen facts or settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// Every record up to this number was read.
    pub(crate) sequence: u64,
    facts: u64,
    settings: u64,
}

impl Cursor {
    /// A new reader of what comes after record `sequence`.
    pub(crate) fn after(sequence: u64) -> Self {
        Self {
            sequence,
            ..Self::default()
        }
    }
}

/// What goes into a batch; the envelope is the uplink's.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// A batch with everything but the envelope.
    pub(crate) batch: ReportBatch,
    /// True when the reader has everything now.
    pub(crate) complete: bool,
}

impl Entries {
    pub(super) fn next(&self, cursor: &mut Cursor, limits: BatchLimits) -> Contents {
        let mut batch = ReportBatch {
            channel_views: self.views.to_vec(),
            node_facts: self.changed_facts(cursor),
            kubelet_settings: self.changed_settings(cursor),
            losses: (self.buffer.losses != Losses::default()).then_some(self.buffer.losses),
            ..ReportBatch::default()
        };
        let (vital, samples) = self.buffer.after(cursor.sequence);
        let (mut vital, mut samples) = (vital.peekable(), samples.peekable());
        let (mut records, mut bytes) = (0, 0);
        let complete = loop {
            let next_vital = vital.peek().map(|kept| (kept.sequence, kept.bytes));
            let next_sample = samples.peek().map(|kept| (kept.sequence, kept.bytes));
            let Some((sequence, size)) = next_vital.into_iter().chain(next_sample).min() else {
                break true;
            };
            if records > 0 && (records >= limits.records || bytes + size > limits.bytes) {
                break false;
            }
            if let Some(kept) = vital.next_if(|kept| kept.sequence == sequence) {
                match kept.record.clone() {
                    Vital::Heartbeat(heartbeat) => batch.heartbeats.push(heartbeat),
                    Vital::BlindSpell(spell) => batch.blind_spells.push(spell),
                    Vital::ReadyChange(change) => batch.ready_changes.push(change),
                }
            } else if let Some(kept) = samples.next() {
                batch.samples.push(kept.record.clone());
            }
            if records == 0 {
                batch.first_sequence_number = sequence;
            }
            records += 1;
            bytes += size;
            cursor.sequence = sequence;
        };
        Contents { batch, complete }
    }

    fn changed_facts(&self, cursor: &mut Cursor) -> Option<NodeFacts> {
        // Settings decide whether the list of images is said to be cut: when they change, the facts do.
        let revision = self.facts.revision + self.settings.revision;
        if cursor.facts == revision {
            return None;
        }
        cursor.facts = revision;
        self.judged_facts()
    }

    fn changed_settings(&self, cursor: &mut Cursor) -> Option<KubeletSettings> {
        if cursor.settings == self.settings.revision {
            return None;
        }
        cursor.settings = self.settings.revision;
        self.settings.value.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nodegrace_proto::v1::{Heartbeat, KubeletSettings, NodeFacts, Sample};

    use super::*;
    use crate::{journal::Journal, observe::Observation};

    const LIMITS: BatchLimits = BatchLimits {
        records: 3,
        bytes: 10_000,
    };

    fn beat() -> Vec<Observation> {
        vec![Observation::Heartbeat(Heartbeat::default())]
    }

    #[test]
    fn batches_carry_ascending_runs_over_all_kinds() {
        let journal = Journal::new(10_000);
        journal.learn(beat());
        journal.sample(Sample::default());
        journal.learn(beat());
        journal.learn(beat());
        let mut cursor = Cursor::default();
        let first = journal.next(&mut cursor, LIMITS);
        assert_eq!(first.batch.first_sequence_number, 1);
        assert_eq!(
            (first.batch.heartbeats.len(), first.batch.samples.len()),
            (2, 1)
        );
        assert!(!first.complete);
        let second = journal.next(&mut cursor, LIMITS);
        assert_eq!(second.batch.first_sequence_number, 4);
        assert!(second.complete);
        let empty = journal.next(&mut cursor, LIMITS);
        assert_eq!(empty.batch.first_sequence_number, 0);
        assert_eq!(empty.batch.channel_views.len(), 2);
    }

    #[test]
    fn a_new_reader_gets_what_was_not_acknowledged_under_the_same_numbers() {
        let journal = Journal::new(10_000);
        journal.learn(beat());
        journal.learn(beat());
        journal.next(&mut Cursor::default(), LIMITS);
        journal.acknowledge(1, 0);
        let again = journal.next(&mut Cursor::default(), LIMITS);
        assert_eq!(again.batch.heartbeats[0].sequence_number, 2);
    }

    #[test]
    fn bytes_bound_a_batch_but_a_large_record_travels_alone() {
        let journal = Journal::new(10_000);
        for _ in 0..2 {
            journal.learn(beat());
        }
        let tiny = BatchLimits {
            records: 3,
            bytes: 1,
        };
        let mut cursor = Cursor::default();
        assert_eq!(journal.next(&mut cursor, tiny).batch.heartbeats.len(), 1);
        assert_eq!(journal.next(&mut cursor, tiny).batch.heartbeats.len(), 1);
    }

    #[test]
    fn facts_and_settings_travel_once_per_reader_and_when_they_change() {
        let journal = Journal::new(10_000);
        journal.learn(vec![
            Observation::Facts(NodeFacts {
                listed_images: Some(50),
                ..NodeFacts::default()
            }),
            Observation::LeaseDuration(Duration::from_secs(40)),
        ]);
        let mut cursor = Cursor::default();
        let first = journal.next(&mut cursor, LIMITS).batch;
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
        let second = journal.next(&mut cursor, LIMITS).batch;
        assert!(second.node_facts.is_none() && second.kubelet_settings.is_none());

        journal.configured(KubeletSettings {
            node_status_max_images: Some(-1),
            ..KubeletSettings::default()
        });
        let third = journal.next(&mut cursor, LIMITS).batch;
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

    #[test]
    fn losses_travel_once_there_are_some() {
        let journal = Journal::new(10_000);
        let mut cursor = Cursor::default();
        assert!(journal.next(&mut cursor, LIMITS).batch.losses.is_none());
        journal.acknowledge(0, 2);
        let losses = journal.next(&mut cursor, LIMITS).batch.losses;
        assert_eq!(losses.map(|losses| losses.rejected_records), Some(2));
    }
}
