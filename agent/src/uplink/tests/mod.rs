//! Delivery through everything an aggregator may do, in virtual time and over connections in memory.

pub(crate) mod aggregator;
mod discovery;
mod kit;
mod replicas;
mod restarts;
mod token;

use std::time::Duration;

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{Heartbeat, KubeletSettings, NodeFacts};
use tempfile::TempDir;

use self::{
    aggregator::{Aggregator, Manner},
    kit::{Agent, given},
};
use crate::{
    journal::tests::fickle::{self, Fickle},
    logging::captured::Log,
    observe::Observation,
};

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_at_once_and_forgotten_when_acknowledged() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(1.0).await;
    agent.beat();
    agent.sleep(0.1).await;
    assert_eq!(aggregator.received(), [1]);
    assert!(agent.waiting_for("a").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_silence_goes_at_once_and_what_comes_soon_after_it_travels_together() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(1.0).await;
    let before = aggregator.batches().len();
    agent.beat();
    agent.sleep(0.01).await;
    assert_eq!(aggregator.received(), [1]);
    agent.beat();
    agent.sleep(0.02).await;
    agent.beat();
    assert_eq!(aggregator.received(), [1]);
    agent.sleep(0.1).await;
    assert_eq!(aggregator.batches().len() - before, 2);
    assert_eq!(aggregator.received(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_agent_still_reports_every_ten_seconds() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(35.0).await;
    assert_eq!(aggregator.batches().len(), 4);
    assert!(
        aggregator
            .batches()
            .iter()
            .all(|batch| batch.channel_views.len() == 2 && batch.node_name == "a")
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_break_what_was_not_acknowledged_is_sent_again_under_its_numbers() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.beat();
    agent.sleep(1.0).await;
    aggregator.become_one_to(Manner::Break);
    agent.beat();
    agent.sleep(0.1).await;
    aggregator.become_one_to(Manner::Acknowledge);
    agent.beat();
    agent.sleep(2.0).await;
    assert_eq!(aggregator.received(), [1, 2, 2, 3]);
    assert!(agent.waiting_for("a").is_empty());
    assert_eq!(aggregator.streams(), 2);
}

#[tokio::test(start_paused = true)]
async fn facts_and_settings_open_every_stream() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent
        .journal
        .learn(vec![Observation::Facts(NodeFacts::default())]);
    agent.journal.configured(KubeletSettings::default());
    agent.sleep(1.0).await;
    aggregator.become_one_to(Manner::Break);
    agent.beat();
    agent.sleep(0.1).await;
    aggregator.become_one_to(Manner::Acknowledge);
    agent.sleep(2.0).await;
    let told: Vec<_> = aggregator
        .batches()
        .iter()
        .map(|batch| (batch.node_facts.is_some(), batch.kubelet_settings.is_some()))
        .collect();
    assert_eq!(told, [(true, true), (false, false), (true, true)]);
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_that_does_not_acknowledge_is_connected_to_anew() {
    let aggregator = Aggregator::start(Manner::Ignore);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.beat();
    agent.sleep(15.0).await;
    assert_eq!(aggregator.streams(), 1);
    agent.sleep(10.0).await;
    assert_eq!(aggregator.streams(), 2);
    assert_eq!(aggregator.received(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_came_while_the_next_batch_waited_for_the_disk_is_in_time() {
    // Each time it would be a matter of luck.
    for _ in 0..8 {
        let directory = TempDir::new().unwrap();
        let disk = Fickle::at(directory.path());
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        let aggregator = Aggregator::start(Manner::Acknowledge);
        let journal = disk.journal(&clock);
        let agent = Agent::with(journal, clock, given(&[("a", &aggregator)]));
        agent.sleep(1.0).await;
        aggregator.become_one_to(Manner::AcknowledgeLater);
        agent.beat();
        agent.sleep(0.5).await;
        disk.behave(fickle::Manner::StandsStill);
        let beat = Observation::Heartbeat(Heartbeat::default());
        agent.journal.learn(vec![beat]);
        for _ in 0..30 {
            tokio::time::advance(Duration::from_secs(1)).await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(aggregator.received(), [1], "the second one waits");
        disk.behave(fickle::Manner::Works);
        agent.sleep(3.0).await;
        assert_eq!(aggregator.received(), [1, 2]);
        assert_eq!(aggregator.streams(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_records_are_counted_and_not_sent_again() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(1.0).await;
    aggregator.become_one_to(Manner::Reject);
    agent.beat();
    agent.sleep(1.0).await;
    aggregator.become_one_to(Manner::Acknowledge);
    agent.beat();
    agent.sleep(1.0).await;
    assert_eq!(aggregator.received(), [1, 2]);
    let last = aggregator.batches().pop().and_then(|batch| batch.losses);
    assert_eq!(last.map(|losses| losses.rejected_records), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_a_warning_and_one_that_makes_no_sense_an_error() {
    let (log, _guard) = Log::listen();
    let aggregator = Aggregator::start(Manner::Break);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(1.0).await;
    assert!(log.says("WARN", "shutting down"));
    assert!(!log.says("ERROR", ""));
    aggregator.become_one_to(Manner::Refuse);
    agent.sleep(30.0).await;
    assert!(log.says("ERROR", "node_name: must be set"));
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_that_takes_smaller_batches_gets_them() {
    let aggregator = Aggregator::start(Manner::AtMost(100));
    let agent = Agent::start(&[("a", &aggregator)]);
    for _ in 0..1000 {
        agent.beat();
    }
    agent.sleep(60.0).await;
    assert!(agent.waiting_for("a").is_empty());
    let batches = aggregator.batches();
    let sizes: Vec<_> = batches.iter().map(|batch| batch.heartbeats.len()).collect();
    let last_refused = sizes.iter().rposition(|size| *size > 100);
    let taken = &sizes[last_refused.expect("larger ones are tried first") + 1..];
    assert_eq!(taken.iter().max(), Some(&64), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn sealing_delivers_what_is_left_and_ends() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let mut agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(1.0).await;
    agent.beat();
    let took = agent.drain().await;
    assert_eq!(aggregator.received(), [1]);
    assert!(took < 0.1, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn sealing_does_not_wait_for_ever() {
    for aggregator in [Aggregator::nowhere(), Aggregator::start(Manner::Ignore)] {
        let mut agent = Agent::start(&[("a", &aggregator)]);
        agent.sleep(1.0).await;
        agent.beat();
        let took = agent.drain().await;
        assert!(took < 5.0, "{took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_backlog_is_delivered_in_bounded_batches_without_gaps() {
    let aggregator = Aggregator::start(Manner::Break);
    let agent = Agent::start(&[("a", &aggregator)]);
    for _ in 0..3000 {
        agent.beat();
    }
    agent.sleep(1.0).await;
    aggregator.become_one_to(Manner::Acknowledge);
    agent.sleep(60.0).await;
    assert!(agent.waiting_for("a").is_empty());
    let numbers: std::collections::BTreeSet<_> = aggregator.received().into_iter().collect();
    assert_eq!(numbers.len(), 3000);
    assert!(
        aggregator
            .batches()
            .iter()
            .all(|batch| batch.heartbeats.len() <= 256)
    );
}
