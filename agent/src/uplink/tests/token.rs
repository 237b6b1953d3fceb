//! The token that an agent shows, and what it does when there is another.

use std::fs;

use super::{
    aggregator::{Aggregator, Manner},
    kit::Agent,
};

#[tokio::test(start_paused = true)]
async fn a_new_token_is_shown_by_a_new_stream_and_nothing_is_sent_twice() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "first\n").unwrap();
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let mut agent = Agent::showing(&file, &[("a", &aggregator)]);
    agent.beat();
    agent.sleep(25.0).await;
    fs::write(&file, "second\n").unwrap();
    agent.beat();
    agent.sleep(25.0).await;
    agent.beat();
    assert!(agent.drain().await < 1.0);
    let shown = aggregator.shown();
    let shown: Vec<_> = shown.iter().map(|one| one.as_deref()).collect();
    assert_eq!(shown, [Some("Bearer first"), Some("Bearer second")]);
    assert_eq!(aggregator.received(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn whoever_was_told_of_no_token_shows_none() {
    let aggregator = Aggregator::start(Manner::Acknowledge);
    let agent = Agent::start(&[("a", &aggregator)]);
    agent.sleep(1.0).await;
    assert_eq!(aggregator.shown(), [None]);
}
