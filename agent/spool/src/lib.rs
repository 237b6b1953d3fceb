//! The agent's spool: records kept, within bounds, until every aggregator replica has them.
//!
//! An agent appends records and syncs every few seconds; each replica reads from its own [`Cursor`] and acknowledges; segments
//! that all of them have are deleted. The spool reads no clock and starts no thread: every call is handed a [`Moment`]. Without
//! a directory ([`Spool::in_memory`]) the same rules hold in memory, so that an agent has one way to keep its records.
//!
//! # What survives
//!
//! | event | what is left |
//! |---|---|
//! | the process ends, by whatever signal | every record whose [`Spool::append`] returned while the disk took it; acknowledgements since the state was written last, which a [`Spool::sync`] does at the earliest 30 s after the one before unless something was deleted, are forgotten, so that some records are sent again |
//! | the machine crashes | everything before the last [`Spool::sync`] that returned `Ok`; of later records, any |
//! | a write is torn | the records before it; the torn end is cut off when the spool is opened |
//! | a bit flips | every record but the one it is in |
//! | a file cannot be read, though it is there | all of it: the spool is not opened until it can; of one that is open, everything but the records in it |
//! | the disk is full | records wait in memory; then the oldest samples make room; then the oldest waiting go |
//! | the limit is reached | the newest records of each class; the oldest go, by whole segments |
//!
//! Nothing goes uncounted: each class has a [`Ledger`] in which `appended` equals the sum of what is held, acknowledged, dropped
//! and lost, over the life of the spool. (What a machine's crash took before it was synced, a spool may not know of; it is not
//! in `appended` then.) A reader learns from its [`Cursor::missed`] what it did not get.
//!
//! # On disk
//!
//! A directory holds `lock`, two files of state, and segments, `CLASS-ORDINAL.seg`. All numbers are little-endian; checksums are
//! CRC-32 (IEEE). Every record of a class has an *ordinal*, counted from 1 through all instances; a segment is named by that of
//! its first record and holds records of one class and one instance. Opening the spool begins a new instance and new segments.
//!
//! A segment begins with two equal copies of a header, so that a flipped bit cannot take the instance from its records:
//!
//! | bytes | header |
//! |---|---|
//! | 8 | `ngspool\n` |
//! | 2 | format version, 1 |
//! | 2 | length of this copy, checksum included |
//! | 8 | number of the instance, from 1 |
//! | 8 | ordinal of the segment's first record |
//! | 8 | ordinal at which the instance began in this class |
//! | 1 | class: 1 heartbeat, 2 other, 3 sample |
//! | 0 to 1024 | the instance's identity, opaque |
//! | 4 | checksum of the copy so far |
//!
//! Frames follow, one for each record, each appended by one write:
//!
//! | bytes | frame |
//! |---|---|
//! | 4 | length of the payload, at most 64 KiB |
//! | 4 | index in the segment, from 0: its ordinal minus the segment's |
//! | 8 | sequence number in the instance, from 1 |
//! | 8 | wall time of the append, milliseconds since the Unix epoch, signed |
//! | 4 | checksum of the payload |
//! | 4 | checksum of the frame so far |
//! | n | payload |
//!
//! Frame checksums start from the header's, so that a stale block of another segment never passes. Where no whole frame begins,
//! a reader goes on byte by byte until one does.
//!
//! The state lies in `state-0` and `state-1` by turns; the newer whole one counts. Both have their full size from the start:
//! writing them in place needs no space on a full disk (where the file system allows), just when something has to be deleted.
//!
//! | bytes | state |
//! |---|---|
//! | 8 | `ngstate\n` |
//! | 2 | format version, 1 |
//! | 4 | length, checksum included |
//! | 8 | generation: even in `state-0`, odd in `state-1` |
//! | 8 | number of the last instance |
//! | 3 x 32 | for each class: records appended, acknowledged, dropped; ordinal below which every segment is deleted |
//! | 1 | number of replicas |
//! | n | for each: length of its name (1), name, position (instance, sequence: 16), for each class the last ordinal passed and the records missed (3 x 16), wall time it was seen (8) |
//! | 16 x n | for each: id of its history, 0 where it is not known; versions before the first with ids wrote none |
//! | 4 | checksum |
//!
//! Order of writes: a state is written, and synced, before the segments it calls deleted are removed, and opening removes what
//! the state calls deleted only after syncing a state of its own. So a crash at any point leaves either a segment that is still
//! counted as held or a file that opening removes, and the number of lost records is always the difference.
//!
//! Files of a newer version (magic, version, length and checksum stay where they are) are renamed to `NAME.vVERSION.aside-N` and
//! left alone: they are not counted against the limit, and whoever goes back to that version can rename them.

mod class;
mod cursor;
mod error;
mod files;
mod ledger;
mod limits;
mod log;
mod moment;
mod record;
mod recovery;
mod replicas;
pub mod segment;
mod spool;
mod state;

pub use self::{
    class::{Class, PerClass},
    cursor::{Cursor, Position},
    error::{AppendError, NameTooLong, OpenError},
    files::{Directory, Files},
    ledger::Ledger,
    limits::Limits,
    moment::Moment,
    record::{Batch, Instance, ReadLimit, Record},
    recovery::{Condition, Recovery},
    replicas::HistoryId,
    spool::Spool,
};
