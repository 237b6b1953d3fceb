//! What a disk holds: what was written, and what of it would survive a crash of the machine.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
};

use rand::{Rng, rngs::StdRng};

/// Bytes that reach the platter together: small, so that records are torn in the middle.
const SECTOR: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) content: Vec<u8>,
    pub(super) durable: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Made(String, u64),
    Renamed(String, String),
    Removed(String),
}

#[derive(Debug)]
pub(super) struct Platter {
    pub(super) files: BTreeMap<u64, File>,
    pub(super) names: BTreeMap<String, u64>,
    pub(super) durable_names: BTreeMap<String, u64>,
    /// Changes of names since the directory was synced, which a crash may undo from some point on.
    pub(super) name_changes: Vec<NameChange>,
    pub(super) next: u64,
    pub(super) capacity: u64,
    pub(super) writes: u64,
    pub(super) crash_at: Option<u64>,
    pub(super) failing: u64,
    /// The next reads of files whose names begin so fail.
    pub(super) unreadable: Option<(String, u64)>,
    pub(super) down: bool,
    pub(super) peak: u64,
    pub(super) random: StdRng,
}

impl Platter {
    pub(super) fn lose_unsynced(&mut self) {
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
    pub(super) fn begin(&mut self) -> io::Result<bool> {
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

    pub(super) fn used(&self) -> u64 {
        let lens = self
            .names
            .values()
            .map(|file| self.files[file].content.len() as u64);
        lens.sum()
    }

    pub(super) fn change_name(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.name_changes.push(change);
    }

    pub(super) fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let file = self.names.get(name).ok_or(ErrorKind::NotFound)?;
        self.files.get_mut(file).ok_or(ErrorKind::NotFound.into())
    }

    pub(super) fn make(&mut self, name: &str) {
        if !self.names.contains_key(name) {
            let file = self.next;
            self.next += 1;
            self.files.insert(file, File::default());
            self.change_name(NameChange::Made(name.to_owned(), file));
        }
    }

    pub(super) fn write(
        &mut self,
        name: &str,
        offset: u64,
        bytes: &[u8],
        torn: bool,
    ) -> io::Result<()> {
        let room = self.capacity.saturating_sub(self.used());
        let offset = offset as usize;
        let file = self.file(name)?;
        let growth = (offset + bytes.len()).saturating_sub(file.content.len());
        let full = growth as u64 > room;
        let mut len = bytes.len();
        if full {
            len -= growth - room as usize;
        }
        let len = if torn {
            self.random.random_range(0..=len)
        } else {
            len
        };
        let file = self.file(name)?;
        if file.content.len() < offset + len {
            file.content.resize(offset + len, 0);
        }
        file.content[offset..offset + len].copy_from_slice(&bytes[..len]);
        let blocks = self
            .names
            .values()
            .map(|file| self.files[file].content.len().div_ceil(4096));
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
