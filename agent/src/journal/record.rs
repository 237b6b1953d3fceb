//! Records as the spool keeps them: numbered, encoded as on the wire, and of one of its classes.

use jiff::Timestamp;
use nodegrace_proto::{
    prost_types,
    v1::{BlindSpell, Heartbeat, ReadyChange, ReportBatch, Sample},
};
use nodegrace_spool::Class;
use prost::Message as _;

use crate::wire;

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// A heartbeat.
    Heartbeat(Heartbeat),
    /// What explains heartbeats.
    Explanation(Explanation),
    /// A sample of the host.
    Sample(Box<Sample>),
}

/// What explains heartbeats, in the spool under one class.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Explanation {
    /// A blind spell that ended.
    #[prost(message, tag = "1")]
    BlindSpell(BlindSpell),
    /// A change of the Ready condition.
    #[prost(message, tag = "2")]
    ReadyChange(ReadyChange),
}

/// An explanation as it is kept: the spool outlives this version of the agent, so that the tags must stay.
#[derive(Clone, PartialEq, prost::Message)]
struct KeptExplanation {
    #[prost(oneof = "Explanation", tags = "1, 2")]
    explanation: Option<Explanation>,
}

impl Record {
    /// The record's class, and its bytes under the number `sequence`.
    pub(super) fn encode(self, sequence: u64) -> (Class, Vec<u8>) {
        match self {
            Self::Heartbeat(mut heartbeat) => {
                heartbeat.sequence_number = sequence;
                (Class::Heartbeat, heartbeat.encode_to_vec())
            }
            Self::Explanation(mut explanation) => {
                match &mut explanation {
                    Explanation::BlindSpell(spell) => spell.sequence_number = sequence,
                    Explanation::ReadyChange(change) => change.sequence_number = sequence,
                }
                let kept = KeptExplanation {
                    explanation: Some(explanation),
                };
                (Class::Other, kept.encode_to_vec())
            }
            Self::Sample(mut sample) => {
                sample.sequence_number = sequence;
                (Class::Sample, sample.encode_to_vec())
            }
        }
    }

    /// The record that a spool kept. `None`: its bytes are whole, but another version wrote them and this one knows no such
    /// record.
    pub(super) fn decode(kept: &nodegrace_spool::Record) -> Option<Self> {
        let bytes = kept.payload.as_slice();
        match kept.class {
            Class::Heartbeat => Heartbeat::decode(bytes).ok().map(Self::Heartbeat),
            Class::Other => {
                let kept = KeptExplanation::decode(bytes).ok()?;
                kept.explanation.map(Self::Explanation)
            }
            Class::Sample => Some(Self::Sample(Box::new(Sample::decode(bytes).ok()?))),
        }
    }

    /// When it was written down, since boot. `None`: the record does not tell.
    pub(super) fn monotonic(&self) -> Option<prost_types::Duration> {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.arrival_monotonic,
            Self::Explanation(Explanation::BlindSpell(spell)) => spell.end_monotonic,
            Self::Explanation(Explanation::ReadyChange(change)) => change.arrival_monotonic,
            Self::Sample(sample) => sample.sample_monotonic,
        }
    }

    /// Puts the record into a batch.
    pub(super) fn travel(self, batch: &mut ReportBatch) {
        match self {
            Self::Heartbeat(heartbeat) => batch.heartbeats.push(heartbeat),
            Self::Explanation(Explanation::BlindSpell(spell)) => batch.blind_spells.push(spell),
            Self::Explanation(Explanation::ReadyChange(change)) => batch.ready_changes.push(change),
            Self::Sample(sample) => batch.samples.push(*sample),
        }
    }
}

/// When the spool took a record, by the node's wall clock.
pub(super) fn recorded(kept: &nodegrace_spool::Record) -> prost_types::Timestamp {
    // A stamp outside the years -9999 to 9999 is as wrong as one at the epoch.
    wire::timestamp(Timestamp::try_from(kept.recorded).unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn kept((class, payload): (Class, Vec<u8>)) -> nodegrace_spool::Record {
        nodegrace_spool::Record {
            class,
            sequence: 7,
            recorded: SystemTime::UNIX_EPOCH,
            payload,
        }
    }

    #[test]
    fn every_kind_comes_back_under_its_number() {
        let kinds = [
            Record::Heartbeat(Heartbeat::default()),
            Record::Explanation(Explanation::BlindSpell(BlindSpell::default())),
            Record::Explanation(Explanation::ReadyChange(ReadyChange::default())),
            Record::Sample(Box::default()),
        ];
        let mut batch = ReportBatch::default();
        for record in kinds {
            let back = Record::decode(&kept(record.encode(7))).unwrap();
            back.travel(&mut batch);
        }
        assert_eq!(batch.heartbeats[0].sequence_number, 7);
        assert_eq!(batch.blind_spells[0].sequence_number, 7);
        assert_eq!(batch.ready_changes[0].sequence_number, 7);
        assert_eq!(batch.samples[0].sequence_number, 7);
    }

    #[test]
    fn what_another_version_wrote_is_told_apart() {
        let decode = |class, payload: &[u8]| Record::decode(&kept((class, payload.to_vec())));
        // A field number that no explanation has.
        assert_eq!(decode(Class::Other, &[0x1a, 0x00]), None);
        assert_eq!(decode(Class::Heartbeat, b"\xff\xff\xff"), None);
    }
}
