//! Killed at every write point, by a signal or with the machine, the spool comes back with everything it promised.

use nodegrace_spool::Class;

use crate::kit::{Crash, World, limits};

/// A bit of everything: three classes, two replicas, bounds met, a restart in between. Ends early when the process dies.
fn live(world: &mut World) {
    for round in 0..40u64 {
        if world.disk.is_down() {
            return;
        }
        world.append(Class::Heartbeat, 100);
        if round % 2 == 0 && !world.disk.is_down() {
            world.append(Class::Sample, 1500);
        }
        if round % 9 == 0 && !world.disk.is_down() {
            world.append(Class::Other, 300);
        }
        world.advance(10);
        match round {
            3 | 11 | 30 => {
                world.sync();
            }
            5 | 15 | 25 => {
                world.read("a", 20);
                world.acknowledge("a");
            }
            16 => {
                world.read("b", 9);
                world.acknowledge("b");
            }
            20 => {
                world.close();
                if !world.disk.is_down() {
                    world.open();
                    world.reconnect();
                }
            }
            _ => {}
        }
    }
    world.sync();
}

/// Every write point of that life.
fn write_points() -> u64 {
    let mut world = World::new(limits());
    live(&mut world);
    world.check();
    world.disk.writes()
}

fn die_and_come_back(write: u64, crash: Crash) {
    let mut world = World::new(limits());
    world.disk.crash_at(write);
    live(&mut world);
    world.crash(crash);
    if matches!(crash, Crash::Process) {
        assert!(world.holds_the_newest(), "killed at write {write}");
    }
    world.reconnect();
    live(&mut world);
    world.check();
    world.crash(Crash::Process);
    world.check();
}

#[test]
fn killed_at_any_write_the_process_loses_nothing_it_appended() {
    let writes = write_points();
    assert!(writes > 100, "{writes} write points exercise something");
    for write in 1..=writes {
        die_and_come_back(write, Crash::Process);
    }
}

#[test]
fn after_a_crash_of_the_machine_at_any_write_everything_synced_is_there_or_accounted_for() {
    for write in 1..=write_points() {
        for seed in 0..6 {
            die_and_come_back(write, Crash::Machine(seed * 1000 + write));
        }
    }
}

#[test]
fn a_crash_of_the_machine_soon_after_a_kill_finds_no_more_missing_than_was_accounted_for() {
    for write in 1..=write_points() {
        for seed in 0..4 {
            let mut world = World::new(limits());
            world.disk.crash_at(write);
            live(&mut world);
            world.crash(Crash::Process);
            world.crash(Crash::Machine(seed * 1000 + write));
            world.check();
        }
    }
}

#[test]
fn a_crash_while_coming_back_from_a_crash_costs_nothing_more() {
    let writes = write_points();
    for write in (1..=writes).step_by(5) {
        for again in 1..4 {
            let mut world = World::new(limits());
            world.disk.crash_at(write);
            live(&mut world);
            world.disk.restart(Crash::Machine(write));
            world.disk.crash_at(world.disk.writes() + again);
            world.crash_while_opening();
            world.crash(Crash::Machine(write + again));
            live(&mut world);
            world.check();
        }
    }
}
