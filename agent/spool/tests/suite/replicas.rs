//! Several readers, each at its own place.

use nodegrace_spool::{Class, Cursor, Position};

use crate::kit::{Crash, World, limits};

fn filled() -> World {
    let mut world = World::new(limits());
    for _ in 0..20 {
        world.append(Class::Heartbeat, 500);
        world.append(Class::Sample, 500);
    }
    world
}

#[test]
fn every_replica_gets_everything_in_order_and_what_all_have_is_deleted() {
    let mut world = filled();
    while world.read("a", 7) > 0 {}
    world.acknowledge("a");
    assert!(
        world.spool().ledger()[Class::Heartbeat].acknowledged > 0,
        "one replica is all of them"
    );

    let mut world = filled();
    world.read("b", 1);
    while world.read("a", 7) > 0 {}
    world.acknowledge("a");
    assert_eq!(world.spool().ledger()[Class::Heartbeat].acknowledged, 0);
    while world.read("b", 3) > 0 {}
    world.acknowledge("b");
    assert_eq!((world.replicas["a"].got, world.replicas["b"].got), (40, 40));
    let account = world.spool().ledger()[Class::Heartbeat];
    assert!(
        account.acknowledged > 10 && account.dropped == 0,
        "{account:?}"
    );
    world.check();
}

#[test]
fn a_cursor_survives_a_close_and_losing_it_only_sends_again() {
    let mut world = World::new(limits());
    for _ in 0..20 {
        world.append(Class::Heartbeat, 10);
    }
    world.read("a", 7);
    world.acknowledge("a");
    let cursor = world.replicas["a"].cursor;
    world.close();
    world.open();
    world.reconnect();
    assert_eq!(world.replicas["a"].cursor, cursor);

    world.read("a", 7);
    world.acknowledge("a");
    world.crash(Crash::Process);
    world.reconnect();
    assert_eq!(
        world.replicas["a"].cursor, cursor,
        "the second one was not written down yet"
    );
    assert_eq!(world.read("a", 7), 7);
}

#[test]
fn a_new_replica_starts_from_the_oldest_still_held_and_misses_nothing_of_what_it_can_know() {
    let mut world = World::new(limits());
    for _ in 0..200 {
        world.append(Class::Heartbeat, 500);
    }
    assert!(world.spool().ledger()[Class::Heartbeat].dropped > 0);
    world.read("new", 1000);
    assert_eq!(world.replicas["new"].cursor.missed()[Class::Heartbeat], 0);
}

#[test]
fn what_earlier_runs_lost_with_all_they_had_is_told_with_the_next_record() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 500);
    assert_eq!(world.read("a", 10), 1);
    for _ in 0..3 {
        world.append(Class::Heartbeat, 500);
        world.close();
        world.open();
    }
    // The last run makes so many that nothing is left of those before it.
    for _ in 0..200 {
        world.append(Class::Heartbeat, 500);
    }
    while world.read("a", 10) > 0 {}
    let reader = &world.replicas["a"];
    assert_eq!(reader.got + reader.cursor.missed()[Class::Heartbeat], 204);
}

#[test]
fn a_reader_that_falls_behind_is_told_how_much_it_missed_and_the_one_that_kept_up_missed_nothing() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 500);
    world.read("slow", 1);
    world.read("quick", 1);
    for _ in 0..200 {
        world.append(Class::Heartbeat, 500);
        world.read("quick", 10);
    }
    while world.read("slow", 10) > 0 {}
    assert_eq!(world.replicas["quick"].cursor.missed()[Class::Heartbeat], 0);
    let slow = &world.replicas["slow"];
    assert_eq!(slow.got + slow.cursor.missed()[Class::Heartbeat], 201);
    // The next run begins with a clean sheet, which is the instance's and not the replica's.
    world.close();
    world.open();
    world.append(Class::Heartbeat, 10);
    while world.read("slow", 10) > 0 {}
    assert_eq!(world.replicas["slow"].cursor.missed()[Class::Heartbeat], 0);
}

#[test]
fn a_replica_that_stays_away_is_forgotten_and_holds_nothing_back() {
    let mut world = filled();
    world.read("gone", 1);
    while world.read("a", 100) > 0 {}
    world.acknowledge("a");
    assert_eq!(world.spool().ledger()[Class::Sample].acknowledged, 0);
    world.advance(7201);
    world.acknowledge("a");
    assert_eq!(
        world.spool().replicas().collect::<Vec<_>>(),
        [("a", position(1, 40))]
    );
    assert!(world.spool().ledger()[Class::Sample].acknowledged > 0);
    // Its late acknowledgement changes nothing; it has to connect again.
    world.acknowledge("gone");
    assert_eq!(world.spool().replicas().count(), 1);
}

#[test]
fn records_of_earlier_runs_come_first_and_under_the_instance_that_made_them() {
    let mut world = World::new(limits());
    for _ in 0..3 {
        world.append(Class::Heartbeat, 10);
        world.append(Class::Other, 10);
        world.close();
        world.open();
    }
    let limit = nodegrace_spool::ReadLimit {
        records: 100,
        bytes: 1000,
    };
    let mut cursor = Cursor::default();
    let mut instances = Vec::new();
    while let Some(batch) = world.spool().read(&cursor, limit).unwrap() {
        assert_eq!(batch.records.len(), 2);
        instances.push((batch.instance.number, batch.instance.identity.to_vec()));
        cursor = batch.end;
    }
    let runs = [(1, "5000"), (2, "5001"), (3, "5002")];
    let expected = runs.map(|(number, start)| (number, format!("run at {start}s").into_bytes()));
    assert_eq!(instances, expected);
}

fn position(instance: u64, sequence: u64) -> Position {
    Position { instance, sequence }
}
