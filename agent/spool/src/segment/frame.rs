//! One record in a segment.

use bytes::{Buf, BufMut};
use crc32fast::Hasher;

use super::MOST_NUMBER;

/// Bytes before the payload.
pub(crate) const HEAD: usize = HEAD_SUMMED + 4;
/// Bytes of the head that its checksum covers.
const HEAD_SUMMED: usize = 4 + 4 + 8 + 8 + 4;

/// Largest payload a frame holds: well above a sample of some KiB, and a bound for whoever reads a damaged length.
pub const MOST_PAYLOAD: usize = 64 * 1024;

/// A record as it lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its place in the segment, from 0; a number left out is a record lost.
    pub index: u32,
    /// Its number within its instance, from 1 to 2^61 - 1.
    pub sequence: u64,
    /// Wall time of the append, in milliseconds since the Unix epoch.
    pub wall_millis: i64,
    /// The record itself.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Writes the frame behind `out`. `seed` is the checksum of the segment's header.
    pub(crate) fn encode(&self, seed: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u32_le(self.payload.len() as u32);
        out.put_u32_le(self.index);
        out.put_u64_le(self.sequence);
        out.put_i64_le(self.wall_millis);
        out.put_u32_le(checksum(seed, self.payload));
        out.put_u32_le(checksum(seed, &out[start..]));
        out.put_slice(self.payload);
    }

    /// The frame at the start of `bytes`. `None`: there is no whole one.
    pub(super) fn parse(bytes: &'a [u8], seed: u32) -> Option<Self> {
        let (head, mut sum) = bytes.get(..HEAD)?.split_at(HEAD_SUMMED);
        // The head has a checksum of its own, so that looking for a frame in garbage costs some bytes a step and never
        // trusts a length that was not written.
        if checksum(seed, head) != sum.get_u32_le() {
            return None;
        }
        let mut fields = head;
        let len = fields.get_u32_le() as usize;
        let index = fields.get_u32_le();
        let sequence = fields.get_u64_le();
        let wall_millis = fields.get_i64_le();
        let payload = bytes.get(HEAD..)?.get(..len)?;
        // Zeroes, what a crash of the machine leaves of a file, could pass a checksum; sequence numbers begin at 1. One that a
        // state cannot hold would, once a replica acknowledges it, make the state unreadable.
        let whole = (1..=MOST_NUMBER).contains(&sequence)
            && len <= MOST_PAYLOAD
            && checksum(seed, payload) == fields.get_u32_le();
        whole.then_some(Self {
            index,
            sequence,
            wall_millis,
            payload,
        })
    }

    /// Bytes it takes.
    pub(crate) const fn len(&self) -> usize {
        HEAD + self.payload.len()
    }
}

/// CRC-32 that starts from the segment's: a frame of another segment, left over in a reused block, does not pass.
fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}
