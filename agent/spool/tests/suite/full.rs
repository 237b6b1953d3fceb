//! A full disk: the spool goes on, and catches up when there is space again.

use nodegrace_spool::Class;

use crate::kit::{Crash, World, limits};

#[test]
fn what_a_full_disk_refuses_waits_in_memory_and_is_written_when_there_is_space() {
    let mut world = World::new(limits());
    world.append(Class::Heartbeat, 100);
    world.disk.set_capacity(0);
    for _ in 0..10 {
        world.append(Class::Heartbeat, 100);
    }
    let condition = world.spool().condition();
    assert!(condition.failing.is_some() && condition.unwritten_bytes > 1000);
    assert!(!world.sync());
    while world.read("a", 100) > 0 {}
    assert_eq!(world.replicas["a"].got, 11, "readers see what waits");

    world.disk.set_capacity(u64::MAX);
    world.append(Class::Heartbeat, 100);
    let condition = world.spool().condition();
    assert_eq!((condition.failing, condition.unwritten_bytes), (None, 0));
    assert!(world.sync());
    world.crash(Crash::Machine(3));
    let account = world.spool().ledger()[Class::Heartbeat];
    assert_eq!((account.held, account.lost, account.dropped), (12, 0, 0));
}

#[test]
fn when_memory_is_full_too_samples_give_way_to_heartbeats() {
    let mut world = World::new(limits());
    for _ in 0..10 {
        world.append(Class::Sample, 1500);
    }
    for _ in 0..10 {
        world.append(Class::Heartbeat, 300);
    }
    // Not a byte more than now, but what the spool gives up it may use again.
    world.fill_the_disk();
    for _ in 0..40 {
        world.append(Class::Heartbeat, 300);
        world.check();
    }
    let ledger = world.spool().ledger();
    assert_eq!(ledger[Class::Heartbeat].dropped, 0, "{ledger:?}");
    assert!(ledger[Class::Sample].dropped > 0);
}

#[test]
fn a_disk_that_stays_full_costs_the_oldest_that_wait_and_the_books_balance() {
    let mut world = World::new(limits());
    world.disk.set_capacity(0);
    for _ in 0..200 {
        world.append(Class::Heartbeat, 300);
        world.append(Class::Sample, 1000);
        world.check();
    }
    let ledger = world.spool().ledger();
    assert!(world.holds_the_newest());
    assert!(ledger[Class::Heartbeat].held > 5 && ledger[Class::Heartbeat].dropped > 100);
    let appended = ledger[Class::Heartbeat].appended;
    world.disk.set_capacity(u64::MAX);
    assert!(world.sync());
    world.crash(Crash::Process);
    assert_eq!(world.spool().ledger()[Class::Heartbeat].appended, appended);
    assert!(world.holds_the_newest());
}

#[test]
fn counts_survive_though_nothing_else_could_be_written() {
    let mut world = World::new(limits());
    for _ in 0..10 {
        world.append(Class::Sample, 1500);
    }
    world.disk.set_capacity(0);
    for _ in 0..40 {
        world.append(Class::Heartbeat, 300);
    }
    let dropped = world.spool().ledger()[Class::Sample].dropped;
    assert!(dropped > 0);
    world.crash(Crash::Process);
    assert_eq!(world.spool().ledger()[Class::Sample].dropped, dropped);
}

#[test]
fn a_torn_file_that_resists_removal_does_not_take_a_new_segment_of_its_name_with_it() {
    let mut world = World::new(limits());
    world.disk.set_capacity(world.disk.used() + 40);
    world.append(Class::Heartbeat, 300);
    world.close();
    world.disk.fail_next(1);
    world.open();
    world.disk.set_capacity(u64::MAX);
    world.append(Class::Heartbeat, 300);
    assert!(world.sync());
    world.crash(Crash::Machine(1));
    assert_eq!(world.spool().ledger()[Class::Heartbeat].held, 1);
}
