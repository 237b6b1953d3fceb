//! The next run of records for a reader, bounded in number and bytes, and the state that goes with it.

use std::{io, mem};

use nodegrace_proto::v1::{AgentInstance, Losses, ReportBatch};
use nodegrace_spool::{Class, Cursor, PerClass, Position, ReadLimit};
use prost::{DecodeError, Message as _};
use tracing::error;

use super::{
    Journal,
    record::{self, Record},
    state::Told,
};
use crate::{moment::Moment, wire};

/// Bounds of one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// Most records.
    pub(crate) records: usize,
    /// Most bytes of records, as encoded. A single larger record travels alone.
    pub(crate) bytes: usize,
}

/// How far one stream to a replica has come. It is about one run of the agent: the one its first batch is of.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    cursor: Cursor,
    /// The spool's number of the run. `None` before the first batch.
    run: Option<u64>,
    told: Told,
}

impl Reader {
    /// A new stream, of what comes after `cursor`.
    pub(super) fn after(cursor: Cursor) -> Self {
        Self {
            cursor,
            run: None,
            told: Told::default(),
        }
    }

    /// The spool's number of the run that the stream is about; 0 before the first batch.
    pub(crate) fn run(&self) -> u64 {
        self.run.unwrap_or_default()
    }
}

/// What comes next for a reader.
#[derive(Debug)]
pub(crate) enum Next {
    /// A batch.
    Batch(Box<Contents>),
    /// Everything of the stream's run was read; what follows is of a later one.
    LaterRun,
}

/// What goes into a batch; the envelope is the uplink's.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// A batch with everything but the node's name and, unless it is a replay, the agent. Its losses are those of the spool.
    pub(crate) batch: ReportBatch,
    /// Records in it.
    pub(crate) records: usize,
    /// Number of the last of them; 0 when there are none.
    pub(crate) last: u64,
    /// Records left out because this version cannot read what another one kept.
    pub(crate) unreadable: usize,
    /// What to acknowledge once the replica keeps the batch.
    pub(crate) end: Cursor,
    /// True when the reader has everything now.
    pub(crate) complete: bool,
}

impl Journal {
    /// What comes next for a reader, which moves on.
    ///
    /// # Errors
    /// When the disk does not give back what it holds. Tried again, the spool gives up on it and counts it.
    pub(crate) fn next(&self, reader: &mut Reader, limits: BatchLimits) -> io::Result<Next> {
        let mut spool = self.spool();
        // State and time are those of the moment up to which the records reach, however long the disk then takes. It must not
        // make the writers wait.
        let (unwritten, mut batch, newest, told) = {
            let mut entries = self.entries();
            let mut told = reader.told;
            let batch = entries.state.tell(&mut told);
            let unwritten = entries.take();
            entries.readers = entries.readers.saturating_sub(1);
            (unwritten, batch, entries.newest, told)
        };
        let now = Moment::now(&self.clock);
        unwritten.append_to(&mut spool);
        self.note(&spool);
        let limit = ReadLimit {
            records: limits.records,
            bytes: limits.bytes,
        };
        let read = loop {
            match spool.read(&reader.cursor, limit)? {
                Some(read) if run_of(&read.instance).is_err() => {
                    error!(
                        records = read.records.len(),
                        "records of an unknown run are left out"
                    );
                    reader.cursor = read.end;
                }
                read => break read,
            }
        };
        let running = spool.instance().number;
        drop(spool);

        let of = read.as_ref().map_or(running, |read| read.instance.number);
        if *reader.run.get_or_insert(of) != of {
            return Ok(Next::LaterRun);
        }
        let mut contents = Contents {
            complete: true,
            ..Contents::default()
        };
        if of == running {
            batch.sent_monotonic = Some(wire::duration(now.monotonic));
            batch.sent_time = Some(wire::timestamp(now.wall));
            reader.told = told;
        } else {
            batch = ReportBatch {
                replay: true,
                agent: read.as_ref().and_then(|read| run_of(&read.instance).ok()),
                ..ReportBatch::default()
            };
        }
        if let Some(read) = read {
            let before = mem::replace(&mut reader.cursor, read.end).position();
            // The newest record may have found no place in the spool: then the next read finds nothing.
            contents.complete = of == running && read.end.position().sequence >= newest;
            contents.fill(&mut batch, &read);
            batch.dropped_before = dropped_before(&batch, before, of);
        }
        if reader.cursor.position().instance == of {
            batch.losses = losses(reader.cursor.missed());
        }
        contents.end = reader.cursor;
        contents.batch = batch;
        Ok(Next::Batch(Box::new(contents)))
    }
}

impl Contents {
    /// Puts what was read into a batch.
    fn fill(&mut self, batch: &mut ReportBatch, read: &nodegrace_spool::Batch) {
        for kept in &read.records {
            let Some(record) = Record::decode(kept) else {
                error!(class = ?kept.class, "a record in the spool cannot be read");
                self.unreadable += 1;
                continue;
            };
            if self.records == 0 {
                batch.first_sequence_number = kept.sequence;
            }
            if let Some(run) = batch.agent.as_ref().filter(|_| batch.replay) {
                // A sample is dated by when it began: what was written down last need not have happened last.
                let moment = record.monotonic().or(run.start_monotonic);
                batch.sent_monotonic = [batch.sent_monotonic, moment]
                    .into_iter()
                    .flatten()
                    .max_by_key(|time| (time.seconds, time.nanos));
                batch.sent_time = Some(record::recorded(kept));
            }
            record.travel(batch);
            self.records += 1;
            self.last = kept.sequence;
        }
    }
}

/// What the run that made some records said it is.
fn run_of(instance: &nodegrace_spool::Instance) -> Result<AgentInstance, DecodeError> {
    AgentInstance::decode(&*instance.identity)
}

/// How many records are gone between the place that a reader had reached and the first of its next batch, of this run. What was
/// gone before it came it did not miss.
fn dropped_before(batch: &ReportBatch, reached: Position, run: u64) -> u64 {
    let passed = match reached.instance {
        0 => return 0,
        reached_run if reached_run == run => reached.sequence,
        _ => 0,
    };
    batch.first_sequence_number.saturating_sub(passed + 1)
}

/// What a reader missed. `None`: nothing.
fn losses(missed: &PerClass<u64>) -> Option<Losses> {
    let losses = Losses {
        dropped_heartbeats: missed[Class::Heartbeat],
        dropped_samples: missed[Class::Sample],
        dropped_others: missed[Class::Other],
        rejected_records: 0,
    };
    (losses != Losses::default()).then_some(losses)
}
