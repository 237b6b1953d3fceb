//! Flipped bits, vanished files and plain garbage: what is whole is kept, what is not is counted.

use nodegrace_spool::{Class, Limits, OpenError, ReadLimit, Spool};
use proptest::prelude::*;

use crate::kit::{Disk, World, limits, soon};

fn filled() -> World {
    let mut world = World::new(limits());
    for _ in 0..12 {
        world.append(Class::Heartbeat, 300);
        world.append(Class::Sample, 900);
        world.append(Class::Other, 40);
    }
    world.read("a", 5);
    world.acknowledge("a");
    world.close();
    world
}

#[test]
fn a_flipped_bit_anywhere_costs_one_record_at_most_and_is_counted() {
    let world = filled();
    for name in world.disk.names() {
        let bytes = world.disk.content(&name);
        // Every byte would take minutes; a stride that is prime to all sizes meets every field.
        for at in (0..bytes.len()).step_by(37) {
            let disk = world.disk.copy();
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            disk.put(&name, &flipped);
            let spool = disk.open();
            let ledger = spool.ledger();
            let held: u64 = ledger.iter().map(|(_, account)| account.held).sum();
            let lost: u64 = ledger.iter().map(|(_, account)| account.lost).sum();
            assert!(held >= 35, "{name} at {at}: {ledger:?}");
            assert!(held + lost >= 35 && lost <= 1, "{name} at {at}: {ledger:?}");
            for (class, account) in ledger.iter() {
                assert_eq!(account.appended, account.held + account.lost, "{class:?}");
            }
            let recovery = spool.recovery();
            let seen = recovery.damaged_spots + recovery.torn_segments > 0;
            assert_eq!(seen, name.contains(".seg"), "{name} at {at}: {recovery:?}");
        }
    }
}

#[test]
fn a_bit_that_flips_while_the_spool_is_open_is_counted_when_it_is_read() {
    let mut world = filled();
    world.open();
    let name = world
        .disk
        .names()
        .into_iter()
        .find(|name| name.starts_with("sample"))
        .unwrap();
    let mut bytes = world.disk.content(&name);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    world.disk.put(&name, &bytes);
    let held = world.read_all();
    let account = world.spool().ledger()[Class::Sample];
    assert_eq!((account.held, account.lost), (11, 1));
    assert_eq!(held[Class::Sample].len(), 11);
    while world.read("b", 100) > 0 {}
    assert_eq!(world.replicas["b"].cursor.missed()[Class::Sample], 1);
}

#[test]
fn a_segment_that_somebody_deleted_is_lost_and_not_waited_for() {
    let mut world = filled();
    world.open();
    let name = world
        .disk
        .names()
        .into_iter()
        .find(|name| name.starts_with("heartbeat"))
        .unwrap();
    world.disk.delete(&name);
    while world.read("a", 100) > 0 {}
    let account = world.spool().ledger()[Class::Heartbeat];
    assert!(
        account.lost > 0 && account.held + account.lost == 12,
        "{account:?}"
    );
    world.append(Class::Heartbeat, 10);
    assert!(world.sync());
    world.close();
    let spool = world.disk.open();
    assert_eq!(spool.ledger()[Class::Heartbeat].lost, account.lost);
}

#[test]
fn without_its_state_a_spool_sends_again_what_it_holds() {
    let mut world = filled();
    for state in ["state-0", "state-1"] {
        world.disk.put(state, &[0xA5; 9000]);
    }
    world.open();
    assert!(world.spool().recovery().state_lost);
    assert_eq!(world.spool().replicas().count(), 0);
    world.replicas.clear();
    while world.read("a", 100) > 0 {}
    assert_eq!(world.replicas["a"].got, 36);
}

#[test]
fn a_file_that_cannot_be_read_for_a_moment_is_no_damage() {
    let mut world = filled();
    for name in ["heartbeat", "sample", "state-0", "state-1"] {
        world.disk.fail_reads(name, 2);
        world.open();
        assert!(!world.spool().recovery().state_lost, "{name}");
        assert_eq!(world.spool().replicas().count(), 1, "{name}");
        let ledger = world.spool().ledger();
        let lost = ledger.iter().map(|(_, account)| account.lost);
        assert_eq!(lost.sum::<u64>(), 0, "{name}");
        world.close();
    }
}

#[test]
fn a_file_that_cannot_be_read_is_kept_until_it_can() {
    for name in ["heartbeat", "sample", "state-0", "state-1"] {
        let mut world = filled();
        let (names, records) = (world.disk.names(), world.disk.open().ledger());
        world.disk.fail_reads(name, u64::MAX);
        let files = Box::new(world.disk.clone());
        let opened = Spool::open_on(files, b"blind", limits(), soon());
        assert!(
            matches!(&opened, Err(OpenError::Unread { name: unread, .. }) if unread.starts_with(name)),
            "{opened:?}"
        );
        assert_eq!(world.disk.names(), names);
        world.disk.fail_reads(name, 0);
        world.open();
        assert_eq!(world.spool().ledger(), records, "{name}");
        assert_eq!(world.spool().replicas().count(), 1, "{name}");
    }
}

/// A segment whose first record has this sequence number, with checksums that fit.
fn renumbered(segment: &[u8], sequence: u64) -> Vec<u8> {
    let mut bytes = segment.to_vec();
    let header = usize::from(u16::from_le_bytes([bytes[10], bytes[11]]));
    let seed = u32::from_le_bytes(bytes[header - 4..header].try_into().unwrap());
    let (head, sum) = bytes[2 * header..].split_at_mut(28);
    head[8..16].copy_from_slice(&sequence.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(head);
    sum[..4].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

#[test]
fn a_record_numbered_beyond_counting_costs_itself_and_not_the_state() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 100);
    world.append(Class::Heartbeat, 100);
    world.close();
    let name = "heartbeat-00000000000000000001.seg";
    let whole = world.disk.content(name);
    world.disk.put(name, &renumbered(&whole, u64::MAX));

    let mut spool = world.disk.open();
    let all = ReadLimit {
        records: 10,
        bytes: usize::MAX,
    };
    let start = spool.connect("a", soon()).unwrap();
    let batch = spool.read(&start, all).unwrap().unwrap();
    spool.acknowledge("a", &batch.end, soon());
    // Too large for any segment: that it was there is told by the state alone.
    let payload = vec![0; 30_000];
    assert!(spool.append(Class::Heartbeat, 1, &payload, soon()).is_err());
    spool.close(soon()).unwrap();

    let spool = world.disk.open();
    assert!(!spool.recovery().state_lost);
    assert_eq!(spool.replicas().count(), 1);
    let account = spool.ledger()[Class::Heartbeat];
    assert_eq!((account.appended, account.lost), (3, 1), "{account:?}");
}

#[test]
fn smaller_limits_hold_from_the_moment_of_opening() {
    let mut world = World::new(Limits::of_bytes(1 << 20));
    for _ in 0..100 {
        world.append(Class::Sample, 900);
    }
    world.close();
    world.limits = limits();
    let spool = world.disk.open();
    let account = spool.ledger()[Class::Sample];
    assert!(
        account.dropped > 0 && account.held + account.dropped == 100,
        "{account:?}"
    );
    assert!(spool.condition().disk_bytes <= limits().total());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_garbage_in_the_directory_is_survived(
        files in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..3000)), 1..8),
        truncate in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let world = filled();
        for (kind, bytes) in &files {
            let name = match kind % 6 {
                0 => format!("heartbeat-{kind:020}.seg"),
                1 => "sample-00000000000000000001.seg".to_owned(),
                2 => "state-0".to_owned(),
                3 => "state-1".to_owned(),
                4 => format!("other-{:020}.seg", u64::MAX - u64::from(*kind)),
                _ => format!("foreign-{kind}"),
            };
            world.disk.put(&name, bytes);
        }
        for (file, len) in &truncate {
            let names = world.disk.names();
            let name = file.get(&names);
            let bytes = world.disk.content(name);
            world.disk.put(name, &bytes[..len.index(bytes.len() + 1)]);
        }
        survives(&world.disk);
    }
}

/// Opened, used and opened again, with balanced books.
fn survives(disk: &Disk) {
    for _ in 0..2 {
        let mut spool = disk.open();
        let now = soon();
        for sequence in 1..20 {
            spool
                .append(Class::Heartbeat, sequence, b"beat", now)
                .unwrap();
        }
        spool.sync(now).unwrap();
        for (_, account) in spool.ledger().iter() {
            assert_eq!(
                account.appended,
                account.held + account.acknowledged + account.dropped + account.lost
            );
        }
        assert!(spool.ledger()[Class::Heartbeat].held >= 19);
    }
}
