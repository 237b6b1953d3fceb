//! Agents that stop and start again over the same spool.

use nodegrace_clock::Clock;
use nodegrace_proto::v1::ReportBatch;
use tempfile::TempDir;

use super::{
    aggregator::{Aggregator, Manner},
    kit::Agent,
};

fn clock() -> Clock {
    Clock::scaled(1.0, std::time::UNIX_EPOCH)
}

/// Start of the run, in seconds since boot, and numbers of the heartbeats of every batch that has any.
fn runs(batches: &[ReportBatch]) -> Vec<(i64, bool, Vec<u64>)> {
    batches
        .iter()
        .filter(|batch| !batch.heartbeats.is_empty())
        .map(|batch| {
            let agent = batch.agent.as_ref().unwrap();
            let numbers = batch.heartbeats.iter().map(|beat| beat.sequence_number);
            let start = agent.start_monotonic.unwrap().seconds;
            (start, batch.replay, numbers.collect())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn heartbeats_outlive_an_agent_that_crashes_while_no_aggregator_can_be_reached() {
    let (directory, clock) = (TempDir::new().unwrap(), clock());
    let agent = Agent::on_disk(directory.path(), &clock, &[("a", &Aggregator::nowhere())]).await;
    agent.beat();
    agent.beat();
    agent.sleep(10.0).await;
    agent.crash().await;

    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::on_disk(directory.path(), &clock, &[("a", &aggregator)]).await;
    agent.beat();
    agent.sleep(1.0).await;
    assert_eq!(
        runs(&aggregator.batches()),
        [(3600, true, vec![1, 2]), (3610, false, vec![1])]
    );
    assert_eq!(aggregator.streams(), 2, "one for each run");
    assert!(
        aggregator
            .batches()
            .iter()
            .all(|batch| batch.replay == batch.channel_views.is_empty())
    );
}

#[tokio::test(start_paused = true)]
async fn every_run_of_a_crashing_agent_is_delivered_in_its_order() {
    let (directory, clock) = (TempDir::new().unwrap(), clock());
    let nowhere = Aggregator::nowhere();
    for _ in 0..5 {
        let agent = Agent::on_disk(directory.path(), &clock, &[("a", &nowhere)]).await;
        agent.beat();
        agent.sleep(10.0).await;
        agent.crash().await;
    }
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let mut agent = Agent::on_disk(directory.path(), &clock, &[("a", &aggregator)]).await;
    agent.beat();
    let took = agent.drain().await;
    let starts: Vec<_> = runs(&aggregator.batches())
        .iter()
        .map(|(start, _, _)| *start)
        .collect();
    assert_eq!(starts, [3600, 3610, 3620, 3630, 3640, 3650]);
    assert!(took < 5.0, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_sent_back_half_way_is_finished_by_the_next_stream() {
    let (directory, clock) = (TempDir::new().unwrap(), clock());
    let agent = Agent::on_disk(directory.path(), &clock, &[("a", &Aggregator::nowhere())]).await;
    for _ in 0..600 {
        agent.beat();
    }
    agent.sleep(10.0).await;
    agent.crash().await;

    let aggregator = Aggregator::start(Manner::Ignore);
    let agent = Agent::on_disk(directory.path(), &clock, &[("a", &aggregator)]).await;
    agent.sleep(10.0).await;
    aggregator.become_one_to(Manner::Break);
    agent.sleep(30.0).await;
    aggregator.become_one_to(Manner::Acknowledge);
    agent.sleep(30.0).await;
    let numbers: std::collections::BTreeSet<_> = aggregator.received().into_iter().collect();
    assert_eq!(numbers.len(), 600);
    assert!(agent.waiting_for("a").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_one_replica_has_of_an_earlier_run_another_one_still_gets() {
    let (directory, clock) = (TempDir::new().unwrap(), clock());
    let (first, second) = (
        Aggregator::start(Manner::Acknowledge),
        Aggregator::start(Manner::Acknowledge),
    );
    let reached = [("first", &first), ("second", &Aggregator::nowhere())];
    let mut agent = Agent::on_disk(directory.path(), &clock, &reached).await;
    agent.beat();
    agent.drain().await;
    let journal = std::sync::Arc::into_inner(agent.journal).unwrap();
    std::sync::Arc::new(journal).close().await;

    let both = [("first", &first), ("second", &second)];
    let agent = Agent::on_disk(directory.path(), &clock, &both).await;
    agent.sleep(1.0).await;
    assert_eq!(first.received(), [1]);
    assert_eq!(second.received(), [1]);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_records_does_not_hang_on_a_wall_clock_that_is_stepped() {
    let (directory, clock) = (TempDir::new().unwrap(), clock());
    let agent = Agent::on_disk(directory.path(), &clock, &[("a", &Aggregator::nowhere())]).await;
    agent.beat();
    // Far beyond the age at which records are dropped, in both directions.
    for step in [90.0 * 86_400.0, -180.0 * 86_400.0] {
        clock.step_wall(step);
        agent.beat();
        agent.sleep(60.0).await;
    }
    assert_eq!(agent.waiting_for("a"), [1, 2, 3].into());
}
