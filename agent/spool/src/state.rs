//! The small file beside the segments: the ledgers, the replicas' cursors and the number of the last instance.

use bytes::{Buf, BufMut};

use crate::{
    class::{Class, PerClass},
    cursor::{Cursor, Position},
    ledger::Ledger,
    limits,
    replicas::{MOST_NAME, MOST_REPLICAS, Replica, Replicas},
    segment::Unreadable,
};

/// The file.
pub(crate) const NAME: &str = "state";
/// What is written before it is renamed to [`NAME`].
pub(crate) const DRAFT: &str = "state.draft";

const MAGIC: [u8; 8] = *b"ngstate\n";
const VERSION: u16 = 1;
const CHECKSUM: usize = 4;

const REPLICA_BYTES: usize = 1 + MOST_NAME + (2 + 3 + 3 + 1) * 8;
const CLASS_BYTES: usize = 4 * 8;
/// Most bytes of a state.
const MOST: usize = 8 + 2 + 8 + 3 * CLASS_BYTES + 1 + MOST_REPLICAS * REPLICA_BYTES + CHECKSUM;

/// Bytes set apart for the state and its draft, and a block for the lock.
pub(crate) const RESERVE: u64 = 2 * limits::charge(MOST as u64) + limits::BLOCK;

/// Bytes of the file that are looked at; a newer version may write more than this one.
pub(crate) const MOST_FILE: u64 = 1024 * 1024;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) last_instance: u64,
    pub(crate) classes: PerClass<ClassState>,
    /// Replicas with their names; `seen` is wall time in milliseconds here.
    pub(crate) replicas: Vec<(String, Replica)>,
}

/// What the file says of one class. What is held is told by the segments, what is lost by the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassState {
    pub(crate) appended: u64,
    pub(crate) acknowledged: u64,
    pub(crate) dropped: u64,
    /// Every segment that begins below this ordinal is accounted for as deleted, whether its file is gone yet or not.
    pub(crate) held_from: u64,
}

impl Default for ClassState {
    fn default() -> Self {
        Self {
            appended: 0,
            acknowledged: 0,
            dropped: 0,
            held_from: 1,
        }
    }
}

impl ClassState {
    pub(crate) const fn of(ledger: &Ledger, held_from: u64) -> Self {
        Self {
            appended: ledger.appended,
            acknowledged: ledger.acknowledged,
            dropped: ledger.dropped,
            held_from,
        }
    }
}

/// The file's bytes. `wall_of` gives the wall time of a moment at which a replica was seen.
pub(crate) fn encode(
    last_instance: u64,
    classes: &PerClass<ClassState>,
    replicas: &Replicas,
    wall_of: impl Fn(i64) -> i64,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MOST);
    bytes.put_slice(&MAGIC);
    bytes.put_u16_le(VERSION);
    bytes.put_u64_le(last_instance);
    for (_, class) in classes.iter() {
        bytes.put_u64_le(class.appended);
        bytes.put_u64_le(class.acknowledged);
        bytes.put_u64_le(class.dropped);
        bytes.put_u64_le(class.held_from);
    }
    // Both lengths are bounded where a replica connects.
    bytes.put_u8(replicas.iter().len() as u8);
    for (name, Replica { cursor, seen }) in replicas.iter() {
        bytes.put_u8(name.len() as u8);
        bytes.put_slice(name.as_bytes());
        bytes.put_u64_le(cursor.position.instance);
        bytes.put_u64_le(cursor.position.sequence);
        for class in Class::ALL {
            bytes.put_u64_le(cursor.passed[class]);
            bytes.put_u64_le(cursor.missed[class]);
        }
        bytes.put_i64_le(wall_of(*seen));
    }
    bytes.put_u32_le(crc32fast::hash(&bytes));
    bytes
}

/// Reads the file, whatever its bytes are.
pub(crate) fn parse(bytes: &[u8]) -> Result<State, Unreadable> {
    parse_whole(bytes).unwrap_or(Err(Unreadable::Damaged))
}

/// `None`: damaged.
fn parse_whole(bytes: &[u8]) -> Option<Result<State, Unreadable>> {
    let (body, mut checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    let mut rest = body.strip_prefix(&MAGIC)?;
    if checksum.get_u32_le() != crc32fast::hash(body) {
        return None;
    }
    // Magic, version and checksum stay where they are in every version.
    let version = rest.try_get_u16_le().ok()?;
    if version > VERSION {
        return Some(Err(Unreadable::Newer { version }));
    }
    let mut state = State {
        last_instance: rest.try_get_u64_le().ok()?,
        ..State::default()
    };
    for class in Class::ALL {
        state.classes[class] = ClassState {
            appended: rest.try_get_u64_le().ok()?,
            acknowledged: rest.try_get_u64_le().ok()?,
            dropped: rest.try_get_u64_le().ok()?,
            held_from: rest.try_get_u64_le().ok()?,
        };
    }
    for _ in 0..rest.try_get_u8().ok()? {
        state.replicas.push(parse_replica(&mut rest)?);
    }
    Some(Ok(state))
}

fn parse_replica(rest: &mut &[u8]) -> Option<(String, Replica)> {
    let len = usize::from(rest.try_get_u8().ok()?);
    let name = str::from_utf8(rest.split_off(..len)?).ok()?.to_owned();
    let position = Position {
        instance: rest.try_get_u64_le().ok()?,
        sequence: rest.try_get_u64_le().ok()?,
    };
    let mut cursor = Cursor {
        position,
        ..Cursor::default()
    };
    for class in Class::ALL {
        cursor.passed[class] = rest.try_get_u64_le().ok()?;
        cursor.missed[class] = rest.try_get_u64_le().ok()?;
    }
    let seen = rest.try_get_i64_le().ok()?;
    Some((name, Replica { cursor, seen }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        let mut replicas = Replicas::default();
        let start = Cursor::default();
        replicas.connect("aggregator-0", start, 5).unwrap();
        encode(7, &PerClass::default(), &replicas, |seen| seen + 1000)
    }

    #[test]
    fn a_state_comes_back_as_it_was_written() {
        let state = parse(&bytes()).unwrap();
        assert_eq!(state.last_instance, 7);
        assert_eq!(state.classes, PerClass::default());
        assert_eq!(state.replicas[0].0, "aggregator-0");
        assert_eq!(state.replicas[0].1.seen, 1005);
    }

    #[test]
    fn no_bit_of_it_can_flip_unseen_and_no_part_of_it_is_taken_for_all() {
        let whole = bytes();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&flipped), Err(Unreadable::Damaged));
        }
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len]), Err(Unreadable::Damaged));
        }
    }

    #[test]
    fn the_largest_state_fits_its_reserve() {
        let mut replicas = Replicas::default();
        for number in 0..MOST_REPLICAS {
            let name = format!("{number:0>MOST_NAME$}");
            replicas.connect(&name, Cursor::default(), 0).unwrap();
        }
        let bytes = encode(u64::MAX, &PerClass::default(), &replicas, |seen| seen);
        assert_eq!(bytes.len(), MOST);
    }
}
