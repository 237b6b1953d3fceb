//! The few file operations the spool is made of.
//!
//! A trait for one reason: the tests run the spool on a simulated disk that tears writes, fills up, flips bits and crashes at
//! every operation.

mod directory;

use std::{fmt::Debug, io};

pub use self::directory::Directory;

/// A flat directory of files. Every operation is synchronous and small.
pub trait Files: Debug + Send {
    /// The names and lengths of all files. Names that are not UTF-8 are left out: they are not the spool's.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;

    /// The file's first bytes, at most `limit`.
    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>>;

    /// Writes at `offset`, in one write where the system takes it; makes the file when there is none. After an error some of
    /// `bytes` may have been written.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()>;

    /// Makes the file's content survive a crash of the machine; its name may need [`Files::sync_directory`].
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Makes names survive a crash of the machine: files made, renamed and removed.
    fn sync_directory(&mut self) -> io::Result<()>;

    /// Gives a file another name, replacing what had it, in one step.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}
