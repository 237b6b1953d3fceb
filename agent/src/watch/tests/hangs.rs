//! A server that keeps its connections and says nothing, where no ping notices that, or says it late.

use nodegrace_proto::v1::{BlindReason, Visibility};

use super::kit::{Answer, End, follow, list, modified};

fn watch(end: End) -> Answer {
    Answer::Watch(vec![(9, modified(2, 9))], end)
}

fn http1(answer: Answer) -> Answer {
    Answer::Http1(Box::new(answer))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_over_http1_is_noticed_within_ten_seconds() {
    let story = follow(
        20,
        vec![
            http1(list(1, 0)),
            http1(watch(End::Never)),
            // Asked at 6 s. What it is asked at 13 s is not answered.
            http1(list(1, 0)),
        ],
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Blind);
    assert_eq!(story.view.reason(), BlindReason::Connection);
    assert_eq!(story.view.message, "no answer within 5s");
    let since = story.view.blind_since_monotonic.unwrap();
    assert_eq!(since.seconds - 3600, 9, "since the last event");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_behind_a_proxy_that_answers_pings_is_noticed_by_a_list() {
    let story = follow(
        100,
        vec![
            list(1, 0),
            watch(End::Never),
            Answer::Silence,
            Answer::Watch(vec![(0, modified(3, 80))], End::Never),
        ],
    )
    .await;
    assert_eq!(story.spells(), [(9, 89, true)]);
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::Connection
    );
    let uncertain = story.batch.heartbeats[2].arrival_uncertainty;
    assert_eq!(uncertain.map(|span| span.seconds), Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_over_http1_is_believed_in_its_silence() {
    let script = [list(1, 0), watch(End::Never)];
    // One list while nothing was written, then one every four seconds.
    let lists = (0..30).map(|asked| if asked == 0 { list(1, 0) } else { list(2, 9) });
    let script = script.into_iter().chain(lists).map(http1).collect();
    let story = follow(60, script).await;
    assert_eq!(story.spells(), []);
    assert_eq!(story.watched_from(), ["1"]);
    assert_eq!(story.view.visibility(), Visibility::Observed);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_over_http1_was_sure_only_until_its_last_event() {
    let story = follow(
        19,
        vec![
            http1(list(1, 0)),
            http1(watch(End::Broken(3))),
            http1(list(1, 0)),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    assert_eq!(story.spells(), [(9, 12, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_slow_to_open_again_delays_what_it_tells() {
    let again = Answer::Watch(vec![(0, modified(3, 12))], End::Never);
    let story = follow(
        40,
        vec![
            list(1, 0),
            watch(End::After(1)),
            Answer::Late(4, Box::new(again)),
        ],
    )
    .await;
    assert_eq!(story.spells(), [(10, 14, true)]);
    let uncertain = story.batch.heartbeats[2].arrival_uncertainty;
    assert_eq!(uncertain.map(|span| span.seconds), Some(2));
    assert_eq!(story.view.visibility(), Visibility::Observed);
}
