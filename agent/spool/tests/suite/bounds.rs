//! Bounds hold, the oldest goes first, and every class keeps to its own budget.

use std::time::Duration;

use nodegrace_spool::{AppendError, Class, Cursor, Limits, OpenError, PerClass, ReadLimit, Spool};

use crate::kit::{World, limits};

#[test]
fn the_oldest_makes_room_by_whole_segments_and_is_counted() {
    let mut world = World::new(limits());
    for _ in 0..400 {
        world.append(Class::Heartbeat, 400);
        world.check();
    }
    let account = world.spool().ledger()[Class::Heartbeat];
    assert!(account.dropped > 300 && account.held > 30, "{account:?}");
    assert!(world.holds_the_newest());
    world.close();
    world.open();
    assert_eq!(world.spool().ledger()[Class::Heartbeat], account);
}

#[test]
fn samples_never_push_out_heartbeats() {
    let mut world = World::new(limits());
    for _ in 0..30 {
        world.append(Class::Heartbeat, 100);
        world.append(Class::Other, 100);
    }
    for _ in 0..500 {
        world.append(Class::Sample, 1800);
    }
    let ledger = world.spool().ledger();
    assert_eq!(
        (ledger[Class::Heartbeat].held, ledger[Class::Other].held),
        (30, 30)
    );
    assert!(ledger[Class::Sample].dropped > 400);
}

#[test]
fn what_is_too_old_goes_though_there_is_room_and_a_stepped_wall_clock_ages_nothing() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 100);
    world.now.wall += Duration::from_secs(30 * 365 * 86_400);
    world.append(Class::Sample, 100);
    world.sync();
    assert_eq!(world.spool().ledger()[Class::Heartbeat].held, 1);
    world.advance(86_401);
    world.append(Class::Sample, 100);
    let ledger = world.spool().ledger();
    assert_eq!(
        (
            ledger[Class::Heartbeat].held,
            ledger[Class::Heartbeat].dropped
        ),
        (0, 1)
    );
    assert_eq!(
        (ledger[Class::Sample].held, ledger[Class::Sample].dropped),
        (1, 1)
    );
}

#[test]
fn records_of_an_earlier_run_age_by_the_wall_clock() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 100);
    world.close();
    // The machine was off: the monotonic clock starts anew.
    world.now.monotonic = Duration::from_secs(5);
    world.now.wall += Duration::from_secs(80_000);
    world.open();
    assert_eq!(world.spool().ledger()[Class::Heartbeat].held, 1);
    assert_eq!(world.spool().recovery().dropped, PerClass::default());
    world.advance(7000);
    let opened = world.disk.copy();
    let opened = Spool::open_on(Box::new(opened), b"", limits(), world.now);
    assert_eq!(opened.unwrap().recovery().dropped[Class::Heartbeat], 1);
    world.sync();
    assert_eq!(world.spool().ledger()[Class::Heartbeat].dropped, 1);
}

#[test]
fn a_restart_every_minute_stays_within_the_limit() {
    let mut world = World::new(limits());
    for _ in 0..60 {
        world.append(Class::Heartbeat, 100);
        world.append(Class::Sample, 1000);
        world.close();
        world.open();
    }
    assert!(world.holds_the_newest());
    assert!(world.spool().ledger()[Class::Sample].dropped > 0);
}

#[test]
fn memory_alone_obeys_the_same_rules() {
    let mut now = World::new(limits()).now;
    let mut spool = Spool::in_memory(b"this run", limits()).unwrap();
    let mut reader = spool.connect("a", now).unwrap();
    for sequence in 1..=300 {
        now.monotonic += Duration::from_secs(5);
        spool
            .append(Class::Heartbeat, sequence, &[7; 400], now)
            .unwrap();
        spool.sync(now).unwrap();
    }
    let account = spool.ledger()[Class::Heartbeat];
    assert_eq!(account.held + account.dropped, 300);
    assert!(account.held > 30 && account.dropped > 200);
    let all = ReadLimit {
        records: 1000,
        bytes: usize::MAX,
    };
    let batch = spool.read(&reader, all).unwrap().unwrap();
    assert_eq!(batch.records.len() as u64, account.held);
    assert_eq!(batch.end.missed()[Class::Heartbeat], account.dropped);
    assert_eq!(batch.instance, *spool.instance());
    reader = batch.end;
    spool.acknowledge("a", &reader, now);
    assert!(spool.ledger()[Class::Heartbeat].acknowledged > 0);
    assert_eq!(spool.read(&reader, all).unwrap(), None);
}

#[test]
fn what_found_no_way_to_the_spool_is_counted_as_dropped_and_missed() {
    let mut world = World::new(limits());
    let now = world.now;
    for start in [1, 11] {
        let spool = world.spool();
        spool.append(Class::Sample, start, b"x", now).unwrap();
        spool.forgo(Class::Sample, 3);
        spool.forgo(Class::Heartbeat, 0);
        spool.append(Class::Sample, start + 9, b"y", now).unwrap();
    }
    let account = world.spool().ledger()[Class::Sample];
    assert_eq!((account.appended, account.dropped), (10, 6));
    let all = ReadLimit {
        records: 10,
        bytes: usize::MAX,
    };
    let batch = world.spool().read(&Cursor::default(), all);
    let batch = batch.unwrap().unwrap();
    assert_eq!(batch.records.len(), 4);
    assert_eq!(batch.end.missed()[Class::Sample], 6);
    world.spool().sync(now).unwrap();
    let spool = world.disk.open();
    assert_eq!(spool.ledger()[Class::Sample], account);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let now = World::new(limits()).now;
    let mut spool = Spool::in_memory(b"", limits()).unwrap();
    spool.append(Class::Other, 5, b"x", now).unwrap();
    assert_eq!(
        spool.append(Class::Other, 5, b"x", now),
        Err(AppendError::OutOfOrder { given: 5, last: 5 })
    );
    assert_eq!(
        spool.append(Class::Other, u64::MAX, b"x", now),
        Err(AppendError::BeyondCounting(u64::MAX))
    );
    let most = limits().most_payload(Class::Other);
    spool.append(Class::Other, 6, &vec![0; most], now).unwrap();
    assert_eq!(
        spool.append(Class::Other, 7, &vec![0; most + 1], now),
        Err(AppendError::TooLarge {
            given: most + 1,
            most
        })
    );
    let account = spool.ledger()[Class::Other];
    assert_eq!((account.appended, account.held, account.dropped), (3, 2, 1));
    // The hole is seen by whoever reads over it.
    spool.append(Class::Other, 8, b"x", now).unwrap();
    let all = ReadLimit {
        records: 10,
        bytes: usize::MAX,
    };
    let batch = spool.read(&Cursor::default(), all).unwrap().unwrap();
    assert_eq!(batch.end.missed()[Class::Other], 1);

    let long = vec![0; 1025];
    assert!(matches!(
        Spool::in_memory(&long, limits()),
        Err(OpenError::IdentityTooLong(1025))
    ));
    let tight = Limits {
        budget: PerClass::from_fn(|_| 100),
        ..limits()
    };
    assert!(matches!(
        Spool::in_memory(b"", tight),
        Err(OpenError::BudgetTooSmall { .. })
    ));
}

#[test]
fn the_parts_of_a_limit_add_up_to_it() {
    for bytes in [1 << 20, 64 << 20, 1 << 30] {
        assert_eq!(Limits::of_bytes(bytes).total(), bytes);
    }
}
