//! Making room: what may go, what must go, and what gives way when the disk itself is full.

use std::{io, mem};

use super::Spool;
use crate::{
    class::Class,
    cursor::Position,
    limits::charge,
    log::{Segment, file_name},
    moment::{Moment, millis},
    segment::{self, Header},
};

/// A segment that is accounted for and whose file is to be removed.
#[derive(Debug)]
pub(super) struct Gone {
    class: Class,
    name: String,
    /// What its file may be charged.
    charge: u64,
}

impl Gone {
    pub(super) const fn new(class: Class, name: String, charge: u64) -> Self {
        Self {
            class,
            name,
            charge,
        }
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.name == name
    }
}

impl Spool {
    /// Lets go of segments that every replica has, that are too old, or in the way of an incoming payload.
    pub(super) fn make_room(&mut self, now: &Moment, incoming: Option<(Class, usize)>) {
        let unseen = now.millis() - millis(self.limits.forget_replica_after);
        self.replicas.forget_unseen_since(unseen);
        let acknowledged = self.replicas.acknowledged_by_all();
        let horizon = now.millis() - millis(self.limits.age);
        let header = Header::len(&self.instance.identity);
        let mut gone = Vec::new();
        for class in Class::ALL {
            while let Some(oldest) = self.logs[class].segments.front() {
                let log = &self.logs[class];
                let growth = match incoming {
                    Some((of, payload)) if of == class => log.growth(payload, header),
                    _ => 0,
                };
                let must =
                    oldest.newest < horizon || log.charged() + growth > self.limits.budget[class];
                if !must && !log.oldest_is_behind(acknowledged) {
                    break;
                }
                gone.extend(self.take_oldest(class, acknowledged));
            }
        }
        self.delete(gone, now);
    }

    /// Accounts for the oldest segment of a class as deleted.
    fn take_oldest(&mut self, class: Class, acknowledged: Position) -> Option<Gone> {
        let segment = self.logs[class].pop()?;
        let had = self.count_up_to(class, &segment, acknowledged);
        Some(self.settle(class, &segment, had))
    }

    /// Moves the records of a segment from held to acknowledged or dropped.
    fn settle(&mut self, class: Class, segment: &Segment, acknowledged: u64) -> Gone {
        let ledger = &mut self.logs[class].ledger;
        ledger.held -= segment.extent.held;
        ledger.acknowledged += acknowledged;
        ledger.dropped += segment.extent.held - acknowledged;
        self.state_changed = true;
        let name = file_name(class, segment.first);
        Gone::new(class, name, charge(segment.extent.len))
    }

    /// How many of a segment's records are at or before `position`. A file that cannot be read counts none.
    fn count_up_to(&mut self, class: Class, segment: &Segment, position: Position) -> u64 {
        if segment.last() <= position {
            return segment.extent.held;
        }
        if segment.instance.number != position.instance {
            return 0;
        }
        let read;
        let bytes = if let Some(bytes) = &segment.resident {
            bytes
        } else if let Some(files) = &mut self.files {
            let name = file_name(class, segment.first);
            read = files.read(&name, segment.extent.len).unwrap_or_default();
            &read
        } else {
            return 0;
        };
        let frames = segment::parse(bytes).map(|parsed| parsed.frames);
        let behind = frames
            .iter()
            .flatten()
            .filter(|frame| frame.sequence <= position.sequence);
        (behind.count() as u64).min(segment.extent.held)
    }

    /// Removes the files of segments that are accounted for.
    fn delete(&mut self, gone: Vec<Gone>, now: &Moment) {
        if self.files.is_some() && !gone.is_empty() {
            for gone in &gone {
                self.logs[gone.class].stuck += gone.charge;
            }
            self.stuck.extend(gone);
            self.commit(now);
        }
    }

    /// Writes down what changed in the account, and then removes the files that should be gone: a crash in between leaves files
    /// that the state says are gone, and opening removes them. What resists is charged and tried again by the next call.
    pub(super) fn commit(&mut self, now: &Moment) {
        if !self.state_changed && self.stuck.is_empty() {
            return;
        }
        let counted = self.write_state(now);
        if let Err(error) = &counted {
            self.note(error);
            if !self.disk_full {
                return;
            }
        }
        let Some(files) = &mut self.files else {
            return;
        };
        let mut resists = None;
        for gone in mem::take(&mut self.stuck) {
            match files.remove(&gone.name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    resists = Some(error);
                    self.stuck.push(gone);
                }
                _ => {
                    self.names_changed = true;
                    self.logs[gone.class].stuck -= gone.charge;
                }
            }
        }
        if counted.is_err() {
            // Writing the state needs space only on a file system that never writes in place: there the files had to go first.
            resists = self.write_state(now).err().or(resists);
        }
        if let Some(error) = resists {
            self.note(&error);
        }
    }

    /// Keeps what waits in memory within its bound. On a full disk the oldest segment of the lowest class gives way first; if
    /// that is not enough, somebody else took the space, and the oldest that waits goes.
    pub(super) fn bound_memory(&mut self, class: Class, now: &Moment) {
        if self.files.is_none() || self.logs[class].unwritten() <= self.limits.memory {
            return;
        }
        let acknowledged = self.replicas.acknowledged_by_all();
        if self.disk_full
            && let Some(victim) = self.victim(class)
        {
            let gone = self.take_oldest(victim, acknowledged);
            self.delete(gone.into_iter().collect(), now);
            self.write_or_note(class);
        }
        while self.logs[class].unwritten() > self.limits.memory {
            let gone = self.take_waiting(class, acknowledged);
            self.delete(gone.into_iter().collect(), now);
        }
    }

    /// The lowest class, down to `class`, whose oldest segment would free space.
    fn victim(&self, class: Class) -> Option<Class> {
        let frees = |class: &Class| {
            let segments = &self.logs[*class].segments;
            segments.len() > 1 && segments[0].unwritten() == 0
        };
        Class::ALL
            .into_iter()
            .rev()
            .take_while(|each| *each >= class)
            .find(frees)
    }

    /// Accounts for the oldest records of a class that are not on disk as dropped. The part of their segment that is on disk
    /// stays; without one, its file (a torn write may have left some of it) is to be removed.
    fn take_waiting(&mut self, class: Class, acknowledged: Position) -> Option<Gone> {
        let log = &mut self.logs[class];
        let index = log
            .segments
            .iter()
            .position(|segment| segment.unwritten() > 0)?;
        // Its records are numbered without holes, so the next one begins another segment.
        log.open &= index + 1 < log.segments.len();
        let mut segment = log.segments.remove(index)?;
        let had = self.count_up_to(class, &segment, acknowledged);
        if segment.written.len == 0 {
            return Some(self.settle(class, &segment, had));
        }
        let cut = segment.cut_to_written();
        if let Some(files) = &mut self.files {
            // What a torn write left behind would come back when the spool is opened; that is allowed for, not wanted.
            let _ = files.truncate(&file_name(class, segment.first), segment.extent.len);
        }
        let had = had - self.count_up_to(class, &segment, acknowledged).min(had);
        let log = &mut self.logs[class];
        log.ledger.held -= cut;
        log.ledger.acknowledged += had;
        log.ledger.dropped += cut - had;
        log.segments.insert(index, segment);
        self.state_changed = true;
        None
    }
}
