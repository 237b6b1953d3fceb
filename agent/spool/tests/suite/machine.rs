//! Whatever happens in whatever order, nothing synced is lost uncounted and the books balance.

use nodegrace_spool::Class;
use proptest::prelude::*;

use crate::kit::{Crash, World, limits};

#[derive(Clone, Debug)]
enum Step {
    Append(Class, usize),
    Read(&'static str, usize),
    Acknowledge(&'static str),
    Sync,
    Wait(u64),
    Restart,
    Kill,
    CrashMachine(u64),
    /// The process dies at one of the next writes.
    DieSoon(u64),
    /// Others leave this many bytes.
    Fill(u64),
    Free,
    FailNext(u64),
}

fn replica() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn step() -> impl Strategy<Value = Step> {
    let class = prop::sample::select(Class::ALL.to_vec());
    prop_oneof![
        20 => (class, 0..1800usize).prop_map(|(class, size)| Step::Append(class, size)),
        4 => (replica(), 1..30usize).prop_map(|(name, records)| Step::Read(name, records)),
        4 => replica().prop_map(Step::Acknowledge),
        4 => Just(Step::Sync),
        2 => prop_oneof![4 => 1..60u64, 1 => 3600..100_000u64].prop_map(Step::Wait),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(Step::CrashMachine),
        1 => (1..12u64).prop_map(Step::DieSoon),
        1 => (0..60_000u64).prop_map(Step::Fill),
        1 => Just(Step::Free),
        1 => (1..8u64).prop_map(Step::FailNext),
    ]
}

fn take(world: &mut World, step: &Step) {
    match *step {
        Step::Append(class, size) => world.append(class, size),
        Step::Read(name, records) => {
            world.read(name, records);
        }
        Step::Acknowledge(name) => world.acknowledge(name),
        Step::Sync => {
            world.sync();
        }
        Step::Wait(seconds) => world.advance(seconds),
        Step::Restart => {
            world.close();
            if !world.disk.is_down() {
                world.open();
                world.reconnect();
            }
        }
        Step::Kill => {
            world.crash(Crash::Process);
            world.reconnect();
        }
        Step::CrashMachine(seed) => {
            world.crash(Crash::Machine(seed));
            world.reconnect();
        }
        Step::DieSoon(writes) => world.disk.crash_at(world.disk.writes() + writes),
        Step::Fill(bytes) => world.disk.set_capacity(bytes),
        Step::Free => world.disk.set_capacity(u64::MAX),
        Step::FailNext(operations) => world.disk.fail_next(operations),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_books_balance_whatever_happens(steps in prop::collection::vec(step(), 1..150), seed: u64) {
        let mut world = World::new(limits());
        for (number, step) in steps.iter().enumerate() {
            take(&mut world, step);
            if world.disk.is_down() {
                let crash = if number % 2 == 0 { Crash::Process } else { Crash::Machine(seed ^ number as u64) };
                world.crash(crash);
                world.reconnect();
            }
            world.check();
        }
        // Once the disk is well again, everything is durable within one call.
        world.disk.restart(Crash::Process);
        world.disk.set_capacity(u64::MAX);
        prop_assert!(world.sync());
        world.crash(Crash::Machine(seed));
        prop_assert!(world.spool().ledger().iter().all(|(_, account)| account.held <= account.appended));
    }
}
