//! How the store fares, for whoever asks.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::durations::Durations;

/// How the store fares.
#[derive(Debug, Default)]
pub(crate) struct Status {
    shed_samples: AtomicU64,
    waiting: AtomicUsize,
    failures: AtomicU64,
    commits: Durations,
    /// Why nothing can be written now. Empty: all is well.
    error: Mutex<String>,
}

impl Status {
    /// Samples not kept because the disk did not follow.
    pub(crate) fn shed_samples(&self) -> u64 {
        self.shed_samples.load(Ordering::Relaxed)
    }

    /// Goes on counting where an earlier run stopped.
    pub(crate) fn restore_shed(&self, samples: u64) {
        self.shed_samples.store(samples, Ordering::Relaxed);
    }

    /// Counts samples that are not kept.
    pub(crate) fn count_shed(&self, samples: usize) {
        self.shed_samples
            .fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// Batches that wait for the disk.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// So many batches more wait for the disk.
    pub(super) fn wait_more(&self, batches: usize) {
        self.waiting.fetch_add(batches, Ordering::Relaxed);
    }

    /// So many batches go to the disk now.
    pub(super) fn wait_less(&self, batches: usize) {
        self.waiting.fetch_sub(batches, Ordering::Relaxed);
    }

    /// Times writing failed in this run.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Why nothing can be written now. Empty: all is well.
    pub(crate) fn error(&self) -> String {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How long commits took in this run.
    pub(crate) const fn commits(&self) -> &Durations {
        &self.commits
    }

    /// Writing failed. Said once, however often it is tried.
    pub(super) fn fail(&self, error: &rusqlite::Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let reason = error.to_string();
        let before = self.change(reason.clone());
        if before != reason {
            tracing::error!(reason, "nothing can be written, so nothing is acknowledged");
        }
    }

    /// Writing succeeded, and took so long.
    pub(super) fn succeed(&self, took: Duration) {
        self.commits.add(took);
        if !self.change(String::new()).is_empty() {
            tracing::info!("writing works again");
        }
    }

    fn change(&self, error: String) -> String {
        let mut current = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, error)
    }
}
