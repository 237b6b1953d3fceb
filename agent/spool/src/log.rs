//! The log of one class: its segments from the oldest to the one being written, and its account.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    class::Class,
    cursor::Position,
    ledger::Ledger,
    limits::{BLOCK, charge},
    moment::Moment,
    record::Instance,
    segment::{Frame, HEAD, Header},
};

/// How far a segment reaches, in memory or on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Its bytes, header included.
    pub(crate) len: u64,
    /// Records in it that can be read.
    pub(crate) held: u64,
    /// Sequence number of the last one.
    pub(crate) last: u64,
}

/// One segment: a run of records of one class and one instance.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) instance: Arc<Instance>,
    /// Ordinal of its first record; names its file.
    pub(crate) first: u64,
    /// Ordinals it covers, lost records included.
    pub(crate) span: u64,
    /// What the checksums of its frames start from.
    pub(crate) seed: u32,
    /// When its first and its last record were appended, in milliseconds of monotonic time.
    pub(crate) oldest: i64,
    pub(crate) newest: i64,
    /// All of it.
    pub(crate) extent: Extent,
    /// The part that is in its file.
    pub(crate) written: Extent,
    /// Bytes that survive a crash of the machine.
    pub(crate) synced: u64,
    /// Its bytes, while it is written to or not in its file yet.
    pub(crate) resident: Option<Vec<u8>>,
    /// Times its file could not be read.
    pub(crate) failed_reads: u32,
}

impl Segment {
    /// The position of its last record that can be read.
    pub(crate) fn last(&self) -> Position {
        Position {
            instance: self.instance.number,
            sequence: self.extent.last,
        }
    }

    /// Bytes that are not in its file yet.
    pub(crate) const fn unwritten(&self) -> u64 {
        self.extent.len - self.written.len
    }

    /// Whether it has a record behind a position.
    pub(crate) fn reaches_behind(&self, position: Position) -> bool {
        self.extent.held > 0 && self.last() > position
    }

    /// Takes note that none of it can be read any more.
    pub(crate) fn vanish(&mut self) {
        self.extent.held = 0;
        self.written = self.extent;
        self.synced = self.extent.len;
    }

    /// Forgets what is not in its file; returns how many records that were.
    pub(crate) fn cut_to_written(&mut self) -> u64 {
        let cut = self.extent.held - self.written.held;
        self.extent = self.written;
        self.resident = None;
        cut
    }
}

/// The name of a segment's file.
pub(crate) fn file_name(class: Class, first: u64) -> String {
    format!("{}-{first:020}.seg", class.name())
}

/// The class and first ordinal in the name of a segment's file. `None`: it is no such name.
pub(crate) fn parse_file_name(name: &str) -> Option<(Class, u64)> {
    let (class, ordinal) = name.strip_suffix(".seg")?.split_once('-')?;
    let class = Class::ALL.into_iter().find(|each| each.name() == class)?;
    let first = ordinal.parse().ok()?;
    (file_name(class, first) == name).then_some((class, first))
}

/// The log of one class.
#[derive(Debug)]
pub(crate) struct Log {
    class: Class,
    segment_bytes: u64,
    pub(crate) segments: VecDeque<Segment>,
    /// True while the last segment takes records.
    pub(crate) open: bool,
    pub(crate) ledger: Ledger,
    /// Every ordinal below is accounted for as deleted or lost.
    pub(crate) held_from: u64,
    /// Ordinal at which the running instance began.
    pub(crate) instance_first: u64,
    /// Bytes of files that could not be removed, as they are charged.
    pub(crate) stuck: u64,
}

impl Log {
    pub(crate) fn new(class: Class, segment_bytes: u64) -> Self {
        Self {
            class,
            segment_bytes,
            segments: VecDeque::new(),
            open: false,
            ledger: Ledger::default(),
            held_from: 1,
            instance_first: 1,
            stuck: 0,
        }
    }

    /// What its segments are charged, whether they are on disk yet or not.
    pub(crate) fn charged(&self) -> u64 {
        let lens = self.segments.iter().map(|segment| segment.extent.len);
        lens.map(charge).sum::<u64>() + self.stuck
    }

    /// What its files are charged.
    pub(crate) fn on_disk(&self) -> u64 {
        let lens = self.segments.iter().map(|segment| segment.written.len);
        lens.map(charge).sum::<u64>() + self.stuck
    }

    /// Bytes that wait in memory because the disk refused them.
    pub(crate) fn unwritten(&self) -> u64 {
        self.segments.iter().map(Segment::unwritten).sum()
    }

    /// The segment that takes records.
    fn active(&self) -> Option<&Segment> {
        self.segments.back().filter(|_| self.open)
    }

    /// By how much the charge grows with a record of this payload; `header` is what a new segment needs on top.
    pub(crate) fn growth(&self, payload: usize, header: usize) -> u64 {
        let frame = (HEAD + payload) as u64;
        match self.active() {
            Some(active) => charge(active.extent.len + frame) - charge(active.extent.len),
            None => charge(header as u64 + frame),
        }
    }

    /// Closes the segment being written when it is full for such a record, or began before `horizon`.
    pub(crate) fn close_full(&mut self, payload: usize, horizon: i64) {
        if let Some(active) = self.active()
            && (active.extent.len + (HEAD + payload) as u64 > self.segment_bytes
                || active.oldest < horizon)
        {
            self.close();
        }
    }

    /// Closes the segment being written: the next record begins another one.
    pub(crate) fn close(&mut self) {
        self.open = false;
        if let Some(last) = self.segments.back_mut()
            && last.unwritten() == 0
        {
            last.resident = None;
        }
    }

    /// Appends a record in memory.
    pub(crate) fn push(
        &mut self,
        instance: &Arc<Instance>,
        sequence: u64,
        now: &Moment,
        payload: &[u8],
    ) {
        self.ledger.appended += 1;
        self.ledger.held += 1;
        if !self.open {
            self.begin(instance, now.millis());
        }
        if let Some(active) = self.segments.back_mut() {
            let bytes = active.resident.get_or_insert_default();
            // A block more, and not twice as much: it stays for as long as it takes to fill, and what a smaller one leaves behind
            // is room for that of another log.
            let frame = HEAD + payload.len();
            if bytes.capacity() - bytes.len() < frame {
                bytes.reserve_exact(frame.max(BLOCK as usize));
            }
            let frame = Frame {
                // A segment ends at 32 KiB, far below 2^32 records.
                index: active.span as u32,
                sequence,
                wall_millis: now.wall_millis(),
                payload,
            };
            frame.encode(active.seed, bytes);
            active.span += 1;
            active.newest = now.millis();
            active.extent = Extent {
                len: bytes.len() as u64,
                held: active.extent.held + 1,
                last: sequence,
            };
        }
    }

    fn begin(&mut self, instance: &Arc<Instance>, now: i64) {
        let header = Header {
            class: self.class,
            instance: instance.number,
            first: self.ledger.appended,
            instance_first: self.instance_first,
            identity: instance.identity.to_vec(),
        };
        let (bytes, seed) = header.encode();
        self.open = true;
        self.segments.push_back(Segment {
            instance: Arc::clone(instance),
            first: header.first,
            span: 0,
            seed,
            oldest: now,
            newest: now,
            extent: Extent::default(),
            written: Extent::default(),
            synced: 0,
            resident: Some(bytes),
            failed_reads: 0,
        });
    }

    /// Ordinal of the oldest record held, or of the next one.
    pub(crate) fn first_held(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.ledger.appended + 1, |oldest| oldest.first)
    }

    /// Takes the oldest segment out.
    pub(crate) fn pop(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.open &= !self.segments.is_empty();
        self.held_from = segment.first + segment.span;
        Some(segment)
    }

    /// Whether the oldest segment is closed and everything in it at or before `position`.
    pub(crate) fn oldest_is_behind(&self, position: Position) -> bool {
        let closed = self.segments.len() > usize::from(self.open);
        closed
            && self
                .segments
                .front()
                .is_some_and(|oldest| oldest.last() <= position)
    }
}
