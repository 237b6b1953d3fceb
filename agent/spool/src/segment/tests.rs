//! A segment survives anything.

use proptest::prelude::*;

use super::*;
use crate::class::Class;

fn header() -> Header {
    Header {
        class: Class::Sample,
        instance: 3,
        first: 40,
        instance_first: 38,
        identity: b"boot 7, started 12".to_vec(),
    }
}

/// A segment of records with these payloads, and where each ends.
fn segment(payloads: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, seed) = header().encode();
    let mut ends = vec![bytes.len()];
    for (index, payload) in payloads.iter().enumerate() {
        let frame = Frame {
            index: index as u32,
            sequence: index as u64 * 2 + 1,
            wall_millis: 1_700_000_000_000,
            payload,
        };
        frame.encode(seed, &mut bytes);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

const PAYLOADS: [&[u8]; 5] = [b"first", b"", b"third one", &[0; 40], b"last"];

#[test]
fn a_segment_comes_back_as_it_was_written() {
    let (bytes, _) = segment(&PAYLOADS);
    let parsed = parse(&bytes).unwrap();
    assert_eq!(parsed.header, header());
    let payloads: Vec<_> = parsed.frames.iter().map(|frame| frame.payload).collect();
    assert_eq!(payloads, PAYLOADS);
    assert_eq!((parsed.damaged_spots, parsed.torn_bytes), (0, 0));
}

#[test]
fn a_torn_end_costs_the_record_that_was_torn_and_no_other() {
    let (bytes, ends) = segment(&PAYLOADS);
    for len in ends[0]..bytes.len() {
        let parsed = parse(&bytes[..len]).unwrap();
        let whole = ends.iter().filter(|end| **end <= len).count() - 1;
        assert_eq!(parsed.frames.len(), whole);
        assert_eq!(parsed.torn_bytes, (len - ends[whole]) as u64);
        assert_eq!(parsed.damaged_spots, 0);
    }
}

#[test]
fn a_flipped_bit_costs_at_most_the_record_it_is_in() {
    let (bytes, ends) = segment(&PAYLOADS);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let parsed = parse(&flipped).unwrap();
        let in_header = bit / 8 < ends[0];
        assert_eq!(
            parsed.frames.len(),
            PAYLOADS.len() - usize::from(!in_header)
        );
        assert_eq!(parsed.header, header());
        assert_eq!(parsed.damaged_spots + u64::from(parsed.torn_bytes > 0), 1);
    }
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let (bytes, _) = segment(&PAYLOADS);
    let len = usize::from(u16::from_le_bytes([bytes[10], bytes[11]]));
    let mut newer = bytes[..len - 4].to_vec();
    newer[8] = 9;
    newer.extend(crc32fast::hash(&newer).to_le_bytes());
    newer.extend(b"whatever version 9 has here");
    assert_eq!(parse(&newer), Err(Unreadable::Newer { version: 9 }));
    newer[20] ^= 1;
    assert_eq!(parse(&newer), Err(Unreadable::Damaged));
}

#[test]
fn zeroes_behind_the_records_are_a_torn_end() {
    let (mut bytes, _) = segment(&PAYLOADS);
    bytes.extend([0; 5000]);
    let parsed = parse(&bytes).unwrap();
    assert_eq!(
        (parsed.frames.len(), parsed.torn_bytes),
        (PAYLOADS.len(), 5000)
    );
}

#[test]
fn frames_of_another_segment_are_not_taken() {
    let (mut bytes, ends) = segment(&PAYLOADS);
    let mut other = header();
    other.first = 45;
    let (_, seed) = other.encode();
    bytes.truncate(ends[0]);
    let frame = Frame {
        index: 0,
        sequence: 1,
        wall_millis: 0,
        payload: b"stale",
    };
    frame.encode(seed, &mut bytes);
    assert!(parse(&bytes).unwrap().frames.is_empty());
}

#[test]
fn numbers_that_no_state_can_hold_are_not_taken() {
    let taken = |first: u64, index: u32, sequence: u64| {
        let (mut bytes, seed) = Header { first, ..header() }.encode();
        let frame = Frame {
            index,
            sequence,
            wall_millis: 0,
            payload: b"record",
        };
        frame.encode(seed, &mut bytes);
        parse(&bytes).unwrap().frames.len() == 1
    };
    assert!(taken(40, 0, MOST_NUMBER));
    assert!(!taken(40, 0, MOST_NUMBER + 1));
    assert!(taken(MOST_NUMBER - 9, 9, 1));
    assert!(!taken(MOST_NUMBER - 9, 10, 1));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_header_are_survived_and_accounted_for(garbage in prop::collection::vec(any::<u8>(), 0..600)) {
        let (mut bytes, ends) = segment(&PAYLOADS);
        bytes.truncate(ends[2]);
        bytes.extend(&garbage);
        let parsed = parse(&bytes).unwrap();
        prop_assert!(parsed.frames.len() >= 2);
        let framed: usize = parsed.frames.iter().map(Frame::len).sum();
        let skipped = parsed.damaged_bytes + parsed.torn_bytes;
        prop_assert_eq!(ends[0] + framed + skipped as usize, bytes.len());
    }
}
