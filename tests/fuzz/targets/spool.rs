//! A spool that is opened on whatever lies in its directory, used, damaged while it is open, and opened again.
//!
//! It always opens and works, its ledgers balance, and every record that is read was written, in order.

#![no_main]

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nodegrace_fuzz::{START, disk::Disk};
use nodegrace_spool::{Class, Limits, Moment, PerClass, Position, ReadLimit, Spool};

/// Steps of one input that are taken.
const MOST: usize = 48;
/// Replicas that read.
const REPLICAS: [&str; 2] = ["one", "two"];

/// What lies in the directory, and what is done then.
#[derive(Arbitrary, Debug)]
struct Story {
    files: Vec<Found>,
    steps: Vec<Step>,
}

/// A file as it is found.
#[derive(Arbitrary, Debug)]
enum Found {
    /// Anything.
    Raw { name: Name, content: Vec<u8> },
    /// A segment whose checksums fit, whatever it says.
    Segment {
        name: Name,
        header: Header,
        frames: Vec<Frame>,
    },
    /// A state whose checksum fits, whatever it says.
    State {
        second: bool,
        version: u8,
        numbers: [Number; 14],
        replicas: Vec<([Number; 8], i64)>,
        tail: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
enum Name {
    Segment(u8, Number),
    State(bool),
    Aside(u8),
}

#[derive(Arbitrary, Debug)]
struct Header {
    version: u8,
    class: u8,
    instance: Number,
    first: Number,
    instance_first: Number,
    identity: u8,
}

#[derive(Arbitrary, Debug)]
struct Frame {
    index: u8,
    sequence: Number,
    wall_millis: i64,
    payload: u8,
}

/// A number as they are mostly, or an extreme one.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(u8),
    Any(u64),
}

#[derive(Arbitrary, Debug)]
enum Step {
    Append(u8, u16),
    Sync,
    Read(bool, u8),
    Acknowledge(bool),
    Wait(u16),
    Reopen,
    /// Of this file, from this place on, so many bits.
    Flip(u8, u16, u8),
    Cut(u8, u16),
    Delete(u8),
}

fuzz_target!(|story: Story| {
    let disk = Disk::default();
    let mut world = World {
        disk: disk.clone(),
        seconds: 0,
        number: 0,
        payloads: BTreeSet::new(),
        cursors: [None; 2],
    };
    for file in &story.files {
        let (name, content) = world.found(file);
        disk.files().insert(name, content);
    }
    let mut spool = world.open();
    for step in story.steps.iter().take(MOST) {
        spool = world.take(step, spool);
        check(&spool);
    }
    let before = spool.ledger();
    let closed = spool.close(world.now());
    let after = world.open().ledger();
    if story.steps.iter().any(Step::damages) {
        return;
    }
    closed.expect("a disk that works");
    for class in Class::ALL {
        assert!(
            after[class].appended >= before[class].appended,
            "{class:?} forgot records"
        );
    }
});

/// Everything beside the spool.
struct World {
    disk: Disk,
    seconds: u64,
    number: u64,
    /// Every payload that was ever written with checksums that fit.
    payloads: BTreeSet<Vec<u8>>,
    cursors: [Option<nodegrace_spool::Cursor>; 2],
}

impl World {
    fn now(&self) -> Moment {
        Moment {
            monotonic: Duration::from_secs(10_000 + self.seconds),
            wall: SystemTime::UNIX_EPOCH + START + Duration::from_secs(self.seconds),
        }
    }

    fn open(&mut self) -> Spool {
        let limits = Limits {
            budget: PerClass::from_fn(|_| 16 * 1024),
            memory: 8 * 1024,
            age: Duration::from_secs(86_400),
            forget_replica_after: Duration::from_secs(7200),
        };
        let files = Box::new(self.disk.clone());
        let spool = Spool::open_on(files, b"run", limits, self.now());
        let mut spool = spool.expect("a spool, whatever lies there");
        check(&spool);
        for (replica, cursor) in REPLICAS.iter().zip(&mut self.cursors) {
            let now = Moment {
                monotonic: Duration::from_secs(10_000 + self.seconds),
                wall: SystemTime::UNIX_EPOCH + START + Duration::from_secs(self.seconds),
            };
            *cursor = Some(spool.connect(replica, now).expect("a short name"));
        }
        self.number = 0;
        spool
    }

    fn take(&mut self, step: &Step, mut spool: Spool) -> Spool {
        let now = self.now();
        match *step {
            Step::Append(class, size) => {
                self.number += 1;
                let class = Class::ALL[usize::from(class) % 3];
                let payload = vec![self.number as u8; usize::from(size) % 3000];
                if spool.append(class, self.number, &payload, now).is_ok() {
                    self.payloads.insert(payload);
                }
            }
            Step::Sync => {
                // It says what it could not write, and tries again.
                let _ = spool.sync(now);
            }
            Step::Read(second, records) => self.read(&mut spool, second.into(), records.into()),
            Step::Acknowledge(second) => {
                let at = usize::from(second);
                if let Some(cursor) = &self.cursors[at] {
                    spool.acknowledge(REPLICAS[at], cursor, now);
                }
            }
            Step::Wait(seconds) => self.seconds += u64::from(seconds),
            Step::Reopen => {
                drop(spool);
                spool = self.open();
            }
            Step::Flip(file, at, bits) => self.damage(file, |content| {
                let len = content.len().max(1);
                if let Some(byte) = content.get_mut(usize::from(at) % len) {
                    *byte ^= bits;
                }
            }),
            Step::Cut(file, at) => self.damage(file, |content| content.truncate(at.into())),
            Step::Delete(file) => {
                let name = self.disk.files().keys().nth(file.into()).cloned();
                name.map(|name| self.disk.files().remove(&name));
            }
        }
        spool
    }

    fn damage(&self, file: u8, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut files = self.disk.files();
        let count = files.len().max(1);
        if let Some((_, content)) = files.iter_mut().nth(usize::from(file) % count) {
            damage(content);
        }
    }

    fn read(&mut self, spool: &mut Spool, replica: usize, records: usize) {
        let Some(cursor) = self.cursors[replica] else {
            return;
        };
        let limit = ReadLimit {
            records: records + 1,
            bytes: 4000,
        };
        // A file that was damaged meanwhile may fail to be read some times before it is given up.
        let Ok(Some(batch)) = spool.read(&cursor, limit) else {
            return;
        };
        let mut last = cursor.position();
        for record in &batch.records {
            let position = Position {
                instance: batch.instance.number,
                sequence: record.sequence,
            };
            assert!(position > last, "{position:?} after {last:?}");
            last = position;
            assert!(
                self.payloads.contains(&record.payload),
                "never written: {record:?}"
            );
        }
        assert_eq!(batch.end.position(), last);
        self.cursors[replica] = Some(batch.end);
    }

    fn found(&mut self, file: &Found) -> (String, Vec<u8>) {
        match file {
            Found::Raw { name, content } => (name.text(), content.clone()),
            Found::Segment {
                name,
                header,
                frames,
            } => {
                let (mut content, seed) = header.bytes();
                for frame in frames {
                    self.payloads.insert(frame.payload_bytes());
                    frame.write(seed, &mut content);
                }
                (name.text(), content)
            }
            Found::State {
                second,
                version,
                numbers,
                replicas,
                tail,
            } => (
                Name::State(*second).text(),
                state(*version, numbers, replicas, tail),
            ),
        }
    }
}

impl Step {
    fn damages(&self) -> bool {
        matches!(self, Self::Flip(..) | Self::Cut(..) | Self::Delete(_))
    }
}

fn check(spool: &Spool) {
    for (class, account) in spool.ledger().iter() {
        let sum = account.held + account.acknowledged + account.dropped + account.lost;
        assert_eq!(account.appended, sum, "{class:?}: {account:?}");
    }
}

impl Number {
    fn value(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Any(number) => number,
        }
    }
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Segment(class, first) => {
                let class = ["heartbeat", "other", "sample"][usize::from(*class) % 3];
                format!("{class}-{:020}.seg", first.value())
            }
            Self::State(second) => format!("state-{}", u8::from(*second)),
            Self::Aside(number) => format!("state-0.v2.aside-{number}"),
        }
    }
}

impl Header {
    /// Both copies, and the checksum that those of the frames start from.
    fn bytes(&self) -> (Vec<u8>, u32) {
        let identity = vec![b'i'; self.identity.into()];
        let mut copy = b"ngspool\n".to_vec();
        copy.extend(u16::from(self.version).to_le_bytes());
        copy.extend((41 + identity.len() as u16).to_le_bytes());
        for number in [self.instance, self.first, self.instance_first] {
            copy.extend(number.value().to_le_bytes());
        }
        copy.push(self.class % 5);
        copy.extend(identity);
        let seed = crc32fast::hash(&copy);
        copy.extend(seed.to_le_bytes());
        copy.extend_from_within(..);
        (copy, seed)
    }
}

impl Frame {
    fn payload_bytes(&self) -> Vec<u8> {
        vec![b'p'; self.payload.into()]
    }

    fn write(&self, seed: u32, out: &mut Vec<u8>) {
        let checksum = |bytes: &[u8]| {
            let mut hasher = crc32fast::Hasher::new_with_initial(seed);
            hasher.update(bytes);
            hasher.finalize()
        };
        let payload = self.payload_bytes();
        let mut head = (payload.len() as u32).to_le_bytes().to_vec();
        head.extend(u32::from(self.index).to_le_bytes());
        head.extend(self.sequence.value().to_le_bytes());
        head.extend(self.wall_millis.to_le_bytes());
        head.extend(checksum(&payload).to_le_bytes());
        let sum = checksum(&head);
        out.extend(head);
        out.extend(sum.to_le_bytes());
        out.extend(payload);
    }
}

fn state(version: u8, numbers: &[Number], replicas: &[([Number; 8], i64)], tail: &[u8]) -> Vec<u8> {
    let mut bytes = b"ngstate\n".to_vec();
    bytes.extend(u16::from(version).to_le_bytes());
    let length_at = bytes.len();
    bytes.extend([0; 4]);
    for number in numbers {
        bytes.extend(number.value().to_le_bytes());
    }
    bytes.push(replicas.len() as u8);
    for (replica, (numbers, seen)) in replicas.iter().enumerate() {
        let name = REPLICAS[replica % 2].as_bytes();
        bytes.push(name.len() as u8);
        bytes.extend(name);
        for number in numbers {
            bytes.extend(number.value().to_le_bytes());
        }
        bytes.extend(seen.to_le_bytes());
    }
    bytes.extend(tail);
    let length = (bytes.len() + 4) as u32;
    bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}
