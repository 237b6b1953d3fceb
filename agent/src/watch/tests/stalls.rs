//! An agent that stands still, stopped or starved or suspended: its own silence is not the kubelet's.

use nodegrace_proto::v1::{BlindReason, Heartbeat, Visibility};

use super::kit::{Answer, End, bookmark, error, follow_stalled, list, modified};

fn uncertainties(beats: &[Heartbeat]) -> Vec<Option<i64>> {
    beats
        .iter()
        .map(|beat| beat.arrival_uncertainty.map(|span| span.seconds))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_waited_for_the_agent_are_not_timed_by_its_waking() {
    // Stopped from 15 s to 53 s: the heartbeats of 20 s, 30 s and 40 s are all there when it wakes.
    let events = vec![
        (10, modified(2, 10)),
        (10, modified(3, 20)),
        (0, modified(4, 30)),
        (0, modified(5, 40)),
        (10, modified(6, 63)),
    ];
    let script = vec![list(1, 0), Answer::Watch(events, End::Never)];
    let story = follow_stalled(70, 15, 38, script).await;
    let spells = story.spells();
    assert_eq!(spells.len(), 1);
    let (start, end, resumed) = spells[0];
    assert!(
        (14..=15).contains(&start) && end == 53 && resumed,
        "{spells:?}"
    );
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::AgentStalled
    );
    assert_eq!(
        uncertainties(&story.batch.heartbeats),
        [None, None, Some(33), Some(23), Some(13), None]
    );
    assert_eq!(story.view.visibility(), Visibility::Observed);
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_told_even_if_nothing_waited() {
    let events = vec![(10, modified(2, 10)), (60, modified(3, 80))];
    let script = vec![list(1, 0), Answer::Watch(events, End::Never)];
    let story = follow_stalled(40, 15, 20, script).await;
    let (start, end, resumed) = story.spells()[0];
    assert!((14..=15).contains(&start) && end == 35 && resumed);
    assert_eq!(story.view.visibility(), Visibility::Observed);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_broke_while_the_agent_stood_still_hides_all_of_that_time() {
    for end in [End::Broken(10), End::After(10)] {
        let script = vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], end),
            Answer::Watch(vec![(0, error(410, "too old"))], End::After(0)),
            list(9, 20),
            Answer::Watch(vec![], End::Never),
        ];
        let story = follow_stalled(70, 15, 38, script).await;
        let spells = story.spells();
        assert_eq!(spells.len(), 1, "{spells:?}");
        assert!(
            (10..=15).contains(&spells[0].0) && !spells[0].2,
            "{spells:?}"
        );
        assert_eq!(
            story.batch.blind_spells[0].reason(),
            BlindReason::AgentStalled
        );
        assert_eq!(
            uncertainties(&story.batch.heartbeats)[2],
            Some(33),
            "stamped at 20, found at 53"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_outlived_a_stall_still_ends_in_time() {
    let events = (2..6).map(|version| (55, bookmark(version))).collect();
    let script = vec![
        list(1, 0),
        Answer::Watch(events, End::After(66)),
        Answer::Watch(vec![], End::Never),
    ];
    let story = follow_stalled(320, 15, 38, script).await;
    assert_eq!(story.watched_from(), ["1", "5"]);
    assert_eq!(story.spells().len(), 1, "{:?}", story.spells());
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_is_a_second_late_is_no_stall() {
    let events = vec![(10, modified(2, 10)), (10, modified(3, 20))];
    let script = vec![list(1, 0), Answer::Watch(events, End::Never)];
    let story = follow_stalled(25, 15, 1, script).await;
    assert_eq!(story.spells(), []);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_the_agent_was_too_slow_to_open_is_not_blamed_on_the_server() {
    let again = Answer::Watch(vec![(0, modified(3, 12))], End::Never);
    let script = vec![
        list(1, 0),
        Answer::Watch(vec![(9, modified(2, 9))], End::After(1)),
        Answer::Late(2, Box::new(again)),
    ];
    let story = follow_stalled(40, 11, 3, script).await;
    assert_eq!(story.spells(), [(10, 14, true)]);
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::AgentStalled
    );
}
