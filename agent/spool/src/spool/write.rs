//! From memory to the disk: records, what makes them durable, and the state.

use std::io;

use super::Spool;
use crate::{
    class::{Class, PerClass},
    log::{Extent, Segment, file_name},
    moment::Moment,
    state::{self, ClassState},
};

/// How long acknowledgements may stay unwritten, in milliseconds: losing them only sends records again, and writing the state
/// costs more than the records of that time.
const STATE_PERIOD: i64 = 30_000;

impl Spool {
    /// Makes everything appended survive a crash of the machine: one `fdatasync` for each segment written to since. Also tries
    /// again what the disk refused, and drops what became too old. Meant to be called every few seconds.
    ///
    /// # Errors
    /// The first failure. What was durable before still is; everything else is tried again by the next call.
    pub fn sync(&mut self, now: Moment) -> io::Result<()> {
        if self.files.is_none() {
            self.make_room(&now, None);
            return Ok(());
        }
        self.commit(&now);
        self.make_room(&now, None);
        let written = Class::ALL.map(|class| self.write(class));
        let synced = self.sync_segments();
        let state_due = self.state_changed
            || (self.replicas.changed && now.millis() - self.state_written >= STATE_PERIOD);
        let kept = if state_due {
            self.write_state(&now)
        } else {
            Ok(())
        };
        let result = written.into_iter().chain([synced, kept]).collect();
        match &result {
            Ok(()) => self.failing = None,
            Err(error) => self.note(error),
        }
        result
    }

    /// Writes what a class holds only in memory; a failure is noted.
    pub(super) fn write_or_note(&mut self, class: Class) {
        match self.write(class) {
            Ok(()) => self.failing = None,
            Err(error) => self.note(&error),
        }
    }

    /// Writes what a class holds only in memory, the oldest first.
    fn write(&mut self, class: Class) -> io::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let log = &mut self.logs[class];
        if log.charged() > self.limits.budget[class] {
            // Only while files that should be gone cannot be removed.
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let active = log.segments.len() - usize::from(log.open);
        // What is unwritten is the end of the log: writing goes from old to new and stops where it fails.
        let waiting = log
            .segments
            .iter()
            .rev()
            .take_while(|segment| segment.unwritten() > 0)
            .count();
        let first = log.segments.len() - waiting;
        for (index, segment) in log.segments.iter_mut().enumerate().skip(first) {
            if let Some(bytes) = &segment.resident {
                let name = file_name(class, segment.first);
                if self.stuck.iter().any(|gone| gone.has_name(&name)) {
                    // A torn file of an earlier run; once it is gone, its name is free.
                    return Err(io::ErrorKind::ResourceBusy.into());
                }
                let written = segment.written.len;
                files.write_at(&name, written, &bytes[written as usize..])?;
                self.names_changed |= written == 0;
            }
            segment.written = segment.extent;
            if index < active {
                segment.resident = None;
            }
        }
        Ok(())
    }

    /// Makes what was written survive a crash of the machine.
    fn sync_segments(&mut self) -> io::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let mut result = Ok(());
        for class in Class::ALL {
            let log = &mut self.logs[class];
            for segment in log
                .segments
                .iter_mut()
                .filter(|segment| segment.synced < segment.written.len)
            {
                match files.sync(&file_name(class, segment.first)) {
                    Ok(()) => segment.synced = segment.written.len,
                    Err(error)
                        if segment.resident.is_none()
                            && error.kind() == io::ErrorKind::NotFound =>
                    {
                        // Somebody deleted it: there is nothing left to make durable, now or later.
                        log.ledger.lose(segment.extent.held);
                        segment.vanish();
                    }
                    Err(error) => {
                        segment.distrust_file();
                        result = result.and(Err(error));
                    }
                }
            }
        }
        if self.names_changed && result.is_ok() {
            result = files.sync_directory();
            self.names_changed = result.is_err();
        }
        result
    }

    /// Writes the state, over the older one of the two.
    pub(super) fn write_state(&mut self, now: &Moment) -> io::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let classes = PerClass::from_fn(|class| {
            let log = &self.logs[class];
            ClassState::of(&log.ledger, log.held_from)
        });
        let generation = self.state_generation + 1;
        let bytes = state::encode(
            generation,
            self.instance.number,
            &classes,
            &self.replicas,
            |seen| now.wall_of(seen),
        );
        let name = state::name(generation);
        files.write_at(name, 0, &bytes)?;
        files.sync(name)?;
        self.state_generation = generation;
        self.state_changed = false;
        self.replicas.changed = false;
        self.state_written = now.millis();
        Ok(())
    }
}

impl Segment {
    /// After a failed sync nobody knows which pages reached the disk: what is still in memory is written anew.
    fn distrust_file(&mut self) {
        if self.resident.is_some() {
            self.written = Extent::default();
            self.synced = 0;
        }
    }
}
