//! The header of a segment: whose records follow, and how they are numbered.

use bytes::{Buf, BufMut};

use crate::class::Class;

const MAGIC: [u8; 8] = *b"ngspool\n";

/// The version written, and the newest one read.
pub const VERSION: u16 = 1;

/// Most bytes of an instance's identity.
pub const MOST_IDENTITY: usize = 1024;

/// Bytes of a copy without the identity.
const FIXED: usize = 8 + 2 + 2 + 3 * 8 + 1 + CHECKSUM;
const CHECKSUM: usize = 4;

/// Most bytes of one copy.
const MOST: usize = FIXED + MOST_IDENTITY;

/// Most bytes of both copies.
pub(super) const MOST_BOTH: usize = 2 * MOST;

/// Numbers above are nonsense that happens to have a good checksum; below, adding to them never overflows.
pub(crate) const MOST_NUMBER: u64 = u64::MAX / 8;

/// Why no record of a segment can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Neither copy of the header is whole.
    Damaged,
    /// Written by a newer version of the spool.
    Newer {
        /// Its format version.
        version: u16,
    },
}

/// What a segment says of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The class of all of them.
    pub class: Class,
    /// Number of the instance that made them.
    pub instance: u64,
    /// Ordinal of the first record: the how manieth of its class it is, over all instances, from 1.
    pub first: u64,
    /// Ordinal of the first record of the class that this instance made, or would have made.
    pub instance_first: u64,
    /// The instance's identity.
    pub identity: Vec<u8>,
}

/// A header as it was found.
pub(super) struct Found {
    pub(super) header: Header,
    /// Its checksum: what those of the frames start from.
    pub(super) checksum: u32,
    /// Where the frames begin.
    pub(super) end: usize,
    /// Bytes of the copy that is damaged; 0 when both are whole.
    pub(super) damaged: usize,
}

impl Header {
    /// Bytes that both copies take with this identity.
    pub(crate) const fn len(identity: &[u8]) -> usize {
        2 * (FIXED + identity.len())
    }

    /// Both copies, and the checksum that those of the frames start from.
    pub(crate) fn encode(&self) -> (Vec<u8>, u32) {
        let mut copy = Vec::with_capacity(Self::len(&self.identity));
        copy.put_slice(&MAGIC);
        copy.put_u16_le(VERSION);
        // The identity is bounded where a spool is opened, so that a copy is well below 64 KiB.
        copy.put_u16_le((FIXED + self.identity.len()) as u16);
        copy.put_u64_le(self.instance);
        copy.put_u64_le(self.first);
        copy.put_u64_le(self.instance_first);
        copy.put_u8(self.class.code());
        copy.put_slice(&self.identity);
        let checksum = crc32fast::hash(&copy);
        copy.put_u32_le(checksum);
        copy.extend_from_within(..);
        (copy, checksum)
    }
}

/// Finds the header: the first copy at the start, or else the second one wherever it is.
pub(super) fn find(bytes: &[u8]) -> Result<Found, Unreadable> {
    match parse(bytes) {
        Ok((header, checksum, len)) => {
            let second = bytes.get(len..2 * len);
            Ok(Found {
                header,
                checksum,
                end: 2 * len,
                damaged: if second == Some(&bytes[..len]) {
                    0
                } else {
                    len
                },
            })
        }
        Err(newer @ Unreadable::Newer { .. }) => Err(newer),
        Err(Unreadable::Damaged) => {
            for start in FIXED..=MOST.min(bytes.len()) {
                match parse(&bytes[start..]) {
                    Err(Unreadable::Damaged) => {}
                    Err(newer) => return Err(newer),
                    Ok((header, checksum, len)) => {
                        return Ok(Found {
                            header,
                            checksum,
                            end: start + len,
                            damaged: start,
                        });
                    }
                }
            }
            Err(Unreadable::Damaged)
        }
    }
}

/// One copy: the header, its checksum and its length. The magic, the version, the length and the checksum over that length
/// stay where they are in every version, so that a newer one is told from a damaged one.
fn parse(bytes: &[u8]) -> Result<(Header, u32, usize), Unreadable> {
    parse_copy(bytes).unwrap_or(Err(Unreadable::Damaged))
}

/// `None`: too short or without sense.
fn parse_copy(bytes: &[u8]) -> Option<Result<(Header, u32, usize), Unreadable>> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    let version = rest.try_get_u16_le().ok()?;
    let len = usize::from(rest.try_get_u16_le().ok()?);
    let body = bytes.get(..len.checked_sub(CHECKSUM)?)?;
    let checksum = bytes.get(body.len()..)?.try_get_u32_le().ok()?;
    if crc32fast::hash(body) != checksum {
        return None;
    }
    if version > VERSION {
        return Some(Err(Unreadable::Newer { version }));
    }
    let mut rest = body.get(MAGIC.len() + 4..)?;
    let instance = rest.try_get_u64_le().ok()?;
    let first = rest.try_get_u64_le().ok()?;
    let instance_first = rest.try_get_u64_le().ok()?;
    let class = Class::from_code(rest.try_get_u8().ok()?)?;
    let sound = 1..=MOST_NUMBER;
    let numbered = [instance, first, instance_first]
        .iter()
        .all(|number| sound.contains(number));
    if version == 0 || !numbered || rest.len() > MOST_IDENTITY {
        return None;
    }
    let header = Header {
        class,
        instance,
        first,
        instance_first,
        identity: rest.to_vec(),
    };
    Some(Ok((header, checksum, len)))
}
