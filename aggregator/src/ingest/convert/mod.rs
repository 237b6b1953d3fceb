//! A batch of the wire as the core's report: what makes sense is kept, what does not is refused by name.

mod bounds;
mod facts;
mod part;
mod record;
mod sample;

use std::{mem, time::Duration};

use nodegrace_core::{
    Report,
    cause::Figure,
    event::{ChannelView, Record},
};
use nodegrace_proto::v1;

use self::record::WireRecord;
use super::{envelope::Envelope, invalid::Invalid, limits::MAX_COUNT};
use crate::register::{LatestSample, Look, News};

/// A converted batch.
#[derive(Debug)]
pub(super) struct Converted {
    /// What the fleet learns.
    pub(super) report: Report,
    /// What is kept beside it.
    pub(super) news: News,
    /// What was refused.
    pub(super) rejections: Vec<v1::Rejection>,
}

/// Number of records in `batch`.
pub(super) fn record_count(batch: &v1::ReportBatch) -> usize {
    batch.heartbeats.len()
        + batch.blind_spells.len()
        + batch.ready_changes.len()
        + batch.samples.len()
}

/// Lowest and highest number among the records that `batch` was sent with, refused ones included. Absent: there were none.
fn sent_records(batch: &v1::ReportBatch) -> Option<v1::SequenceRange> {
    let possible = |number: &u64| (1..=MAX_COUNT).contains(number);
    let here = || {
        Some(v1::SequenceRange {
            first: numbers(batch).filter(possible).min()?,
            last: numbers(batch).filter(possible).max()?,
        })
    };
    let told = batch.sent_records;
    told.filter(|range| possible(&range.first) && possible(&range.last))
        .or_else(here)
}

/// Takes the samples out of `batch`, which still says that it was sent with them; gives how many there were.
pub(super) fn shed_samples(batch: &mut v1::ReportBatch) -> usize {
    batch.sent_records = sent_records(batch);
    let shed = mem::take(&mut batch.samples).len();
    batch.first_sequence_number = numbers(batch).min().unwrap_or(0);
    shed
}

fn numbers(batch: &v1::ReportBatch) -> impl Iterator<Item = u64> {
    fn of<T: WireRecord>(records: &[T]) -> impl Iterator<Item = u64> {
        records.iter().map(WireRecord::sequence_number)
    }
    of(&batch.heartbeats)
        .chain(of(&batch.blind_spells))
        .chain(of(&batch.ready_changes))
        .chain(of(&batch.samples))
}

/// Converts `batch`, whose envelope was found right.
pub(super) fn batch(envelope: Envelope, mut batch: v1::ReportBatch) -> Converted {
    let sent_records = sent_records(&batch).map(|range| (range.first, range.last));
    let mut sieve = Sieve::new(envelope.sent);
    sieve.records("heartbeats", &batch.heartbeats);
    sieve.records("blind_spells", &batch.blind_spells);
    sieve.records("ready_changes", &batch.ready_changes);
    let looks = batch.samples.iter().filter_map(Look::of).collect();
    let sample = sieve
        .records("samples", &batch.samples)
        .map(|last| LatestSample::of(&batch.samples[last]));
    if batch.replay {
        sieve.distrust_own_connections();
    }
    sieve.sort();
    sieve.check_first(batch.first_sequence_number);
    let views = sieve.views(&mut batch.channel_views);
    let facts = batch
        .node_facts
        .and_then(|facts| sieve.part(part::facts(facts)));
    let settings = batch
        .kubelet_settings
        .and_then(|settings| sieve.part(part::settings(settings)));
    let losses = batch
        .losses
        .and_then(|losses| sieve.part(part::losses(&losses)));
    Converted {
        report: Report {
            node: envelope.node,
            agent: envelope.agent,
            sent: envelope.sent,
            sent_time: envelope.sent_time,
            records: sieve.kept,
            sent_records,
            dropped_before: batch.dropped_before,
            views,
            node_uid: facts.as_ref().and_then(part::uid),
            rhythm: settings.as_ref().map(part::rhythm),
            losses,
            replay: batch.replay,
        },
        news: News {
            views: batch.channel_views,
            sample,
            facts: facts.map(Box::new),
            settings: settings.map(Box::new),
            looks,
        },
        rejections: sieve.rejections,
    }
}

/// Keeps what makes sense and notes what does not.
struct Sieve {
    sent: Duration,
    kept: Vec<(u64, Record)>,
    rejections: Vec<v1::Rejection>,
}

impl Sieve {
    /// How long the samples of an earlier run waited to be sent is not known, and so not whether an aggregator that was away is why
    /// the agent's own connections lost packets.
    fn distrust_own_connections(&mut self) {
        for (_, record) in &mut self.kept {
            if let Record::Sample(facts) = record {
                facts.figures.unset(Figure::AgentRetransmits);
                facts.figures.unset(Figure::AgentTimeouts);
            }
        }
    }

    fn new(sent: Duration) -> Self {
        Self {
            sent,
            kept: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Converts one list of records; returns the index of the last one kept.
    fn records<T: WireRecord>(&mut self, list: &str, records: &[T]) -> Option<usize> {
        let (mut last_kept, mut before) = (None, 0);
        for (index, wire) in records.iter().enumerate() {
            let number = wire.sequence_number();
            let converted = check_number(number, before).and_then(|()| wire.convert(self.sent));
            if (1..=MAX_COUNT).contains(&number) {
                before = before.max(number);
            }
            match converted {
                Ok(record) => {
                    self.kept.push((number, record));
                    last_kept = Some(index);
                }
                Err(invalid) => self.reject(number, invalid.within(format!("{list}[{index}]"))),
            }
        }
        last_kept
    }

    /// Brings the records of all lists in order, and refuses a number that two lists use.
    fn sort(&mut self) {
        self.kept.sort_by_key(|(number, _)| *number);
        let twice: Vec<u64> = self
            .kept
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[0].0)
            .collect();
        self.kept.dedup_by_key(|(number, _)| *number);
        for number in twice {
            let reason = format!("{number} numbers two records: only the first was kept");
            self.reject(number, Invalid::new("sequence_number", reason));
        }
    }

    /// The batch's own word on its lowest number must agree with its records.
    fn check_first(&mut self, first: u64) {
        let lowest = self
            .rejections
            .iter()
            .map(|rejection| rejection.sequence_number)
            .filter(|number| *number > 0)
            .chain(self.kept.first().map(|(number, _)| *number))
            .min()
            .unwrap_or(0);
        if first != lowest {
            let reason = format!("is {first}, but the lowest record is {lowest}");
            self.reject(0, Invalid::new("first_sequence_number", reason));
        }
    }

    /// Converts the views of the channels and keeps those on the wire that make sense: one for each channel.
    fn views(&mut self, wire: &mut Vec<v1::ChannelView>) -> Vec<ChannelView> {
        let (mut views, mut kept) = (Vec::new(), Vec::<v1::ChannelView>::new());
        for (index, view) in mem::take(wire).into_iter().enumerate() {
            let stated = part::view(&view).and_then(|stated| {
                if kept.iter().any(|known| known.channel == view.channel) {
                    return Err(Invalid::new("channel", "has a view already"));
                }
                Ok(stated)
            });
            let within = |invalid: Invalid| invalid.within(format!("channel_views[{index}]"));
            if let Some(stated) = self.part(stated.map_err(within)) {
                views.extend(stated);
                kept.push(view);
            }
        }
        *wire = kept;
        views
    }

    /// Takes a part of the batch that is no record.
    fn part<T>(&mut self, part: Result<T, Invalid>) -> Option<T> {
        part.map_err(|invalid| self.reject(0, invalid)).ok()
    }

    fn reject(&mut self, sequence_number: u64, invalid: Invalid) {
        self.rejections.push(v1::Rejection {
            sequence_number,
            field: invalid.field,
            reason: invalid.reason,
        });
    }
}

fn check_number(number: u64, before: u64) -> Result<(), Invalid> {
    let reason = if number == 0 {
        "is missing"
    } else if number > MAX_COUNT {
        "is out of range"
    } else if number <= before {
        "must be larger than that of the record before"
    } else {
        return Ok(());
    };
    Err(Invalid::new("sequence_number", reason))
}
