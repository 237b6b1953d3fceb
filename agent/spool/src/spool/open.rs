//! Opening: whatever lies in the directory, the spool works afterwards.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use super::{Spool, room::Gone};
use crate::{
    class::{Class, PerClass},
    error::OpenError,
    files::{Directory, Files},
    limits::{Limits, charge},
    log::{Extent, Log, Segment, parse_file_name},
    moment::Moment,
    record::Instance,
    recovery::Recovery,
    replicas::Replica,
    segment::{self, MOST_IDENTITY, Parsed, Unreadable},
    state::{self, State},
};

/// What ends the name of a file that was set aside.
const ASIDE: &str = ".aside-";

impl Spool {
    /// Opens the spool in a directory, making it when there is none, and begins a new instance. Reads all of it once, to know
    /// what is whole.
    ///
    /// `holder` is who opens it, for the error of whoever comes second; `identity` is the running instance, sent with its
    /// records.
    ///
    /// # Errors
    /// [`OpenError`] when the directory is in use or out of reach, or an argument makes no sense. Damage is no error:
    /// [`Spool::recovery`] tells it.
    pub fn open(
        directory: &Path,
        holder: &str,
        identity: &[u8],
        limits: Limits,
        now: Moment,
    ) -> Result<Self, OpenError> {
        let files = Directory::lock(directory, holder)?;
        Self::open_on(Box::new(files), identity, limits, now)
    }

    /// Opens a spool that keeps everything in memory, within the same budgets, and forgets it when it is dropped.
    ///
    /// # Errors
    /// [`OpenError`] when an argument makes no sense.
    pub fn in_memory(identity: &[u8], limits: Limits) -> Result<Self, OpenError> {
        Self::empty(None, identity, limits)
    }

    /// Opens the spool on any files: as [`Spool::open`], which locks a directory for it.
    ///
    /// # Errors
    /// [`OpenError`] when the files cannot be listed or an argument makes no sense.
    pub fn open_on(files: Box<dyn Files>, identity: &[u8], limits: Limits, now: Moment) -> Result<Self, OpenError> {
        let mut spool = Self::empty(Some(files), identity, limits)?;
        spool.recover(identity, &now).map_err(OpenError::Unlisted)?;
        spool.make_room(&now, None);
        Ok(spool)
    }

    fn empty(files: Option<Box<dyn Files>>, identity: &[u8], limits: Limits) -> Result<Self, OpenError> {
        limits.check()?;
        if identity.len() > MOST_IDENTITY {
            return Err(OpenError::IdentityTooLong(identity.len()));
        }
        Ok(Self {
            files,
            logs: PerClass::from_fn(|class| Log::new(class, limits.segment_bytes(class))),
            limits,
            replicas: Default::default(),
            instance: Arc::new(Instance {
                number: 1,
                identity: identity.into(),
            }),
            last_sequence: 0,
            stuck: Vec::new(),
            state_changed: false,
            names_changed: true,
            state_written: 0,
            disk_full: false,
            failures: 0,
            failing: None,
            recovery: Recovery::default(),
        })
    }

    fn recover(&mut self, identity: &[u8], now: &Moment) -> io::Result<()> {
        let Some(mut files) = self.files.take() else {
            return Ok(());
        };
        let result = Opening {
            files: files.as_mut(),
            names: Vec::new(),
            instances: BTreeMap::new(),
            now,
            spool: self,
        }
        .run(identity);
        self.files = Some(files);
        result
    }
}

/// A spool being opened.
struct Opening<'a> {
    files: &'a mut dyn Files,
    /// Every file in the directory, with its length.
    names: Vec<(String, u64)>,
    /// Instances met, by number.
    instances: BTreeMap<u64, Arc<Instance>>,
    now: &'a Moment,
    spool: &'a mut Spool,
}

impl Opening<'_> {
    fn run(mut self, identity: &[u8]) -> io::Result<()> {
        self.names = self.files.list()?;
        self.names.sort();
        self.count_set_aside();
        // Left by a crash while the state was written; the state itself is whole.
        let _ = self.files.remove(state::DRAFT);
        let state = self.read_state();
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
                self.take_segment(class, first, &name, len);
            }
        }
        for class in Class::ALL {
            let log = &mut self.spool.logs[class];
            log.ledger.balance();
            log.instance_first = log.ledger.appended + 1;
        }
        for (name, Replica { cursor, seen }) in state.replicas {
            let seen = self.now.millis_of(seen);
            self.spool.replicas.restore(name, Replica { cursor, seen });
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

    fn read_state(&mut self) -> State {
        let Some((_, len)) = self.names.iter().find(|(name, _)| name == state::NAME) else {
            return State::default();
        };
        let len = *len;
        let bytes = self.files.read(state::NAME, state::MOST_FILE).unwrap_or_default();
        state::parse(&bytes).unwrap_or_else(|unreadable| {
            self.spool.recovery.state_lost = true;
            if let Unreadable::Newer { version } = unreadable {
                self.set_aside(state::NAME, version, len);
            }
            State::default()
        })
    }

    fn take_segment(&mut self, class: Class, first: u64, name: &str, len: u64) {
        if first < self.spool.logs[class].held_from {
            // Accounted for; a crash came before it was removed.
            self.remove(class, name, len);
            return;
        }
        let bytes = self.files.read(name, segment::MOST_FILE).unwrap_or_default();
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
            instance_first: header.instance_first,
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
        let aside = (1u64..)
            .map(|number| format!("{name}.v{version}{ASIDE}{number}"))
            .find(|candidate| !taken(candidate));
        if let Some(aside) = aside
            && self.files.rename(name, &aside).is_ok()
        {
            self.names.push((aside, len));
        }
        self.spool.recovery.set_aside_files += 1;
        self.spool.recovery.set_aside_bytes += len;
    }

    fn remove(&mut self, class: Class, name: &str, len: u64) {
        if self.files.remove(name).is_err() {
            let charge = charge(len);
            self.spool.logs[class].stuck += charge;
            self.spool.stuck.push(Gone::new(class, name.to_owned(), charge));
        }
    }
}
