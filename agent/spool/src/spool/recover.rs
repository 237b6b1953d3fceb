//! Taking over what lies in the directory: whatever it is, the spool works afterwards.

use std::{collections::BTreeMap, io, sync::Arc};

use super::{Spool, read::MOST_FAILED_READS, room::Gone};
use crate::{
    class::Class,
    error::OpenError,
    files::Files,
    limits::charge,
    log::{Extent, Segment, parse_file_name},
    moment::Moment,
    record::Instance,
    segment::{self, Parsed, Unreadable},
    state::{self, State},
};

/// What ends the name of a file that was set aside.
const ASIDE: &str = ".aside-";

/// A spool being opened.
pub(super) struct Opening<'a> {
    files: &'a mut dyn Files,
    /// Every file in the directory, with its length.
    names: Vec<(String, u64)>,
    /// Instances met, by number.
    instances: BTreeMap<u64, Arc<Instance>>,
    now: &'a Moment,
    spool: &'a mut Spool,
}

impl<'a> Opening<'a> {
    pub(super) fn new(files: &'a mut dyn Files, now: &'a Moment, spool: &'a mut Spool) -> Self {
        Self {
            files,
            names: Vec::new(),
            instances: BTreeMap::new(),
            now,
            spool,
        }
    }

    /// Takes over every file and begins an instance of this identity. When one cannot be read, nothing is removed yet.
    pub(super) fn run(mut self, identity: &[u8]) -> Result<(), OpenError> {
        self.names = self.files.list().map_err(OpenError::Unlisted)?;
        self.names.sort();
        self.count_set_aside();
        let state = self.read_state()?;
        self.spool.state_generation = state.generation;
        for (class, class_state) in state.classes.iter() {
            let log = &mut self.spool.logs[class];
            log.held_from = class_state.held_from;
            log.ledger.appended = class_state.appended;
            log.ledger.acknowledged = class_state.acknowledged;
            log.ledger.dropped = class_state.dropped;
        }
        // File names sort by class and ordinal.
        for (name, len) in self.names.clone() {
            if let Some((class, first)) = parse_file_name(&name) {
                self.take_segment(class, first, &name, len)?;
            }
        }
        for class in Class::ALL {
            let log = &mut self.spool.logs[class];
            log.ledger.balance();
            log.instance_first = log.ledger.appended + 1;
        }
        for (name, mut replica) in state.replicas {
            replica.seen = self.now.millis_of(replica.seen);
            self.spool.replicas.restore(name, replica);
        }
        let newest = self.instances.keys().next_back().copied().unwrap_or(0);
        self.spool.instance = Arc::new(Instance {
            number: newest.max(state.last_instance) + 1,
            identity: identity.into(),
        });
        Ok(())
    }

    fn count_set_aside(&mut self) {
        for (_, len) in self.names.iter().filter(|(name, _)| name.contains(ASIDE)) {
            self.spool.recovery.set_aside_files += 1;
            self.spool.recovery.set_aside_bytes += len;
        }
    }

    /// The newest whole state. Both files are brought to their size, so that writing them needs no space later.
    fn read_state(&mut self) -> Result<State, OpenError> {
        let mut states = Vec::new();
        let mut unreadable = false;
        for name in state::NAMES {
            let found = self.names.iter().find(|(found, _)| found == name);
            let mut len = found.map_or(0, |(_, len)| *len);
            let bytes = self.read(name, len)?;
            match state::parse(&bytes) {
                Ok(state) => states.push(state),
                Err(Unreadable::Newer { version }) => {
                    unreadable = true;
                    self.set_aside(name, version, len);
                    len = 0;
                }
                // Zeroes: it was not written to yet.
                Err(Unreadable::Damaged) => unreadable |= bytes.iter().any(|byte| *byte != 0),
            }
            self.grow_state(name, len);
        }
        self.spool.recovery.state_lost = unreadable && states.is_empty();
        let newest = states.into_iter().max_by_key(|state| state.generation);
        Ok(newest.unwrap_or_default())
    }

    /// A file's first bytes; none where there is no such file. What is there and cannot be read may be whole: taken for damaged,
    /// it would be removed.
    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, OpenError> {
        let mut failed = 0;
        loop {
            match self.files.read(name, limit) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(source) => {
                    failed += 1;
                    if failed >= MOST_FAILED_READS {
                        let name = name.to_owned();
                        return Err(OpenError::Unread { name, source });
                    }
                }
            }
        }
    }

    /// Gives a file of state its size, for good. On a full disk it has to do with the size it has.
    fn grow_state(&mut self, name: &str, len: u64) {
        let missing = (state::MOST as u64).saturating_sub(len);
        if missing > 0 {
            let _ = self
                .files
                .write_at(name, len, &vec![0; missing as usize])
                .and_then(|()| self.files.sync(name))
                .and_then(|()| self.files.sync_directory());
        }
    }

    fn take_segment(
        &mut self,
        class: Class,
        first: u64,
        name: &str,
        len: u64,
    ) -> Result<(), OpenError> {
        if first < self.spool.logs[class].held_from {
            // Accounted for; a crash came before it was removed.
            self.remove(class, name, len);
            return Ok(());
        }
        let bytes = self.read(name, segment::MOST_FILE)?;
        match segment::parse(&bytes) {
            Ok(parsed) if self.fits(class, first, &parsed) => {
                let whole = bytes.len() as u64 - parsed.torn_bytes;
                self.count(&parsed);
                if whole < len {
                    // Harmless when it fails: it is skipped and counted again next time.
                    let _ = self.files.truncate(name, whole);
                }
                self.push(class, &parsed, whole);
            }
            Err(Unreadable::Newer { version }) => self.set_aside(name, version, len),
            Ok(parsed) if parsed.frames.is_empty() => {
                // The crash came before its first record was whole.
                self.count(&parsed);
                self.remove(class, name, len);
            }
            Ok(_) | Err(Unreadable::Damaged) => {
                self.spool.recovery.unreadable_segments += 1;
                self.remove(class, name, len);
            }
        }
        Ok(())
    }

    /// Whether a segment has records, is what its name says, and follows the one before it.
    fn fits(&self, class: Class, first: u64, parsed: &Parsed<'_>) -> bool {
        let Some(frame) = parsed.frames.first() else {
            return false;
        };
        let begins = (parsed.header.instance, frame.sequence);
        let named = parsed.header.class == class && parsed.header.first == first;
        named
            && self.spool.logs[class].segments.back().is_none_or(|last| {
                let ends = last.last();
                last.first + last.span <= first && (ends.instance, ends.sequence) < begins
            })
    }

    fn count(&mut self, parsed: &Parsed<'_>) {
        let recovery = &mut self.spool.recovery;
        recovery.torn_segments += u64::from(parsed.torn_bytes > 0);
        recovery.torn_bytes += parsed.torn_bytes;
        recovery.damaged_spots += parsed.damaged_spots;
        recovery.damaged_bytes += parsed.damaged_bytes;
    }

    fn push(&mut self, class: Class, parsed: &Parsed<'_>, len: u64) {
        let (Some(oldest), Some(newest)) = (parsed.frames.first(), parsed.frames.last()) else {
            return;
        };
        let header = &parsed.header;
        let fresh = || {
            Arc::new(Instance {
                number: header.instance,
                identity: header.identity.as_slice().into(),
            })
        };
        let instance = Arc::clone(self.instances.entry(header.instance).or_insert_with(fresh));
        let extent = Extent {
            len,
            held: parsed.frames.len() as u64,
            last: newest.sequence,
        };
        let log = &mut self.spool.logs[class];
        log.ledger.held += extent.held;
        log.ledger.appended = log.ledger.appended.max(header.first - 1 + parsed.span());
        log.segments.push_back(Segment {
            instance,
            first: header.first,
            span: parsed.span(),
            seed: parsed.seed,
            oldest: self.now.millis_of(oldest.wall_millis),
            newest: self.now.millis_of(newest.wall_millis),
            extent,
            written: extent,
            // A crash of the process alone leaves it in the page cache: the first sync makes it durable.
            synced: 0,
            resident: None,
            failed_reads: 0,
        });
    }

    /// Renames a file of a newer version, so that going back to that version by hand remains possible.
    fn set_aside(&mut self, name: &str, version: u16, len: u64) {
        let taken = |candidate: &String| self.names.iter().any(|(name, _)| name == candidate);
        // Among one more candidates than there are files, one is free.
        let aside = (0..=self.names.len())
            .map(|number| format!("{name}.v{version}{ASIDE}{}", number + 1))
            .find(|candidate| !taken(candidate));
        if let Some(aside) = aside
            && self.files.rename(name, &aside).is_ok()
        {
            self.names.push((aside, len));
        }
        self.spool.recovery.set_aside_files += 1;
        self.spool.recovery.set_aside_bytes += len;
    }

    /// Has a file removed, once the state that was read is surely on disk: the process before may have been killed before it
    /// synced that, and a crash of the machine could take the state and leave the file gone.
    fn remove(&mut self, class: Class, name: &str, len: u64) {
        let charge = charge(len);
        self.spool.logs[class].stuck += charge;
        self.spool
            .stuck
            .push(Gone::new(class, name.to_owned(), charge));
    }
}
