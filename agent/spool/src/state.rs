//! What is kept beside the segments: the ledgers, the replicas' cursors and the number of the last instance.
//!
//! Two files of fixed size take turns, the newest whole one counts. Unlike a file that is replaced by renaming, they need no
//! space when they are written: the account has to be closed just when the disk is full and something must go.

use bytes::{Buf, BufMut};

use crate::{
    class::{Class, PerClass},
    cursor::{Cursor, Position},
    ledger::Ledger,
    limits,
    replicas::{HistoryId, MOST_NAME, MOST_REPLICAS, Replica, Replicas},
    segment::{MOST_NUMBER, Unreadable},
};

/// The two files.
pub(crate) const NAMES: [&str; 2] = ["state-0", "state-1"];

const MAGIC: [u8; 8] = *b"ngstate\n";
const VERSION: u16 = 1;
const CHECKSUM: usize = 4;
const LENGTH_AT: usize = 8 + 2;

const REPLICA_BYTES: usize = 1 + MOST_NAME + (2 + 3 + 3 + 1) * 8 + HISTORY_BYTES;
const HISTORY_BYTES: usize = 16;
const CLASS_BYTES: usize = 4 * 8;
/// Most bytes of a state, and the size of each file.
pub(crate) const MOST: usize =
    8 + 2 + 4 + 8 + 8 + 3 * CLASS_BYTES + 1 + MOST_REPLICAS * REPLICA_BYTES + CHECKSUM;

/// Bytes set apart for both files, and a block for the lock.
pub(crate) const RESERVE: u64 = 2 * limits::charge(MOST as u64) + limits::BLOCK;

/// What the newest file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// How manieth state it is. An even one is in the first file, an odd one in the second.
    pub(crate) generation: u64,
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

/// The file that a state of this generation goes to: the one that does not hold the state before it.
pub(crate) const fn name(generation: u64) -> &'static str {
    NAMES[(generation % 2) as usize]
}

/// The file's bytes. `wall_of` gives the wall time of a moment at which a replica was seen.
pub(crate) fn encode(
    generation: u64,
    last_instance: u64,
    classes: &PerClass<ClassState>,
    replicas: &Replicas,
    wall_of: impl Fn(i64) -> i64,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MOST);
    bytes.put_slice(&MAGIC);
    bytes.put_u16_le(VERSION);
    // Takes the length at the end.
    bytes.put_u32_le(0);
    bytes.put_u64_le(generation);
    bytes.put_u64_le(last_instance);
    for (_, class) in classes.iter() {
        bytes.put_u64_le(class.appended);
        bytes.put_u64_le(class.acknowledged);
        bytes.put_u64_le(class.dropped);
        bytes.put_u64_le(class.held_from);
    }
    // Both lengths are bounded where a replica connects.
    bytes.put_u8(replicas.iter().len() as u8);
    for (name, Replica { cursor, seen, .. }) in replicas.iter() {
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
    // Behind all that versions without them look for.
    for (_, replica) in replicas.iter() {
        bytes.put_u128_le(replica.history.map_or(0, HistoryId::get));
    }
    let len = (bytes.len() + CHECKSUM) as u32;
    bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&len.to_le_bytes());
    bytes.put_u32_le(crc32fast::hash(&bytes));
    bytes
}

/// Reads a file, whatever its bytes are. What lies behind the state is older.
pub(crate) fn parse(bytes: &[u8]) -> Result<State, Unreadable> {
    parse_whole(bytes).unwrap_or(Err(Unreadable::Damaged))
}

/// A number that can be counted on from. `None`: it is cut off, or nonsense.
fn number(rest: &mut &[u8]) -> Option<u64> {
    rest.try_get_u64_le()
        .ok()
        .filter(|number| *number <= MOST_NUMBER)
}

/// `None`: damaged.
fn parse_whole(bytes: &[u8]) -> Option<Result<State, Unreadable>> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    let version = rest.try_get_u16_le().ok()?;
    let len = rest.try_get_u32_le().ok()? as usize;
    let body = bytes.get(..len.checked_sub(CHECKSUM)?)?;
    if bytes.get(body.len()..)?.try_get_u32_le().ok()? != crc32fast::hash(body) {
        return None;
    }
    // Magic, version, length and checksum stay where they are in every version.
    if version > VERSION {
        return Some(Err(Unreadable::Newer { version }));
    }
    let mut rest = body.get(LENGTH_AT + 4..)?;
    let mut state = State {
        generation: number(&mut rest)?,
        last_instance: number(&mut rest)?,
        ..State::default()
    };
    for class in Class::ALL {
        state.classes[class] = ClassState {
            appended: number(&mut rest)?,
            acknowledged: number(&mut rest)?,
            dropped: number(&mut rest)?,
            held_from: number(&mut rest)?,
        };
    }
    for _ in 0..rest.try_get_u8().ok()? {
        state.replicas.push(parse_replica(&mut rest)?);
    }
    if !rest.is_empty() {
        for (_, replica) in &mut state.replicas {
            replica.history = HistoryId::new(rest.try_get_u128_le().ok()?);
        }
    }
    Some(Ok(state))
}

fn parse_replica(rest: &mut &[u8]) -> Option<(String, Replica)> {
    let len = usize::from(rest.try_get_u8().ok()?);
    let name = str::from_utf8(rest.split_off(..len)?).ok()?.to_owned();
    let position = Position {
        instance: number(rest)?,
        sequence: number(rest)?,
    };
    let mut cursor = Cursor {
        position,
        ..Cursor::default()
    };
    for class in Class::ALL {
        cursor.passed[class] = number(rest)?;
        cursor.missed[class] = number(rest)?;
    }
    let seen = rest.try_get_i64_le().ok()?;
    let replica = Replica {
        cursor,
        history: None,
        seen,
    };
    Some((name, replica))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        let mut replicas = Replicas::default();
        let start = Cursor::default();
        replicas.connect("aggregator-0", start, 5).unwrap();
        replicas.identify("aggregator-0", HistoryId::new(7), start);
        encode(4, 7, &PerClass::default(), &replicas, |seen| seen + 1000)
    }

    #[test]
    fn a_state_comes_back_as_it_was_written() {
        let mut bytes = bytes();
        bytes.extend(b"the end of a longer one before it");
        let state = parse(&bytes).unwrap();
        assert_eq!((state.generation, state.last_instance), (4, 7));
        assert_eq!(state.classes, PerClass::default());
        assert_eq!(state.replicas[0].0, "aggregator-0");
        assert_eq!(state.replicas[0].1.seen, 1005);
        assert_eq!(state.replicas[0].1.history, HistoryId::new(7));
    }

    #[test]
    fn a_state_of_a_version_that_knew_no_histories_is_read() {
        let mut bytes = bytes();
        let len = bytes.len() - HISTORY_BYTES;
        bytes.truncate(len - CHECKSUM);
        bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&(len as u32).to_le_bytes());
        bytes.put_u32_le(crc32fast::hash(&bytes));
        let state = parse(&bytes).unwrap();
        assert_eq!(state.replicas[0].1.seen, 1005);
        assert_eq!(state.replicas[0].1.history, None);
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
        let bytes = encode(1, 1, &PerClass::default(), &replicas, |seen| seen);
        assert_eq!(bytes.len(), MOST);
    }
}
