//! A disk that stands still or brings down whoever uses it, when a test says so.

use std::{
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use nodegrace_proto::v1::AgentInstance;
use nodegrace_spool::{Directory, Files, Limits, Spool};
use prost::Message as _;

use super::{super::*, BYTES};

/// Longest wait for it, in real time: a test that waits for the disk fails, and does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Works,
    /// Every operation waits until it works again, and panics where that takes too long for a test.
    StandsStill,
    /// Every operation panics.
    Panics,
}

/// A real directory with a manner of its own. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Fickle {
    disk: Arc<Mutex<Directory>>,
    manner: Arc<(Mutex<Manner>, Condvar)>,
}

impl Fickle {
    pub(crate) fn at(directory: &Path) -> Self {
        Self {
            disk: Arc::new(Mutex::new(Directory::lock(directory, "a test").unwrap())),
            manner: Arc::new((Mutex::new(Manner::Works), Condvar::new())),
        }
    }

    /// A journal on this disk.
    pub(crate) fn journal(&self, clock: &Clock) -> Journal {
        let spool = Spool::open_on(
            Box::new(self.clone()),
            &AgentInstance::default().encode_to_vec(),
            Limits::of_bytes(BYTES),
            Moment {
                monotonic: clock.now(),
                wall: clock.wall(),
            },
        );
        Journal::on(spool.unwrap(), true, clock.clone())
    }

    pub(crate) fn behave(&self, manner: Manner) {
        let (current, changed) = &*self.manner;
        *current.lock().unwrap() = manner;
        changed.notify_all();
    }

    /// The directory, once it may be used.
    fn disk(&self) -> MutexGuard<'_, Directory> {
        let (current, changed) = &*self.manner;
        let current = current.lock().unwrap();
        let stands = |manner: &mut Manner| *manner == Manner::StandsStill;
        let waited = changed.wait_timeout_while(current, PATIENCE, stands);
        let manner = *waited.unwrap().0;
        assert!(manner == Manner::Works, "the disk brings its user down");
        self.disk.lock().unwrap()
    }
}

impl Files for Fickle {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.disk().list()
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.disk().read(name, limit)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk().write_at(name, offset, bytes)
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.disk().truncate(name, len)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.disk().sync(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.disk().sync_directory()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk().rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk().remove(name)
    }
}
