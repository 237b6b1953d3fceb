//! A real directory, locked for one process.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process,
};

use super::Files;
use crate::error::OpenError;

/// The file that is locked. It stays when the spool is closed: removing it would let two processes lock two files of one name.
const LOCK: &str = "lock";

/// Most bytes read of another holder's name.
const MOST_HOLDER: u64 = 256;

/// A directory on disk. Files are opened for each operation: one write every few seconds does not earn a cache of handles,
/// and there is none to go stale.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held for its lock, which the kernel gives back however the process ends.
    _lock: File,
}

impl Directory {
    /// Locks the directory, making it when there is none. `holder` says who locks it, to whoever comes second.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when it is locked already, naming the holder; [`OpenError::Directory`] when it cannot be used.
    pub fn lock(path: &Path, holder: &str) -> Result<Self, OpenError> {
        let failed = |action| {
            move |source| OpenError::Directory {
                action,
                directory: path.to_owned(),
                source,
            }
        };
        fs::create_dir_all(path).map_err(failed("make"))?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(failed("open the lock of"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse {
                    directory: path.to_owned(),
                    holder: name_in(&lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // On a full disk the name is missing from the error of whoever comes second; the lock holds all the same.
        let _ = lock
            .set_len(0)
            .and_then(|()| writeln!(lock, "{holder} (pid {})", process::id()));
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.path.join(name))
    }
}

/// The holder's name in a lock file.
fn name_in(lock: &File) -> String {
    let mut name = String::new();
    match lock.take(MOST_HOLDER).read_to_string(&mut name) {
        Ok(_) if !name.trim().is_empty() => name.trim().replace('\n', " "),
        _ => "an unnamed process".to_owned(),
    }
}

impl Files for Directory {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let Ok(name) = entry.file_name().into_string()
                && metadata.is_file()
            {
                files.push((name, metadata.len()));
            }
        }
        Ok(files)
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?
            .take(limit)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join(name))?
            .write_all_at(bytes, offset)
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.open(name)?.set_len(len)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        // The kernel writes back the file's pages whichever handle asks.
        self.open(name)?.sync_data()
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}
