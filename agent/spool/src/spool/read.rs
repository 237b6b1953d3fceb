//! Reading: the classes merged into one order.

use std::{collections::VecDeque, io, sync::Arc};

use super::Spool;
use crate::{
    class::{Class, PerClass},
    cursor::{Cursor, Position},
    log::file_name,
    moment::wall,
    record::{Batch, Instance, ReadLimit, Record},
    segment,
};

/// Times a segment's file may fail to be read before its records count as lost: a reader must not stand still before a bad
/// sector for ever, nor lose a segment to a passing lack of file handles.
pub(super) const MOST_FAILED_READS: u32 = 3;

/// A record on its way into a batch.
struct Numbered {
    record: Record,
    ordinal: u64,
}

/// One class while it is merged.
#[derive(Default)]
struct Lane {
    /// Records read and not merged yet, ascending.
    ready: VecDeque<Numbered>,
    /// Index of the segment to read next.
    next: usize,
}

impl Spool {
    /// The records behind a cursor, all of one instance. `None`: there is none yet.
    ///
    /// # Errors
    /// A segment's file cannot be read. Tried again, it is given up after some times and its records count as lost.
    pub fn read(&mut self, after: &Cursor, limit: ReadLimit) -> io::Result<Option<Batch>> {
        // A segment may turn out to be damaged only now; each turn but the last one finds at least one to have no record.
        while let Some(instance) = self.instance_behind(after.position) {
            let mut batch = Batch {
                instance: Instance::clone(&instance),
                records: Vec::new(),
                end: *after,
            };
            self.merge(&mut batch, limit)?;
            if !batch.records.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The instance of the first record behind a position.
    fn instance_behind(&self, position: Position) -> Option<Arc<Instance>> {
        self.logs
            .iter()
            .filter_map(|(_, log)| {
                log.segments
                    .iter()
                    .find(|segment| segment.reaches_behind(position))
            })
            .map(|segment| &segment.instance)
            .min_by_key(|instance| instance.number)
            .cloned()
    }

    fn merge(&mut self, batch: &mut Batch, limit: ReadLimit) -> io::Result<()> {
        let after = batch.end.position;
        let mut lanes = PerClass::<Lane>::default();
        let mut bytes = 0;
        while batch.records.len() < limit.records.max(1) {
            for class in Class::ALL {
                self.fill(class, &mut lanes[class], batch.instance.number, after)?;
            }
            let sequence =
                |class: &Class| lanes[*class].ready.front().map(|next| next.record.sequence);
            let first = Class::ALL
                .into_iter()
                .filter(|class| sequence(class).is_some())
                .min_by_key(sequence);
            let Some(Numbered { record, ordinal }) =
                first.and_then(|class| lanes[class].ready.pop_front())
            else {
                break;
            };
            bytes += record.payload.len();
            if bytes > limit.bytes && !batch.records.is_empty() {
                break;
            }
            let position = Position {
                instance: batch.instance.number,
                sequence: record.sequence,
            };
            batch.end.pass(position, record.class, ordinal);
            batch.records.push(record);
        }
        Ok(())
    }

    /// Reads on in a class until a record is ready or its part of the instance ends.
    fn fill(
        &mut self,
        class: Class,
        lane: &mut Lane,
        instance: u64,
        after: Position,
    ) -> io::Result<()> {
        while lane.ready.is_empty()
            && let Some(segment) = self.logs[class].segments.get(lane.next)
            && segment.instance.number <= instance
        {
            if segment.reaches_behind(after) {
                lane.ready = self.load(class, lane.next, after)?;
            }
            lane.next += 1;
        }
        Ok(())
    }

    /// The records of a segment behind a position.
    fn load(
        &mut self,
        class: Class,
        index: usize,
        after: Position,
    ) -> io::Result<VecDeque<Numbered>> {
        let log = &mut self.logs[class];
        let segment = &mut log.segments[index];
        let read;
        let bytes = match (&segment.resident, &mut self.files) {
            (Some(bytes), _) => bytes,
            (None, None) => return Ok(VecDeque::new()),
            (None, Some(files)) => {
                match files.read(&file_name(class, segment.first), segment.extent.len) {
                    Ok(bytes) => {
                        read = bytes;
                        &read
                    }
                    Err(error) => {
                        segment.failed_reads += 1;
                        if error.kind() == io::ErrorKind::NotFound
                            || segment.failed_reads >= MOST_FAILED_READS
                        {
                            log.ledger.lose(segment.extent.held);
                            segment.vanish();
                            return Ok(VecDeque::new());
                        }
                        self.note(&error);
                        return Err(error);
                    }
                }
            }
        };
        let frames = segment::parse(bytes).map_or(Vec::new(), |parsed| parsed.frames);
        let whole = frames.len() as u64;
        let position = |sequence| Position {
            instance: segment.instance.number,
            sequence,
        };
        let records = frames
            .iter()
            .filter(|frame| position(frame.sequence) > after)
            .map(|frame| Numbered {
                record: Record {
                    class,
                    sequence: frame.sequence,
                    recorded: wall(frame.wall_millis),
                    payload: frame.payload.to_vec(),
                },
                ordinal: segment.first + u64::from(frame.index),
            })
            .collect();
        let last = frames.last().map_or(0, |frame| frame.sequence);
        if whole < segment.extent.held {
            log.ledger.lose(segment.extent.held - whole);
            segment.extent.held = whole;
            segment.extent.last = last;
            segment.written = segment.extent;
        }
        Ok(records)
    }
}
