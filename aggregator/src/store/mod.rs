//! The history on disk: `SQLite` in the data directory, one writer.
//!
//! A batch is kept in four steps, and what is answered follows what is on disk:
//!
//! 1. an agent's stream hands it to the writer's queue, with the few that had come behind it, and reads no further;
//! 2. the [`writer`] appends all that waits to the [`log`], usually as one row, and commits (group commit: what arrives while the disk is
//!    busy makes the next group, so a slow disk makes larger groups and later acknowledgements, never more memory);
//! 3. the committed batches are applied to the fleet, in the order of the log;
//! 4. they are acknowledged.
//!
//! So the fleet is at every moment what the log says. Node by node, snapshots of it are taken, and rows leave the log once
//! snapshots hold all that they say; a start reads the snapshots and applies the rest of the log as if it came again. Nothing is
//! written before a batch is known to make sense, and nothing is acknowledged before it is on disk.
//!
//! Without a data directory a batch is applied and acknowledged at once, and a restart forgets it.

mod database;
mod durations;
mod error;
mod flips;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod heartbeats;
mod lock;
mod log;
mod restore;
mod row;
mod schema;
mod snapshot;
mod status;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use nodegrace_proto::v1::ReportBatch;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tonic::{Status as GrpcStatus, metadata::AsciiMetadataValue};

pub use self::error::OpenError;
pub(crate) use self::{database::Database, restore::restore, status::Status, writer::Writer};
use crate::{
    aggregator::Parts,
    register::{Batch, OpenStream},
};

/// Streams that may wait for the writer, each with what it keeps together: a few batches at most. So this bounds how many streams
/// wait here and how many before it; either way they wait. A disk that syncs in 10 ms takes a full queue in some 100 ms.
const QUEUE: usize = 1024;

/// Below so much room in the queue samples are not kept any more: the disk does not follow.
const SHED_BELOW: usize = QUEUE / 2;

/// Where batches go.
#[derive(Debug)]
pub(crate) struct Store {
    /// Absent: memory only.
    disk: Option<Disk>,
    status: Arc<Status>,
    /// The id of the history, as agents are told.
    history: AsciiMetadataValue,
}

#[derive(Debug)]
struct Disk {
    queue: mpsc::Sender<Waiting>,
    /// Until the servers start.
    writer: Mutex<Option<Writer>>,
}

/// A batch that is to be kept.
#[derive(Debug)]
pub(crate) struct ToKeep {
    /// The batch as the fleet takes it.
    pub(crate) batch: Batch,
    /// The batch as the log has it.
    pub(crate) wire: Vec<u8>,
    /// Samples that were left out of it, to be counted once it is kept.
    pub(crate) shed: usize,
    /// Records of it that were refused, to be counted then as well.
    pub(crate) refused: usize,
}

/// Batches of one stream that wait to be kept in one commit.
#[derive(Debug)]
struct Waiting {
    batches: Vec<ToKeep>,
    answer: oneshot::Sender<Kept>,
}

/// What became of batches that are kept together.
#[derive(Debug)]
pub(crate) enum Kept {
    /// They are kept: on disk where there is one. The first batch of a stream about now opens it.
    Applied(Option<OpenStream>),
    /// There are as many nodes as may be: not all of them are kept.
    NoRoom,
}

impl Store {
    /// A store that forgets.
    pub(crate) fn memory() -> Self {
        Self {
            disk: None,
            status: Arc::default(),
            history: told(rand::random()),
        }
    }

    /// A store on disk, that what `database` holds was restored from up to row `last_row`.
    pub(crate) fn disk(
        database: Database,
        restored: restore::Restored,
        status: Arc<Status>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let history = told(restored.history);
        let writer = Writer::new(database, restored, waiting, Arc::clone(&status));
        Self {
            disk: Some(Disk {
                queue,
                writer: Mutex::new(Some(writer)),
            }),
            status,
            history,
        }
    }

    /// True when what is kept survives a restart.
    pub(crate) const fn is_durable(&self) -> bool {
        self.disk.is_some()
    }

    /// The id of the history: another one for each database and, in memory, for each run.
    pub(crate) const fn history(&self) -> &AsciiMetadataValue {
        &self.history
    }

    /// How it fares.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// The writer, for the one who runs it. Absent: memory only, or taken already.
    pub(crate) fn writer(&self) -> Option<Writer> {
        let disk = self.disk.as_ref()?;
        let mut writer = disk.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.take()
    }

    /// True when batches come faster than the disk takes them.
    pub(crate) fn is_behind(&self) -> bool {
        let disk = self.disk.as_ref();
        disk.is_some_and(|disk| disk.queue.capacity() < SHED_BELOW)
    }

    /// Batches that wait for the disk. Absent: memory only.
    pub(crate) fn waiting(&self) -> Option<usize> {
        self.disk.as_ref().map(|_| self.status.waiting())
    }

    /// What the log keeps of `batch`; nothing where there is none.
    pub(crate) fn encode(&self, batch: &ReportBatch) -> Vec<u8> {
        if self.is_durable() {
            batch.encode_to_vec()
        } else {
            Vec::new()
        }
    }

    /// Keeps `batches` of one stream together. Waits as long as the disk takes.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the aggregator stops first: whether they are kept is then unknown, and they must be sent again.
    pub(crate) async fn keep(
        &self,
        parts: &Arc<Parts>,
        batches: Vec<ToKeep>,
    ) -> Result<Kept, GrpcStatus> {
        let Some(disk) = &self.disk else {
            let kept = batches
                .into_iter()
                .map(|to_keep| parts.register.take(parts, to_keep.counted(parts).0).0);
            return Ok(kept.fold(Kept::Applied(None), Kept::and));
        };
        let (answer, kept) = oneshot::channel();
        let room = disk.queue.reserve().await.map_err(|_| stopped())?;
        self.status.wait_more(batches.len());
        room.send(Waiting { batches, answer });
        kept.await.map_err(|_| stopped())
    }
}

impl ToKeep {
    /// The batch, and what the log has of it, once what is not kept of it is counted. Whoever comes again because nothing was kept is
    /// so counted once.
    fn counted(self, parts: &Parts) -> (Batch, Vec<u8>) {
        parts.store.status.count_shed(self.shed);
        parts.register.count_rejected_records(self.refused);
        (self.batch, self.wire)
    }
}

impl Kept {
    /// What became of these and of another one.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Applied(opened), Self::Applied(also)) => Self::Applied(opened.or(also)),
            (Self::NoRoom, _) | (_, Self::NoRoom) => Self::NoRoom,
        }
    }
}

fn stopped() -> GrpcStatus {
    GrpcStatus::unavailable("the aggregator stops")
}

/// The id of a history as agents are told.
fn told(history: u128) -> AsciiMetadataValue {
    let digits = format!("{history:032x}");
    AsciiMetadataValue::try_from(digits).expect("digits are ASCII")
}
