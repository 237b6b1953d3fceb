//! The spool: three logs, the replicas' cursors, and the rules between them.

mod open;
mod read;
mod recover;
mod room;
mod write;

use std::{io, sync::Arc};

use crate::{
    class::{Class, PerClass},
    cursor::{Cursor, Position},
    error::{AppendError, NameTooLong},
    files::Files,
    ledger::Ledger,
    limits::Limits,
    log::Log,
    moment::{Moment, millis},
    record::Instance,
    recovery::{Condition, Recovery},
    replicas::{HistoryId, Replicas},
    segment::MOST_NUMBER,
};

/// Records are closed off into another segment after this share of the age limit, so that one segment never spans so long
/// that its newest record keeps its oldest far beyond the limit.
const SEGMENTS_PER_AGE: i64 = 8;

/// A bounded store of records, on disk or in memory.
///
/// Not for several threads at once: the agent's tasks share it behind one lock. Every call is short: at most a few small file
/// operations; `read` reads the segments it returns records of.
#[derive(Debug)]
pub struct Spool {
    /// `None`: memory only.
    files: Option<Box<dyn Files>>,
    limits: Limits,
    logs: PerClass<Log>,
    replicas: Replicas,
    instance: Arc<Instance>,
    last_sequence: u64,
    /// Files that should be gone and could not be removed.
    stuck: Vec<room::Gone>,
    /// Ledgers changed in a way that the segments do not tell.
    state_changed: bool,
    /// Files were made, renamed or removed since the directory was synced.
    names_changed: bool,
    /// Generation of the state on disk.
    state_generation: u64,
    /// When the state was written last, in milliseconds of monotonic time.
    state_written: i64,
    /// The last write failed because the disk is full.
    disk_full: bool,
    failures: u64,
    failing: Option<String>,
    recovery: Recovery,
}

impl Spool {
    /// The running instance: what is appended is its.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Appends a record of the running instance. Sequence numbers ascend over all classes.
    ///
    /// The record is in the page cache when this returns, so that it survives the end of the process; [`Spool::sync`] makes
    /// it survive a crash of the machine. A disk that refuses it is not an error here: the record waits in memory, within
    /// [`Limits::memory`], and [`Spool::condition`] says why. What has to make room is counted in the ledger.
    ///
    /// # Errors
    /// [`AppendError`] when the record makes no sense; the spool is as good as before.
    pub fn append(
        &mut self,
        class: Class,
        sequence: u64,
        payload: &[u8],
        now: Moment,
    ) -> Result<(), AppendError> {
        if sequence <= self.last_sequence {
            return Err(AppendError::OutOfOrder {
                given: sequence,
                last: self.last_sequence,
            });
        }
        if sequence > MOST_NUMBER {
            return Err(AppendError::BeyondCounting(sequence));
        }
        self.last_sequence = sequence;
        let most = self.limits.most_payload(class);
        if payload.len() > most {
            self.forgo(class, 1);
            return Err(AppendError::TooLarge {
                given: payload.len(),
                most,
            });
        }
        let horizon = now.millis() - millis(self.limits.age) / SEGMENTS_PER_AGE;
        self.logs[class].close_full(payload.len(), horizon);
        self.make_room(&now, Some((class, payload.len())));
        self.logs[class].push(&self.instance, sequence, &now, payload);
        self.write_or_note(class);
        self.bound_memory(class, &now);
        self.commit(&now);
        Ok(())
    }

    /// Counts the next `records` of a class as appended and dropped: there were so many, and there was no room to bring them here.
    /// A reader that comes by misses them. Nothing is written at once, and of a crash before the next [`Spool::sync`] the
    /// account may not know them.
    pub fn forgo(&mut self, class: Class, records: u64) {
        if records == 0 {
            return;
        }
        let log = &mut self.logs[class];
        log.ledger.appended += records;
        log.ledger.dropped += records;
        // Ordinals within a segment have no holes, so the next record begins another one.
        log.close();
        self.state_changed = true;
    }

    /// The cursor of a replica: where it stopped, or the oldest record held for one that is not known. From now on nothing it
    /// has not acknowledged is deleted but by a bound.
    ///
    /// # Errors
    /// [`NameTooLong`] for a name longer than any DNS name.
    pub fn connect(&mut self, replica: &str, now: Moment) -> Result<Cursor, NameTooLong> {
        let start = self.start();
        self.replicas.connect(replica, start, now.millis())
    }

    /// The history that a connected replica turns out to keep. Where another one is known to have acknowledged under its name,
    /// the replica starts over: gives its cursor then, at the oldest record held.
    pub fn identify(&mut self, replica: &str, history: Option<HistoryId>) -> Option<Cursor> {
        let start = self.start();
        self.replicas.identify(replica, history, start)
    }

    /// Before the oldest record held.
    fn start(&self) -> Cursor {
        Cursor {
            position: Position::default(),
            passed: PerClass::from_fn(|class| self.logs[class].first_held() - 1),
            missed: PerClass::default(),
        }
    }

    /// A replica keeps everything up to `cursor`, which a read gave. An older one than before changes nothing, nor does a
    /// replica that was forgotten and did not connect again. Segments that every known replica has are deleted.
    pub fn acknowledge(&mut self, replica: &str, cursor: &Cursor, now: Moment) {
        self.replicas.acknowledge(replica, cursor, now.millis());
        self.make_room(&now, None);
    }

    /// The known replicas and up to where each acknowledged.
    pub fn replicas(&self) -> impl Iterator<Item = (&str, Position)> {
        self.replicas
            .iter()
            .map(|(name, replica)| (name, replica.cursor.position))
    }

    /// Writes down everything. The directory is let go of when this is dropped.
    ///
    /// # Errors
    /// What the disk said; records and counts that could not be written end with the process.
    pub fn close(&mut self, now: Moment) -> io::Result<()> {
        self.sync(now)?;
        self.write_state(&now)
    }

    /// The account of each class.
    pub fn ledger(&self) -> PerClass<Ledger> {
        PerClass::from_fn(|class| self.logs[class].ledger)
    }

    /// What opening found.
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// How it fares.
    pub fn condition(&self) -> Condition {
        let logs = || self.logs.iter().map(|(_, log)| log);
        let on_disk = self.files.is_some();
        Condition {
            failures: self.failures,
            failing: self.failing.clone(),
            unwritten_bytes: if on_disk {
                logs().map(Log::unwritten).sum()
            } else {
                0
            },
            disk_bytes: if on_disk {
                logs().map(Log::on_disk).sum()
            } else {
                0
            },
        }
    }

    fn note(&mut self, error: &io::Error) {
        self.failures += 1;
        self.failing = Some(error.to_string());
        self.disk_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
    }
}
