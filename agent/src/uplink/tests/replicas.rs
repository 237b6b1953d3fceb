//! Several aggregators at once, each served from the one spool at its own pace.

use super::{
    aggregator::{Aggregator, Manner},
    kit::Agent,
};

#[tokio::test(start_paused = true)]
async fn every_replica_gets_everything_exactly_once() {
    let (first, second) = (
        Aggregator::start(Manner::Acknowledge),
        Aggregator::start(Manner::Acknowledge),
    );
    let mut agent = Agent::start(&[("first", &first), ("second", &second)]);
    for _ in 0..600 {
        agent.beat();
        agent.sleep(0.5).await;
    }
    agent.drain().await;
    let everything: Vec<u64> = (1..=600).collect();
    assert_eq!(first.received(), everything);
    assert_eq!(second.received(), everything);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_down_holds_up_nobody_and_catches_up() {
    let (up, down) = (
        Aggregator::start(Manner::Acknowledge),
        Aggregator::start(Manner::Break),
    );
    let agent = Agent::start(&[("up", &up), ("down", &down)]);
    for _ in 0..100 {
        agent.beat();
        agent.sleep(1.0).await;
    }
    assert_eq!(up.received().len(), 100);
    assert_eq!(agent.waiting_for("down").len(), 100);
    down.become_one_to(Manner::Acknowledge);
    agent.sleep(60.0).await;
    assert!(agent.waiting_for("down").is_empty());
    assert_eq!(up.received().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_new_replica_begins_with_what_is_still_held() {
    let slow = Aggregator::start(Manner::Ignore);
    let agent = Agent::start(&[("slow", &slow)]);
    agent.beat();
    agent.beat();
    agent.sleep(1.0).await;
    assert_eq!(agent.waiting_for("new"), [1, 2].into());
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_that_is_slow_gets_no_more_than_a_window_of_records() {
    let aggregator = Aggregator::start(Manner::Ignore);
    let agent = Agent::start(&[("a", &aggregator)]);
    for _ in 0..3000 {
        agent.beat();
    }
    agent.sleep(15.0).await;
    assert_eq!(aggregator.received().len(), 1024);
    assert_eq!(
        agent.waiting_for("a").len(),
        3000,
        "all of it is still held"
    );
}

#[tokio::test(start_paused = true)]
async fn all_replicas_are_drained_at_the_same_time() {
    let good = Aggregator::start(Manner::Acknowledge);
    let (silent, nowhere) = (Aggregator::start(Manner::Ignore), Aggregator::nowhere());
    let mut agent = Agent::start(&[("silent", &silent), ("nowhere", &nowhere), ("good", &good)]);
    agent.sleep(1.0).await;
    agent.beat();
    let took = agent.drain().await;
    assert!(took < 5.0, "{took} s");
    assert_eq!(good.received(), [1]);
}

#[tokio::test(start_paused = true)]
async fn another_history_at_a_known_address_gets_all_that_is_held_and_an_unknown_one_goes_on() {
    let (first, behind) = (
        Aggregator::start(Manner::Acknowledge),
        Aggregator::start(Manner::Ignore),
    );
    // The one that acknowledges nothing keeps everything in the spool.
    let agent = Agent::start(&[("first", &first), ("behind", &behind)]);
    for (history, expected) in [
        (None, vec![1]),
        (Some("0a"), vec![2]),
        (Some("0a"), vec![3]),
        (Some("0b"), vec![1, 2, 3, 4]),
        (None, vec![5]),
    ] {
        first.become_one_to(Manner::Break);
        agent.sleep(60.0).await;
        first.keep_history(history);
        first.become_one_to(Manner::Acknowledge);
        agent.beat();
        agent.sleep(60.0).await;
        assert_eq!(first.received(), expected, "{history:?}");
    }
}
