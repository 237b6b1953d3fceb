//! A disk in memory that keeps what was synced apart from what was only written.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use nodegrace_spool::Files;
use rand::{SeedableRng, rngs::StdRng};

use super::platter::{NameChange, Platter};

/// How the process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// It was killed: everything written is there.
    Process,
    /// The machine went down: of what was not synced, anything may be there, in pieces. The seed decides.
    Machine(u64),
}

/// The disk: a clone is the same disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Platter {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            next: 1,
            capacity: u64::MAX,
            writes: 0,
            crash_at: None,
            failing: 0,
            unreadable: None,
            down: false,
            peak: 0,
            random: StdRng::seed_from_u64(1),
        })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    /// Everything that changes something counts as a write point.
    pub(crate) fn writes(&self) -> u64 {
        self.platter().writes
    }

    /// At this write point the process dies, in the middle of the write.
    pub(crate) fn crash_at(&self, write: u64) {
        self.platter().crash_at = Some(write);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.platter().down
    }

    /// Others leave this many bytes to the spool.
    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.platter().capacity = bytes;
    }

    /// The next operations that change something fail.
    pub(crate) fn fail_next(&self, operations: u64) {
        self.platter().failing = operations;
    }

    /// So many reads of files whose names begin so fail.
    pub(crate) fn fail_reads(&self, of: &str, times: u64) {
        self.platter().unreadable = Some((of.to_owned(), times));
    }

    /// Most bytes that were on it at any time, in blocks of 4 KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.platter().peak
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.platter().names.keys().cloned().collect()
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let platter = self.platter();
        platter.files[&platter.names[name]].content.clone()
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let _ = self.clone().remove(name);
        self.clone().write_at(name, 0, bytes).unwrap();
    }

    pub(crate) fn delete(&self, name: &str) {
        self.clone().remove(name).unwrap();
    }

    /// Bytes in all files.
    pub(crate) fn used(&self) -> u64 {
        self.platter().used()
    }

    /// A copy that shares nothing with this one.
    pub(crate) fn copy(&self) -> Self {
        let platter = self.platter();
        let copy = Self::new();
        {
            let mut other = copy.platter();
            other.files.clone_from(&platter.files);
            other.names.clone_from(&platter.names);
            other.durable_names.clone_from(&platter.durable_names);
            other.next = platter.next;
        }
        copy
    }

    /// The process is gone; the disk works again.
    pub(crate) fn restart(&self, crash: Crash) {
        let mut platter = self.platter();
        platter.down = false;
        platter.crash_at = None;
        platter.failing = 0;
        if let Crash::Machine(seed) = crash {
            platter.random = StdRng::seed_from_u64(seed);
            platter.lose_unsynced();
        }
    }
}

impl Files for Disk {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let platter = self.platter();
        let list = platter.names.iter();
        Ok(list
            .map(|(name, file)| (name.clone(), platter.files[file].content.len() as u64))
            .collect())
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut platter = self.platter();
        if let Some((of, times)) = &mut platter.unreadable
            && name.starts_with(&*of)
            && *times > 0
        {
            *times -= 1;
            return Err(io::Error::other("a read failed"));
        }
        let mut bytes = platter.file(name)?.content.clone();
        bytes.truncate(limit as usize);
        Ok(bytes)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.platter();
        let torn = platter.begin()?;
        platter.make(name);
        platter.write(name, offset, bytes, torn)
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut platter = self.platter();
        platter.begin()?;
        platter.file(name)?.content.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut platter = self.platter();
        let cut_short = platter.begin()?;
        let file = platter.file(name)?;
        if cut_short {
            return Err(io::Error::other("killed before the sync"));
        }
        file.durable.clone_from(&file.content);
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut platter = self.platter();
        if platter.begin()? {
            return Err(io::Error::other("killed before the sync"));
        }
        platter.name_changes.clear();
        platter.durable_names = platter.names.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut platter = self.platter();
        platter.begin()?;
        platter.file(from)?;
        platter.change_name(NameChange::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut platter = self.platter();
        platter.begin()?;
        platter.file(name)?;
        platter.change_name(NameChange::Removed(name.to_owned()));
        Ok(())
    }
}
