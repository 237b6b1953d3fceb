//! How far a watch is: what is answered from it is only as good as that.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Whether a watch is on, and up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The aggregator is not told to watch, or not told how.
    Off,
    /// The first list is not complete.
    Listing,
    /// Everything was listed, and changes come as they happen.
    Complete,
    /// Everything was listed once, and the watch is broken: changes are missing.
    Behind,
}

/// Everything a watch says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// How far it is.
    pub(crate) phase: Phase,
    /// Why it cannot go on, in words. Empty: it can.
    pub(crate) trouble: String,
    /// Since when it has been complete, or behind, on the machine's clock.
    pub(crate) since: Duration,
    /// How long the first list took. Absent: it is not complete.
    pub(crate) first_list: Option<Duration>,
    /// Objects and changes read.
    pub(crate) events: u64,
    /// Times everything had to be listed again.
    pub(crate) relists: u64,
}

/// Where a watch writes down how far it is.
#[derive(Debug)]
pub(super) struct Status(Mutex<Progress>);

impl Status {
    pub(super) const fn new(watched: bool) -> Self {
        Self(Mutex::new(Progress {
            phase: if watched { Phase::Listing } else { Phase::Off },
            trouble: String::new(),
            since: Duration::ZERO,
            first_list: None,
            events: 0,
            relists: 0,
        }))
    }

    pub(super) fn get(&self) -> Progress {
        self.change(|progress| progress.clone())
    }

    /// Counts an object or a change that was read.
    pub(super) fn read(&self) {
        self.change(|progress| progress.events += 1);
    }

    /// Everything was listed at `now`, of a watch that began at `begun`.
    pub(super) fn complete(&self, begun: Duration, now: Duration) {
        self.change(|progress| {
            if progress.first_list.is_none() {
                progress.first_list = Some(now.saturating_sub(begun));
            } else if progress.phase == Phase::Behind {
                progress.relists += 1;
            }
            progress.phase = Phase::Complete;
            progress.since = now;
            progress.trouble.clear();
        });
    }

    /// The watch goes on where it broke: nothing was missed.
    pub(super) fn resume(&self, now: Duration) {
        self.change(|progress| {
            if progress.phase == Phase::Behind {
                progress.phase = Phase::Complete;
                progress.since = now;
                progress.trouble.clear();
            }
        });
    }

    /// The watch broke.
    pub(super) fn fail(&self, trouble: &str, now: Duration) {
        self.change(|progress| {
            trouble.clone_into(&mut progress.trouble);
            if progress.phase == Phase::Complete {
                progress.phase = Phase::Behind;
                progress.since = now;
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress)
    }
}
