//! Delivery through everything an aggregator may do, in virtual time and over connections in memory.

mod kit;

use nodegrace_proto::v1::{KubeletSettings, NodeFacts};

use self::kit::{Line, Manner};
use crate::observe::Observation;

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_at_once_and_forgotten_when_acknowledged() {
    let line = Line::to_aggregator(Manner::Acknowledge);
    line.sleep(1.0).await;
    line.beat();
    line.sleep(0.1).await;
    assert_eq!(line.received(), [1]);
    assert_eq!(line.journal.acknowledged(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_comes_together_travels_together() {
    let line = Line::to_aggregator(Manner::Acknowledge);
    line.sleep(1.0).await;
    let before = line.batches().len();
    line.beat();
    line.sleep(0.01).await;
    line.beat();
    line.sleep(0.1).await;
    assert_eq!(line.batches().len() - before, 1);
    assert_eq!(line.received(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_agent_still_reports_every_ten_seconds() {
    let line = Line::to_aggregator(Manner::Acknowledge);
    line.sleep(35.0).await;
    assert_eq!(line.batches().len(), 4);
    assert!(
        line.batches()
            .iter()
            .all(|batch| batch.channel_views.len() == 2 && batch.node_name == "a")
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_break_what_was_not_acknowledged_is_sent_again_under_its_numbers() {
    let line = Line::to_aggregator(Manner::Acknowledge);
    line.beat();
    line.sleep(1.0).await;
    line.become_one_to(Manner::Break);
    line.beat();
    line.sleep(0.1).await;
    line.become_one_to(Manner::Acknowledge);
    line.beat();
    line.sleep(2.0).await;
    assert_eq!(line.received(), [1, 2, 2, 3]);
    assert_eq!(line.journal.acknowledged(), 3);
    assert_eq!(line.streams(), 2);
}

#[tokio::test(start_paused = true)]
async fn facts_and_settings_open_every_stream() {
    let line = Line::to_aggregator(Manner::Acknowledge);
    line.journal
        .learn(vec![Observation::Facts(NodeFacts::default())]);
    line.journal.configured(KubeletSettings::default());
    line.sleep(1.0).await;
    line.become_one_to(Manner::Break);
    line.beat();
    line.sleep(0.1).await;
    line.become_one_to(Manner::Acknowledge);
    line.sleep(2.0).await;
    let told: Vec<_> = line
        .batches()
        .iter()
        .map(|batch| (batch.node_facts.is_some(), batch.kubelet_settings.is_some()))
        .collect();
    assert_eq!(told, [(true, true), (false, false), (true, true)]);
}

#[tokio::test(start_paused = true)]
async fn an_aggregator_that_does_not_acknowledge_is_connected_to_anew() {
    let line = Line::to_aggregator(Manner::Ignore);
    line.beat();
    line.sleep(15.0).await;
    assert_eq!(line.streams(), 1);
    line.sleep(10.0).await;
    assert_eq!(line.streams(), 2);
    assert_eq!(line.received(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn refused_records_are_counted_and_not_sent_again() {
    let line = Line::to_aggregator(Manner::Acknowledge);
    line.sleep(1.0).await;
    line.become_one_to(Manner::Reject);
    line.beat();
    line.sleep(1.0).await;
    line.become_one_to(Manner::Acknowledge);
    line.beat();
    line.sleep(1.0).await;
    assert_eq!(line.received(), [1, 2]);
    let last = line.batches().pop().and_then(|batch| batch.losses);
    assert_eq!(last.map(|losses| losses.rejected_records), Some(1));
}

#[tokio::test(start_paused = true)]
async fn sealing_delivers_what_is_left_and_ends() {
    let mut line = Line::to_aggregator(Manner::Acknowledge);
    line.sleep(1.0).await;
    line.beat();
    let took = line.drain().await;
    assert_eq!(line.received(), [1]);
    assert!(took < 0.1, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn sealing_does_not_wait_for_ever() {
    for mut line in [Line::to_nowhere(), Line::to_aggregator(Manner::Ignore)] {
        line.sleep(1.0).await;
        line.beat();
        let took = line.drain().await;
        assert!(took < 5.0, "{took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_backlog_is_delivered_in_bounded_batches_without_gaps() {
    let line = Line::to_aggregator(Manner::Break);
    for _ in 0..3000 {
        line.beat();
    }
    line.sleep(1.0).await;
    line.become_one_to(Manner::Acknowledge);
    line.sleep(60.0).await;
    assert_eq!(line.journal.acknowledged(), 3000);
    let numbers: std::collections::BTreeSet<_> = line.received().into_iter().collect();
    assert_eq!(numbers.len(), 3000);
    assert!(
        line.batches()
            .iter()
            .all(|batch| batch.heartbeats.len() <= 256)
    );
}
