//! A spool and everything it was ever given, so that every answer can be held against the truth.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use nodegrace_spool::{Class, Cursor, Limits, Moment, PerClass, Position, ReadLimit, Spool};

use super::disk::{Crash, Disk};

/// A record that was appended.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) position: Position,
    pub(super) payload: Vec<u8>,
    /// It had left the process: killing that must not lose it.
    pub(super) written: bool,
    /// It was synced: nothing must lose it.
    synced: bool,
    /// It was neither, and a crash took it.
    taken: bool,
}

impl Given {
    fn promise(&mut self, synced: bool) {
        self.written |= !self.taken;
        self.synced |= synced && !self.taken;
    }
}

/// What a replica has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) cursor: Cursor,
    pub(crate) got: u64,
}

/// Budgets of a few small segments, so that every bound is met within some dozens of records.
pub(crate) fn limits() -> Limits {
    Limits {
        budget: PerClass::from_fn(|_| 24 * 1024),
        memory: 6 * 1024,
        age: Duration::from_secs(86_400),
        forget_replica_after: Duration::from_secs(7200),
    }
}

/// When every world begins.
fn beginning() -> Moment {
    Moment {
        monotonic: Duration::from_secs(5000),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

impl Disk {
    /// A spool of the usual limits on this disk, for tests that need no world around it.
    pub(crate) fn open(&self) -> Spool {
        Spool::open_on(Box::new(self.clone()), b"another run", limits(), soon()).unwrap()
    }
}

/// A moment ten minutes after the beginning.
pub(crate) fn soon() -> Moment {
    let mut now = beginning();
    now.monotonic += Duration::from_secs(600);
    now.wall += Duration::from_secs(600);
    now
}

/// A spool, the disk it is on, and the truth.
pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) limits: Limits,
    pub(crate) now: Moment,
    pub(crate) replicas: BTreeMap<&'static str, Replica>,
    pub(super) spool: Option<Spool>,
    pub(super) given: PerClass<Vec<Given>>,
    /// An append that the process died in: it may be there or not.
    in_flight: Option<(Class, Given)>,
    sequence: u64,
    /// Records that a crash of the machine took before they were synced, and that the spool cannot know of.
    pub(crate) lost_unsynced: PerClass<u64>,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        let mut world = Self {
            disk: Disk::new(),
            limits,
            now: beginning(),
            replicas: BTreeMap::new(),
            spool: None,
            given: PerClass::default(),
            in_flight: None,
            sequence: 0,
            lost_unsynced: PerClass::default(),
        };
        world.open();
        world
    }

    pub(crate) fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().unwrap()
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now.monotonic += Duration::from_secs(seconds);
        self.now.wall += Duration::from_secs(seconds);
    }

    /// Opens the spool and holds what it says against what it was given.
    pub(crate) fn open(&mut self) {
        self.sequence = 0;
        let identity = format!("run at {:?}", self.now.monotonic);
        let spool = Spool::open_on(
            Box::new(self.disk.clone()),
            identity.as_bytes(),
            self.limits,
            self.now,
        )
        .unwrap();
        let ledger = spool.ledger();
        self.spool = Some(spool);
        for class in Class::ALL {
            let given = &mut self.given[class];
            if let Some((_, in_flight)) = self.in_flight.take_if(|(of, _)| *of == class)
                && ledger[class].appended > given.len() as u64
            {
                given.push(in_flight);
            }
            let kept = ledger[class].appended as usize;
            assert!(
                kept <= given.len(),
                "{class:?}: {ledger:?}, given {}",
                given.len()
            );
            let gone = given.split_off(kept);
            assert!(
                gone.iter().all(|record| !record.written),
                "{class:?}: a written record was forgotten"
            );
            self.lost_unsynced[class] += gone.len() as u64;
        }
        self.in_flight = None;
        let held = self.read_all();
        for class in Class::ALL {
            for record in &mut self.given[class] {
                record.taken |=
                    !record.written && held[class].binary_search(&record.position).is_err();
            }
        }
        self.check();
    }

    /// Ends the process and starts another one.
    pub(crate) fn crash(&mut self, crash: Crash) {
        self.spool = None;
        self.disk.restart(crash);
        for class in Class::ALL {
            for record in &mut self.given[class] {
                // What was written and not synced, a crash of the machine may take or leave.
                record.written &= record.synced || matches!(crash, Crash::Process);
            }
        }
        self.advance(1);
        self.open();
    }

    /// Tries to open the spool on a disk that dies on the way.
    pub(crate) fn crash_while_opening(&mut self) {
        self.spool = None;
        let _ = Spool::open_on(
            Box::new(self.disk.clone()),
            b"short-lived",
            self.limits,
            self.now,
        );
    }

    pub(crate) fn close(&mut self) {
        let now = self.now;
        if let Some(mut spool) = self.spool.take()
            && spool.close(now).is_ok()
            && !self.disk.is_down()
        {
            self.mark_synced();
        }
        self.advance(1);
    }

    fn mark_synced(&mut self) {
        for class in Class::ALL {
            for record in &mut self.given[class] {
                record.promise(true);
            }
        }
    }

    pub(crate) fn append(&mut self, class: Class, size: usize) {
        self.sequence += 1;
        let instance = self.spool().instance().number;
        let sequence = self.sequence;
        let record = Given {
            position: Position { instance, sequence },
            payload: vec![(sequence * 7 + instance) as u8; size],
            written: false,
            synced: false,
            taken: false,
        };
        let now = self.now;
        self.spool()
            .append(class, sequence, &record.payload, now)
            .unwrap();
        if self.disk.is_down() {
            self.in_flight = Some((class, record));
            return;
        }
        self.given[class].push(record);
        if self.spool().condition().unwritten_bytes == 0 {
            for class in Class::ALL {
                self.given[class]
                    .iter_mut()
                    .for_each(|record| record.promise(false));
            }
        }
    }

    /// Others use all that is free; what the spool gives up it may use again.
    pub(crate) fn fill_the_disk(&self) {
        self.disk.set_capacity(self.disk.used());
    }

    pub(crate) fn sync(&mut self) -> bool {
        let now = self.now;
        let synced = self.spool().sync(now).is_ok() && !self.disk.is_down();
        if synced {
            self.mark_synced();
        }
        synced
    }

    /// A replica reads a batch and checks it against the truth.
    pub(crate) fn read(&mut self, name: &'static str, records: usize) -> usize {
        let now = self.now;
        if !self.replicas.contains_key(name) {
            let cursor = self.spool().connect(name, now).unwrap();
            self.replicas.insert(name, Replica { cursor, got: 0 });
        }
        let before = self.replicas[name].cursor;
        let limit = ReadLimit {
            records,
            bytes: 4000,
        };
        let Ok(Some(batch)) = self.spool().read(&before, limit) else {
            return 0;
        };
        let mut last = before.position();
        for record in &batch.records {
            let position = Position {
                instance: batch.instance.number,
                sequence: record.sequence,
            };
            assert!(position > last, "{position:?} after {last:?}");
            last = position;
            let given = &self.given[record.class];
            let truth = given
                .iter()
                .find(|given| given.position == position)
                .unwrap();
            assert_eq!(truth.payload, record.payload);
        }
        assert_eq!(batch.end.position(), last);
        let got = batch.records.len();
        let replica = self.replicas.get_mut(name).unwrap();
        replica.cursor = batch.end;
        replica.got += got as u64;
        got
    }

    pub(crate) fn acknowledge(&mut self, name: &'static str) {
        if let Some(replica) = self.replicas.get(name) {
            let (cursor, now) = (replica.cursor, self.now);
            self.spool().acknowledge(name, &cursor, now);
        }
    }

    /// After a restart replicas go on from where the spool says.
    pub(crate) fn reconnect(&mut self) {
        let names: Vec<_> = self.replicas.keys().copied().collect();
        for name in names {
            let now = self.now;
            let cursor = self.spool().connect(name, now).unwrap();
            self.replicas.get_mut(name).unwrap().cursor = cursor;
        }
    }
}
