//! On a real disk.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use nodegrace_spool::{Class, Cursor, Limits, Moment, OpenError, ReadLimit, Spool};

fn now() -> Moment {
    Moment {
        monotonic: Duration::from_secs(100),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

#[test]
fn records_survive_a_process_that_ends_without_a_word() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("spool");
    let mut spool =
        Spool::open(&path, "agent", b"first", Limits::of_bytes(1 << 20), now()).unwrap();
    for sequence in 1..=1000 {
        let class = if sequence % 3 == 0 {
            Class::Sample
        } else {
            Class::Heartbeat
        };
        spool
            .append(class, sequence, &sequence.to_le_bytes(), now())
            .unwrap();
    }
    drop(spool);
    let mut spool =
        Spool::open(&path, "agent", b"second", Limits::of_bytes(1 << 20), now()).unwrap();
    let batch = spool.read(&Cursor::default(), ALL).unwrap().unwrap();
    assert_eq!(&*batch.instance.identity, b"first");
    assert!(
        batch
            .records
            .iter()
            .map(|record| record.sequence)
            .eq(1..=1000)
    );
    assert!(
        batch
            .records
            .iter()
            .all(|record| record.payload == record.sequence.to_le_bytes())
    );
    assert!(
        batch
            .records
            .iter()
            .all(|record| record.recorded == now().wall)
    );
    spool.sync(now()).unwrap();
    spool.close(now()).unwrap();
}

#[test]
fn the_bytes_on_disk_stay_within_the_limit() {
    let home = tempfile::tempdir().unwrap();
    let limits = Limits::of_bytes(300 * 1024);
    let mut spool = Spool::open(home.path(), "agent", b"first", limits, now()).unwrap();
    for sequence in 1..=3000 {
        let class = Class::ALL[sequence as usize % 3];
        spool.append(class, sequence, &[1; 300], now()).unwrap();
        if sequence % 50 == 0 {
            spool.sync(now()).unwrap();
            let files = fs::read_dir(home.path()).unwrap();
            let blocks = files.map(|file| file.unwrap().metadata().unwrap().len().div_ceil(4096));
            assert!(blocks.sum::<u64>() * 4096 <= limits.total());
        }
    }
    assert!(spool.ledger()[Class::Sample].dropped > 0);
}

#[test]
fn a_second_process_is_told_who_holds_it() {
    let home = tempfile::tempdir().unwrap();
    let limits = Limits::of_bytes(1 << 20);
    let first = Spool::open(home.path(), "agent of node-7", b"", limits, now()).unwrap();
    let second = Spool::open(home.path(), "intruder", b"", limits, now()).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }));
    let said = second.to_string();
    let holder = format!("agent of node-7 (pid {})", std::process::id());
    assert!(said.ends_with(&format!("is in use by {holder}")), "{said}");
    drop(first);
    Spool::open(home.path(), "successor", b"", limits, now()).unwrap();
}

#[test]
fn a_place_that_cannot_be_a_directory_is_a_clear_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("file");
    fs::write(&path, b"").unwrap();
    let error = Spool::open(&path, "agent", b"", Limits::of_bytes(1 << 20), now()).unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }), "{error}");
}
