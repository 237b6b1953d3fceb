//! What is known, in one place: the fleet and, beside it, what its maths has no use for.
//!
//! Agents' streams and the passing of time write ([`write`](mod@write)); whoever asks reads ([`read`]). Every lock is held for
//! one batch, for one chunk of [`VISIT`] nodes or for a glance at [`GLANCE`] of them, so neither side waits for the other's whole
//! work.

mod beside;
mod changes;
mod course;
mod latest_sample;
mod read;
mod standings;
mod stream;
mod write;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use nodegrace_core::{Fleet, SettingsError};

pub(crate) use self::{
    beside::{Beside, News},
    course::{Course, Look, STEP as COURSE_STEP},
    latest_sample::LatestSample,
    read::{Glance, Known},
    standings::Roster,
    stream::OpenStream,
    write::Batch,
};
use self::{changes::Changes, standings::Standings};
use crate::Config;

/// Nodes looked at under one lock: some hundred microseconds of work.
pub(crate) const VISIT: usize = 64;
/// Nodes glanced at under one lock: some hundred microseconds as well.
const GLANCE: usize = 16_384;

/// What is known of all nodes.
#[derive(Debug)]
pub(crate) struct Register {
    contents: RwLock<Contents>,
    max_nodes: usize,
    rejected_records: AtomicU64,
    rejected_streams: AtomicU64,
}

#[derive(Debug)]
struct Contents {
    fleet: Fleet,
    beside: HashMap<Arc<str>, Beside>,
    changes: Changes,
    standings: Standings,
    /// Nodes forgotten so far.
    forgotten: u64,
}

impl Register {
    /// A register of no node.
    ///
    /// # Errors
    /// When the settings are no controller's.
    pub(crate) fn new(config: &Config) -> Result<Self, SettingsError> {
        Ok(Self {
            contents: RwLock::new(Contents {
                fleet: Fleet::new(config.fleet)?,
                beside: HashMap::new(),
                changes: Changes::default(),
                standings: Standings::default(),
                forgotten: 0,
            }),
            max_nodes: config.limits.nodes,
            rejected_records: AtomicU64::new(0),
            rejected_streams: AtomicU64::new(0),
        })
    }

    /// Counts a stream that was refused.
    pub(crate) fn count_rejected_stream(&self) {
        self.rejected_streams.fetch_add(1, Ordering::Relaxed);
    }

    /// Streams refused so far.
    pub(crate) fn rejected_streams(&self) -> u64 {
        self.rejected_streams.load(Ordering::Relaxed)
    }

    /// Counts records that were refused.
    pub(crate) fn count_rejected_records(&self, records: usize) {
        self.rejected_records
            .fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Records refused so far.
    pub(crate) fn rejected_records(&self) -> u64 {
        self.rejected_records.load(Ordering::Relaxed)
    }

    /// Goes on counting where an earlier run stopped.
    pub(crate) fn restore_counts(&self, records: u64, streams: u64) {
        self.rejected_records.store(records, Ordering::Relaxed);
        self.rejected_streams.store(streams, Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        // A panic in one stream must not take the answers from everybody; figures half updated are still figures.
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
