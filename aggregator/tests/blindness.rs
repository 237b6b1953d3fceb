//! A late interval whose end the agent saw late, because it was cut off itself: listed, counted in no figure, kept like every gap.

use nodegrace_proto::v1;

use crate::kit::{Agent, World, seconds};

/// A world on this disk with a node that was cut off for a minute, and its agent, which has just seen it again.
async fn cut_off(world: &World) -> Agent {
    let mut agent = world.agent("node-1").await;
    agent.beats(15, seconds(10)).await;
    world.pass(seconds(60)).await;
    let batch = agent.beat_after_blindness(seconds(57), seconds(6));
    agent.send(batch).await.expect("an ack");
    agent
}

fn length(gap: &v1::Gap) -> (i64, i64) {
    let [length, uncertain] =
        [gap.duration, gap.uncertainty].map(|length| length.unwrap_or_default().seconds);
    (length, uncertain)
}

#[tokio::test(start_paused = true)]
async fn it_is_listed_with_its_uncertainty_and_in_no_figure() {
    let world = World::new();
    let mut agent = cut_off(&world).await;
    assert_eq!(world.gaps().await, [], "more may come of that time");
    agent.beats(4, seconds(10)).await;
    let gap = world.gaps().await.remove(0);
    assert_eq!(length(&gap), (60, 6));
    assert!(gap.uncounted);
    assert_eq!(
        gap.causes[0].kind(),
        v1::CauseKind::ConnectionLost,
        "the agent was cut off"
    );
    let node = world.node("node-1").await;
    let longest = node.gap.expect("gaps").max.expect("one");
    assert_eq!(longest.seconds, 10);
    assert_eq!(node.expected_flips.expect("gaps").risky_gaps, 0);
    assert_eq!(node.causes[0].gaps, 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_listed_once_whenever_the_aggregator_dies() {
    for beats_before in [0, 1, 8] {
        let directory = tempfile::tempdir().expect("a directory");
        let world = World::on_disk(directory.path());
        let mut agent = cut_off(&world).await;
        agent.beats(beats_before, seconds(10)).await;
        let world = world.crash(directory.path()).await;
        let mut agent = agent.reconnect(&world).await;
        agent.beats(4, seconds(10)).await;
        let gaps = world.gaps().await;
        assert_eq!(gaps.iter().map(length).collect::<Vec<_>>(), [(60, 6)]);
        assert_eq!(gaps[0].causes[0].kind(), v1::CauseKind::ConnectionLost);

        let world = world.restart(directory.path()).await;
        assert_eq!(world.gaps().await, gaps);
        let connection =
            rusqlite::Connection::open(directory.path().join("history.db")).expect("a database");
        let row = connection.query_row(
            "SELECT count(*), max(uncounted), max(uncertainty_seconds), max(cause) FROM gaps",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        );
        let row: (i64, bool, f64, String) = row.expect("rows");
        assert_eq!(row, (1, true, 6.0, "CONNECTION_LOST".to_owned()));
    }
}
