//! Records on their way into the spool: as many as may wait for a disk that stands still, and how many more there were.

use std::collections::VecDeque;

use nodegrace_spool::{Class, Ledger, Moment, PerClass, Spool};
use tracing::error;

/// Most records that wait for a disk that stands still: almost an hour of them. After that the oldest go, samples first and
/// heartbeats last: nobody who measures waits for a disk.
const MOST: usize = 1024;

/// Records that the spool was not given yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Ascending.
    records: VecDeque<Unwritten>,
    /// Older records of each class, dropped before they came to the spool.
    dropped: PerClass<u64>,
}

/// A record on its way into the spool.
#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) sequence: u64,
    pub(super) class: Class,
    pub(super) payload: Vec<u8>,
    pub(super) at: Moment,
}

impl Waiting {
    /// Records that wait.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// True when none does, or has to be told.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.dropped == PerClass::default()
    }

    /// Lines up a record, and drops the one that has to go for it.
    pub(super) fn push(&mut self, record: Unwritten) -> Option<Class> {
        self.records.push_back(record);
        if self.records.len() <= MOST {
            return None;
        }
        let mut lowest_first = Class::ALL.into_iter().rev();
        let oldest = lowest_first
            .find_map(|class| self.records.iter().position(|each| each.class == class))?;
        let dropped = self.records.remove(oldest)?.class;
        if self.dropped == PerClass::default() {
            error!("the disk stands still, the oldest records that wait for it are dropped");
        }
        self.dropped[dropped] += 1;
        Some(dropped)
    }

    /// Gives everything to the spool, which counts what it cannot take.
    pub(super) fn append_to(self, spool: &mut Spool) {
        // Of each class the oldest are dropped: all of them come before those that wait.
        for (class, dropped) in self.dropped.iter() {
            spool.forgo(class, *dropped);
        }
        for record in self.records {
            let appended = spool.append(record.class, record.sequence, &record.payload, record.at);
            if let Err(refusal) = appended {
                error!(class = ?record.class, error = %refusal, "a record is dropped");
            }
        }
    }

    /// The spool's account with what it was not given yet.
    pub(super) fn added_to(&self, mut account: PerClass<Ledger>) -> PerClass<Ledger> {
        for (class, dropped) in self.dropped.iter() {
            account[class].appended += dropped;
            account[class].dropped += dropped;
        }
        for record in &self.records {
            account[record.class].appended += 1;
            account[record.class].held += 1;
        }
        account
    }
}
