//! Records until they are acknowledged: numbered in order, bounded in bytes, what was dropped is counted.

use std::collections::VecDeque;

use nodegrace_proto::v1::{Losses, Sample};
use prost::Message as _;

use super::Vital;

/// A bounded buffer of records.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Most bytes to keep, as records are encoded on the wire; in memory they take two to three times as much.
    capacity: usize,
    bytes: usize,
    /// Number of the newest record; 0 before the first.
    newest: u64,
    /// Every record up to this number was acknowledged.
    pub(super) acknowledged: u64,
    vital: VecDeque<Kept<Vital>>,
    samples: VecDeque<Kept<Sample>>,
    pub(super) losses: Losses,
}

/// A record with its number and its size on the wire.
#[derive(Debug)]
pub(super) struct Kept<T> {
    pub(super) sequence: u64,
    pub(super) bytes: usize,
    pub(super) record: T,
}

impl Buffer {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            bytes: 0,
            newest: 0,
            acknowledged: 0,
            vital: VecDeque::new(),
            samples: VecDeque::new(),
            losses: Losses::default(),
        }
    }

    /// Numbers and keeps a record that is not a sample.
    pub(super) fn push(&mut self, mut record: Vital) {
        self.newest += 1;
        let bytes = record.number(self.newest);
        self.vital.push_back(Kept {
            sequence: self.newest,
            bytes,
            record,
        });
        self.bytes += bytes;
        self.make_room();
    }

    /// Numbers and keeps a sample.
    pub(super) fn push_sample(&mut self, mut sample: Sample) {
        self.newest += 1;
        sample.sequence_number = self.newest;
        let bytes = sample.encoded_len();
        self.samples.push_back(Kept {
            sequence: self.newest,
            bytes,
            record: sample,
        });
        self.bytes += bytes;
        self.make_room();
    }

    /// Forgets every record up to `sequence`.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        self.acknowledged = self.acknowledged.max(sequence);
        while let Some(kept) = self.vital.pop_front_if(|kept| kept.sequence <= sequence) {
            self.bytes -= kept.bytes;
        }
        while let Some(kept) = self.samples.pop_front_if(|kept| kept.sequence <= sequence) {
            self.bytes -= kept.bytes;
        }
    }

    /// Records after `sequence`, in order of their numbers, of each of the two kinds.
    pub(super) fn after(
        &self,
        sequence: u64,
    ) -> (
        impl Iterator<Item = &Kept<Vital>>,
        impl Iterator<Item = &Kept<Sample>>,
    ) {
        let vital = self.vital.partition_point(|kept| kept.sequence <= sequence);
        let samples = self
            .samples
            .partition_point(|kept| kept.sequence <= sequence);
        (self.vital.range(vital..), self.samples.range(samples..))
    }

    /// Drops the oldest samples first, then the oldest of the others: a sample explains, a heartbeat is what is measured.
    fn make_room(&mut self) {
        while self.bytes > self.capacity {
            if let Some(sample) = self.samples.pop_front() {
                self.bytes -= sample.bytes;
                self.losses.dropped_samples += 1;
            } else if let Some(vital) = self.vital.pop_front() {
                self.bytes -= vital.bytes;
                match vital.record {
                    Vital::Heartbeat(_) => self.losses.dropped_heartbeats += 1,
                    Vital::BlindSpell(_) | Vital::ReadyChange(_) => self.losses.dropped_others += 1,
                }
            } else {
                return;
            }
        }
    }
}

impl Vital {
    /// Numbers the record and returns its size on the wire.
    fn number(&mut self, sequence: u64) -> usize {
        match self {
            Self::Heartbeat(heartbeat) => {
                heartbeat.sequence_number = sequence;
                heartbeat.encoded_len()
            }
            Self::BlindSpell(spell) => {
                spell.sequence_number = sequence;
                spell.encoded_len()
            }
            Self::ReadyChange(change) => {
                change.sequence_number = sequence;
                change.encoded_len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nodegrace_proto::v1::{BlindSpell, Heartbeat};

    use super::*;

    fn heartbeat() -> Vital {
        Vital::Heartbeat(Heartbeat {
            resource_version: "1000".into(),
            ..Heartbeat::default()
        })
    }

    /// Numbers of what is kept: of the vital records and of the samples.
    fn kept(buffer: &Buffer) -> (Vec<u64>, Vec<u64>) {
        let (vital, samples) = buffer.after(0);
        (
            vital.map(|kept| kept.sequence).collect(),
            samples.map(|kept| kept.sequence).collect(),
        )
    }

    #[test]
    fn one_ascending_number_runs_over_all_kinds() {
        let mut buffer = Buffer::new(1000);
        buffer.push(heartbeat());
        buffer.push_sample(Sample::default());
        buffer.push(heartbeat());
        assert_eq!(kept(&buffer), (vec![1, 3], vec![2]));
        assert_eq!(buffer.newest, 3);
    }

    #[test]
    fn a_full_buffer_drops_samples_before_heartbeats_and_counts_both() {
        let mut buffer = Buffer::new(20);
        for _ in 0..3 {
            buffer.push_sample(Sample::default());
        }
        for _ in 0..3 {
            buffer.push(heartbeat());
        }
        assert_eq!(kept(&buffer), (vec![5, 6], vec![]));
        assert_eq!(buffer.losses.dropped_samples, 3);
        assert_eq!(buffer.losses.dropped_heartbeats, 1);
    }

    #[test]
    fn dropped_spells_are_counted_apart() {
        let mut buffer = Buffer::new(9);
        buffer.push(Vital::BlindSpell(BlindSpell::default()));
        buffer.push(heartbeat());
        assert_eq!(buffer.losses.dropped_others, 1);
        assert_eq!(buffer.losses.dropped_heartbeats, 0);
    }

    #[test]
    fn acknowledged_records_are_forgotten_and_make_room() {
        let mut buffer = Buffer::new(1000);
        buffer.push(heartbeat());
        buffer.push_sample(Sample::default());
        buffer.push(heartbeat());
        buffer.acknowledge(2);
        assert_eq!(kept(&buffer), (vec![3], vec![]));
        buffer.acknowledge(3);
        assert_eq!(kept(&buffer), (vec![], vec![]));
        assert_eq!((buffer.bytes, buffer.acknowledged), (0, 3));
    }
}
