//! What opening a spool found, and how it fares.

use crate::class::PerClass;

/// What opening the spool found. Losses of records are in the ledgers; this says how they came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments whose end was torn by a crash, and cut off.
    pub torn_segments: u64,
    /// Bytes cut off there.
    pub torn_bytes: u64,
    /// Places in the middle of segments that were skipped because their checksums do not match.
    pub damaged_spots: u64,
    /// Bytes skipped there.
    pub damaged_bytes: u64,
    /// Segments without a readable header or out of order, which were removed.
    pub unreadable_segments: u64,
    /// Files of a newer version in the directory, under a name that ends in `.aside-N`. Nothing of this version reads,
    /// counts or removes them.
    pub set_aside_files: u64,
    /// Their bytes.
    pub set_aside_bytes: u64,
    /// Records of each class that had to go at once: they were too old by the wall clock, or the bounds are tighter now.
    pub dropped: PerClass<u64>,
    /// True when no state is readable, because of damage or a newer version: replicas start anew, and what was deleted before counts as lost.
    pub state_lost: bool,
}

/// How the spool fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Operations on files that failed since the spool was opened.
    pub failures: u64,
    /// Why the last write or sync failed. `None`: it did not.
    pub failing: Option<String>,
    /// Bytes that wait in memory because the disk refused them. Without a directory everything is in memory and this is 0.
    pub unwritten_bytes: u64,
    /// Bytes on disk, whole blocks, without what was set aside. 0 without a directory.
    pub disk_bytes: u64,
}
