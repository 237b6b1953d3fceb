//! A spool of a newer version is set aside, not destroyed.

use nodegrace_spool::{Class, segment};

use crate::kit::{World, limits};

/// The bytes of a header as some later version may write it: magic, version, length and checksum are where they are now.
fn newer(segment: &[u8]) -> Vec<u8> {
    let len = usize::from(u16::from_le_bytes([segment[10], segment[11]]));
    let mut bytes = segment[..len - 4].to_vec();
    bytes[8] = 2;
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(b"records in a new format");
    bytes
}

#[test]
fn segments_of_a_newer_version_are_renamed_and_reported_and_their_bytes_stay() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 100);
    world.close();
    let name = "heartbeat-00000000000000000001.seg";
    let bytes = newer(&world.disk.content(name));
    assert_eq!(
        segment::parse(&bytes),
        Err(segment::Unreadable::Newer { version: 2 })
    );
    world.disk.put(name, &bytes);

    let spool = world.disk.open();
    let recovery = spool.recovery();
    assert_eq!(
        (recovery.set_aside_files, recovery.set_aside_bytes),
        (1, bytes.len() as u64)
    );
    assert_eq!(spool.ledger()[Class::Heartbeat].held, 0);
    drop(spool);
    let aside = format!("{name}.v2.aside-1");
    assert_eq!(world.disk.content(&aside), bytes);

    // Going back and forth between versions never overwrites what was set aside before.
    world.disk.put(name, &bytes);
    let spool = world.disk.open();
    assert_eq!(spool.recovery().set_aside_files, 2);
    assert_eq!(world.disk.content(&format!("{name}.v2.aside-2")), bytes);
    assert_eq!(world.disk.content(&aside), bytes);
}

#[test]
fn a_state_of_a_newer_version_is_set_aside_too() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 100);
    world.read("a", 1);
    world.acknowledge("a");
    world.close();
    for name in ["state-0", "state-1"] {
        let mut bytes = world.disk.content(name);
        let len = u32::from_le_bytes(bytes[10..14].try_into().unwrap()) as usize;
        if len == 0 {
            continue;
        }
        bytes[8] = 3;
        let checksum = crc32fast::hash(&bytes[..len - 4]);
        bytes[len - 4..len].copy_from_slice(&checksum.to_le_bytes());
        world.disk.put(name, &bytes);
    }
    let spool = world.disk.open();
    assert!(spool.recovery().state_lost && spool.recovery().set_aside_files > 0);
    assert_eq!(spool.ledger()[Class::Heartbeat].held, 1);
    assert_eq!(spool.replicas().count(), 0);
}
