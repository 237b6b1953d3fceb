//! One process for one data directory.
//!
//! `SQLite`'s own locks would keep people's sqlite3 out as well, so there is a lock file beside the database.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    thread,
    time::Duration,
};

use super::OpenError;

/// How often, and how many times, the lock is tried: an aggregator that is being replaced is gone within 5 s.
const RETRY: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 100;

/// Held as long as the file is open.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code, reason = "closing it is what frees the lock")] File);

impl Lock {
    /// Takes the lock of `directory`. Waits for a process that is about to end; blocks meanwhile.
    ///
    /// # Errors
    /// When another process keeps it, or the file cannot be opened.
    pub(super) fn of(directory: &Path) -> Result<Self, OpenError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(OpenError::Directory)?;
        for _ in 0..ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(RETRY),
                Err(TryLockError::Error(error)) => return Err(OpenError::Directory(error)),
            }
        }
        Err(OpenError::Locked)
    }
}
