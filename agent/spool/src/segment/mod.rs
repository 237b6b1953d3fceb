//! Reading a segment: pure, total over any bytes, in time linear to them.

mod frame;
mod header;

pub(crate) use self::{frame::HEAD, header::MOST_NUMBER};
pub use self::{
    frame::{Frame, MOST_PAYLOAD},
    header::{Header, MOST_IDENTITY, Unreadable, VERSION},
};

/// Most bytes a segment has besides payload when it holds one record.
pub(crate) const MOST_OVERHEAD: usize = header::MOST_BOTH + HEAD;

/// Bytes of a segment's file that are looked at: several times what this version writes.
pub(crate) const MOST_FILE: u64 = 1024 * 1024;

/// A segment as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Its header.
    pub header: Header,
    /// The records that are whole, ascending by index and sequence number.
    pub frames: Vec<Frame<'a>>,
    /// Places in the middle at which bytes had to be skipped.
    pub damaged_spots: u64,
    /// Bytes skipped there.
    pub damaged_bytes: u64,
    /// Bytes behind the last whole record: the torn end of a write that a crash cut short.
    pub torn_bytes: u64,
    /// Checksum of the header, which those of the frames start from.
    pub(crate) seed: u32,
}

/// Reads a segment, whatever `bytes` are: what is whole is returned, what is not is skipped and counted.
///
/// # Errors
/// [`Unreadable`] when the header is not whole, or of a newer version: without it nobody knows whose records these are.
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Unreadable> {
    let found = header::find(bytes)?;
    let mut parsed = Parsed {
        header: found.header,
        frames: Vec::new(),
        damaged_spots: u64::from(found.damaged > 0),
        damaged_bytes: found.damaged as u64,
        torn_bytes: 0,
        seed: found.checksum,
    };
    let mut at = found.end;
    while at < bytes.len() {
        let frame =
            Frame::parse(&bytes[at..], parsed.seed).filter(|frame| parsed.continues_with(frame));
        if let Some(frame) = frame {
            parsed.damaged_spots += u64::from(parsed.torn_bytes > 0);
            parsed.damaged_bytes += parsed.torn_bytes;
            parsed.torn_bytes = 0;
            at += frame.len();
            parsed.frames.push(frame);
        } else {
            at += 1;
            parsed.torn_bytes += 1;
        }
    }
    Ok(parsed)
}

impl Parsed<'_> {
    /// Whether `frame` can come next: a repeated one is a block that the disk delivered twice. Its ordinal, too, is a number
    /// that is counted on from.
    fn continues_with(&self, frame: &Frame<'_>) -> bool {
        self.header.first + u64::from(frame.index) <= MOST_NUMBER
            && self
                .frames
                .last()
                .is_none_or(|last| last.index < frame.index && last.sequence < frame.sequence)
    }

    /// How many records were written to it, as far as the last whole one tells.
    pub(crate) fn span(&self) -> u64 {
        self.frames
            .last()
            .map_or(0, |last| u64::from(last.index) + 1)
    }
}

#[cfg(test)]
mod tests;
