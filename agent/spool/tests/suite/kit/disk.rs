//! A disk in memory that keeps what was synced apart from what was only written.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard},
};

use nodegrace_spool::Files;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// How the process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// It was killed: everything written is there.
    Process,
    /// The machine went down: of what was not synced, anything may be there, in pieces. The seed decides.
    Machine(u64),
}

/// Bytes that reach the platter together: small, so that records are torn in the middle.
const SECTOR: usize = 64;

#[derive(Clone, Debug, Default)]
struct File {
    content: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Made(String, u64),
    Renamed(String, String),
    Removed(String),
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<u64, File>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since the directory was synced, which a crash may undo from some point on.
    name_changes: Vec<NameChange>,
    next: u64,
    capacity: u64,
    writes: u64,
    crash_at: Option<u64>,
    failing: u64,
    down: bool,
    peak: u64,
    random: StdRng,
}

/// The disk: a clone is the same disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            next: 1,
            capacity: u64::MAX,
            writes: 0,
            crash_at: None,
            failing: 0,
            down: false,
            peak: 0,
            random: StdRng::seed_from_u64(1),
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Everything that changes something counts as a write point.
    pub(crate) fn writes(&self) -> u64 {
        self.inner().writes
    }

    /// At this write point the process dies, in the middle of the write.
    pub(crate) fn crash_at(&self, write: u64) {
        self.inner().crash_at = Some(write);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.inner().down
    }

    /// Others leave this many bytes to the spool.
    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.inner().capacity = bytes;
    }

    /// The next operations that change something fail.
    pub(crate) fn fail_next(&self, operations: u64) {
        self.inner().failing = operations;
    }

    /// Most bytes that were on it at any time, in blocks of 4 KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.inner().peak
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.inner().names.keys().cloned().collect()
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let inner = self.inner();
        inner.files[&inner.names[name]].content.clone()
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.clone().create(name, bytes).unwrap();
    }

    /// A copy that shares nothing with this one.
    pub(crate) fn copy(&self) -> Self {
        let inner = self.inner();
        let copy = Self::new();
        {
            let mut other = copy.inner();
            other.files.clone_from(&inner.files);
            other.names.clone_from(&inner.names);
            other.durable_names.clone_from(&inner.durable_names);
            other.next = inner.next;
        }
        copy
    }

    /// The process is gone; the disk works again.
    pub(crate) fn restart(&self, crash: Crash) {
        let mut inner = self.inner();
        inner.down = false;
        inner.crash_at = None;
        inner.failing = 0;
        if let Crash::Machine(seed) = crash {
            inner.random = StdRng::seed_from_u64(seed);
            inner.lose_unsynced();
        }
    }
}

impl Inner {
    fn lose_unsynced(&mut self) {
        let survive = self.random.random_range(0..=self.name_changes.len());
        self.names = self.durable_names.clone();
        for change in self.name_changes.drain(..).take(survive) {
            apply(&mut self.names, change);
        }
        self.durable_names = self.names.clone();
        for file in self.files.values_mut() {
            let shortest = file.durable.len().min(file.content.len());
            let longest = file.durable.len().max(file.content.len());
            let len = self.random.random_range(shortest..=longest);
            let mut after = file.durable.clone();
            after.resize(len, 0);
            for (sector, written) in after.chunks_mut(SECTOR).zip(file.content.chunks(SECTOR)) {
                if self.random.random_bool(0.7) {
                    let same = sector.len().min(written.len());
                    sector[..same].copy_from_slice(&written[..same]);
                }
            }
            file.durable.clone_from(&after);
            file.content = after;
        }
    }

    /// Begins an operation that changes something. `Some(true)`: it is cut short.
    fn begin(&mut self) -> io::Result<bool> {
        if self.down {
            return Err(io::Error::other("the process is dead"));
        }
        self.writes += 1;
        if self.failing > 0 {
            self.failing -= 1;
            return Err(io::Error::other("an operation failed"));
        }
        self.down = self.crash_at == Some(self.writes);
        Ok(self.down)
    }

    fn used(&self) -> u64 {
        let lens = self.names.values().map(|file| self.files[file].content.len() as u64);
        lens.sum()
    }

    fn change_name(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.name_changes.push(change);
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let file = self.names.get(name).ok_or(ErrorKind::NotFound)?;
        self.files.get_mut(file).ok_or(ErrorKind::NotFound.into())
    }

    fn make(&mut self, name: &str) {
        if !self.names.contains_key(name) {
            let file = self.next;
            self.next += 1;
            self.files.insert(file, File::default());
            self.change_name(NameChange::Made(name.to_owned(), file));
        }
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8], torn: bool) -> io::Result<()> {
        let room = self.capacity.saturating_sub(self.used());
        let offset = offset as usize;
        let file = self.file(name)?;
        let growth = (offset + bytes.len()).saturating_sub(file.content.len());
        let full = growth as u64 > room;
        let mut len = bytes.len();
        if full {
            len -= growth - room as usize;
        }
        let len = if torn { self.random.random_range(0..=len) } else { len };
        let file = self.file(name)?;
        if file.content.len() < offset + len {
            file.content.resize(offset + len, 0);
        }
        file.content[offset..offset + len].copy_from_slice(&bytes[..len]);
        let blocks = self.names.values().map(|file| self.files[file].content.len().div_ceil(4096));
        self.peak = self.peak.max(blocks.sum::<usize>() as u64 * 4096);
        if torn {
            Err(io::Error::other("killed while writing"))
        } else if full {
            Err(ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: NameChange) {
    match change {
        NameChange::Made(name, file) => {
            names.insert(name, file);
        }
        NameChange::Renamed(from, to) => {
            if let Some(file) = names.remove(&from) {
                names.insert(to, file);
            }
        }
        NameChange::Removed(name) => {
            names.remove(&name);
        }
    }
}

impl Files for Disk {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let inner = self.inner();
        let list = inner.names.iter();
        Ok(list
            .map(|(name, file)| (name.clone(), inner.files[file].content.len() as u64))
            .collect())
    }

    fn read(&mut self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut inner = self.inner();
        let mut bytes = inner.file(name)?.content.clone();
        bytes.truncate(limit as usize);
        Ok(bytes)
    }

    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        let torn = inner.begin()?;
        inner.make(name);
        inner.file(name)?.content.clear();
        inner.write(name, 0, bytes, torn)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        let torn = inner.begin()?;
        inner.make(name);
        inner.write(name, offset, bytes, torn)
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin()?;
        inner.file(name)?.content.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.inner();
        let cut_short = inner.begin()?;
        let file = inner.file(name)?;
        if cut_short {
            return Err(io::Error::other("killed before the sync"));
        }
        file.durable.clone_from(&file.content);
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.begin()? {
            return Err(io::Error::other("killed before the sync"));
        }
        inner.name_changes.clear();
        inner.durable_names = inner.names.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin()?;
        inner.file(from)?;
        inner.change_name(NameChange::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin()?;
        inner.file(name)?;
        inner.change_name(NameChange::Removed(name.to_owned()));
        Ok(())
    }
}
