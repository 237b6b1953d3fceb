//! Segments of the agent's spool: whatever lies in the file, what is read of it carries a checksum that fits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nodegrace_spool::segment::{Parsed, parse};

/// Bytes of a frame before its payload, and those of them that its own checksum covers.
const HEAD: usize = 32;
const SUMMED: usize = 28;
/// Bytes of a header beside the identity.
const FIXED: usize = 41;

fuzz_target!(|input: &[u8]| {
    let Ok(parsed) = parse(input) else {
        return;
    };
    let seed = header_checksum(input, &parsed).expect("a header that carries its checksum");
    let mut end_before = 0;
    let mut last = None;
    for frame in &parsed.frames {
        // The payload is a part of the input: its place tells that of the whole frame.
        let payload = frame.payload.as_ptr() as usize - input.as_ptr() as usize;
        let head = &input[payload - HEAD..payload];
        assert_eq!(checksum(seed, &head[..SUMMED]), le_u32(&head[SUMMED..]));
        assert_eq!(checksum(seed, frame.payload), le_u32(&head[SUMMED - 4..]));
        assert!(payload - HEAD >= end_before, "frames overlap");
        end_before = payload + frame.payload.len();
        let place = Some((frame.index, frame.sequence));
        assert!(
            last < place && last.is_none_or(|(_, sequence)| sequence < frame.sequence),
            "frames out of order"
        );
        last = place;
    }
    let framed: usize = parsed
        .frames
        .iter()
        .map(|frame| HEAD + frame.payload.len())
        .sum();
    let skipped = parsed.damaged_bytes + parsed.torn_bytes;
    assert!(
        framed + skipped as usize <= input.len(),
        "more than there is"
    );
});

/// The checksum of the copy of the header that was taken.
fn header_checksum(input: &[u8], parsed: &Parsed<'_>) -> Option<u32> {
    let len = FIXED + parsed.header.identity.len();
    let copies = input.windows(len).filter(|copy| {
        copy.starts_with(b"ngspool\n") && copy[FIXED - 4..len - 4] == parsed.header.identity
    });
    copies
        .map(|copy| (crc32fast::hash(&copy[..len - 4]), le_u32(&copy[len - 4..])))
        .find(|(computed, written)| computed == written)
        .map(|(computed, _)| computed)
}

fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
