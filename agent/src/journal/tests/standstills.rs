//! What the journal does while its disk stands still, and when whoever uses it fails.

use std::time::Duration;

use nodegrace_spool::Class;
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    super::*,
    beat, clock,
    fickle::{Fickle, Manner},
};
use crate::logging::captured::Log;

#[tokio::test(start_paused = true)]
async fn whoever_fails_at_moving_records_takes_the_agent_with_it() {
    let directory = TempDir::new().unwrap();
    let disk = Fickle::at(directory.path());
    let journal = Arc::new(disk.journal(&clock()));
    let keeping = tokio::spawn(Arc::clone(&journal).keep(CancellationToken::new()));
    tokio::task::yield_now().await;
    disk.behave(Manner::Panics);
    journal.learn(beat());
    let ended = timeout(Duration::from_secs(60), keeping).await.unwrap();
    assert!(ended.is_err_and(|failure| failure.is_panic()));
}

/// Lets a record be moved to the disk, and that stand still.
async fn hang(disk: &Fickle, journal: &Arc<Journal>) {
    disk.behave(Manner::StandsStill);
    journal.learn(beat());
    drop(journal.move_aside(false));
    while !journal.entries().unwritten.is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Lets the disk work again, and what waits for it be moved.
async fn goes_on(disk: &Fickle, journal: &Arc<Journal>) {
    disk.behave(Manner::Works);
    drop(journal.move_aside(false));
    while journal.entries().moving {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nobody_who_measures_waits_for_a_disk_and_whatever_that_costs_is_counted() {
    let directory = TempDir::new().unwrap();
    let disk = Fickle::at(directory.path());
    let journal = Arc::new(disk.journal(&clock()));
    let mut reader = journal.connect("a").unwrap();
    hang(&disk, &journal).await;
    let (log, guard) = Log::listen();
    for _ in 0..1000 {
        journal.learn(beat());
        journal.spell(BlindSpell::default());
        journal.sample(Sample::default());
    }
    assert_eq!(journal.entries().unwritten.len(), 1024);
    assert!(log.says("ERROR", "the oldest records that wait for it are dropped"));
    drop(guard);
    let known = journal.ledger();
    goes_on(&disk, &journal).await;
    let account = |appended, dropped| Ledger {
        appended,
        held: appended - dropped,
        dropped,
        ..Ledger::default()
    };
    assert_eq!(journal.ledger(), known, "nothing else became of them");
    let ledger = journal.spool().ledger();
    assert_eq!(ledger[Class::Heartbeat], account(1001, 0));
    assert_eq!(ledger[Class::Other], account(1000, 976), "the newest stay");
    assert_eq!(ledger[Class::Sample], account(1000, 1000));

    // The next sample tells of those before it.
    journal.sample(Sample::default());
    let everything = BatchLimits {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let batch = journal.next_batch(&mut reader, everything);
    let losses = batch.losses.unwrap();
    assert_eq!((losses.dropped_samples, losses.dropped_others), (1000, 976));
    assert_eq!(losses.dropped_heartbeats, 0);
    assert_eq!(batch.heartbeats.len(), 1001);
    let spells = batch.blind_spells.iter();
    let numbers: Vec<_> = spells.map(|spell| spell.sequence_number).collect();
    let newest: Vec<_> = (977..=1000).map(|nth| 3 * nth).collect();
    assert_eq!(numbers, newest);
}

#[tokio::test]
async fn whoever_asks_what_became_of_the_records_does_not_wait_for_the_disk() {
    let directory = TempDir::new().unwrap();
    let disk = Fickle::at(directory.path());
    let journal = Arc::new(disk.journal(&clock()));
    journal.learn(beat());
    let held = |class| journal.ledger()[class].held;
    assert_eq!(
        held(Class::Heartbeat),
        1,
        "it waits for the one who moves it"
    );
    hang(&disk, &journal).await;
    journal.sample(Sample::default());
    assert_eq!((held(Class::Heartbeat), held(Class::Sample)), (2, 1));
    goes_on(&disk, &journal).await;
    let known = journal.ledger();
    assert_eq!(known, journal.spool().ledger());
    assert_eq!((held(Class::Heartbeat), held(Class::Sample)), (2, 1));
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_disk_and_says_what_that_may_have_cost() {
    let directory = TempDir::new().unwrap();
    let disk = Fickle::at(directory.path());
    let journal = Arc::new(disk.journal(&clock()));
    hang(&disk, &journal).await;
    journal.learn(beat());
    journal.sample(Sample::default());
    let (log, _guard) = Log::listen();
    journal.close().await;
    assert!(log.says("WARN", "unwritten=3"));
    disk.behave(Manner::Works);
}
