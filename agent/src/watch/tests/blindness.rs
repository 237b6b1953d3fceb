//! What cannot be seen is written down as the agent's blindness, never as the kubelet's silence.

use nodegrace_proto::v1::{BlindReason, Visibility};

use super::kit::{Answer, End, bookmark, error, follow, list, modified, status};

#[tokio::test(start_paused = true)]
async fn every_renewal_of_a_watch_is_a_heartbeat_at_its_arrival() {
    let events = vec![(10, modified(2, 10)), (10, modified(3, 20))];
    let story = follow(25, vec![list(1, 0), Answer::Watch(events, End::Never)]).await;
    assert_eq!(story.arrivals(), [(0, true), (10, false), (20, false)]);
    assert_eq!(story.spells(), []);
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(story.watched_from(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_in_time_is_opened_again_where_it_stopped() {
    let first = vec![(10, modified(2, 10)), (5, bookmark(7))];
    let second = vec![(5, modified(8, 20))];
    let story = follow(
        30,
        vec![
            list(1, 0),
            Answer::Watch(first, End::After(1)),
            Answer::Watch(second, End::Never),
        ],
    )
    .await;
    assert_eq!(story.watched_from(), ["1", "7"]);
    assert_eq!(story.spells(), []);
    assert_eq!(story.arrivals().len(), 3);
    assert!(
        story
            .batch
            .heartbeats
            .iter()
            .all(|beat| beat.arrival_uncertainty.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_time_is_up_leaves_no_blindness() {
    let events = vec![
        (60, bookmark(4)),
        (60, bookmark(5)),
        (60, bookmark(6)),
        (55, bookmark(7)),
    ];
    let story = follow(
        310,
        vec![
            list(1, 0),
            Answer::Watch(events, End::After(55)),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    assert_eq!(story.watched_from(), ["1", "7"]);
    assert_eq!(story.spells(), []);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_cut_off_without_an_error_is_a_lost_connection() {
    let story = follow(
        60,
        vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], End::After(15)),
            Answer::Watch(vec![(0, modified(3, 23))], End::Never),
        ],
    )
    .await;
    // It ended at 25; a connection that was dead until then was so for at most 4 s.
    assert_eq!(story.spells(), [(21, 25, true)]);
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::Connection
    );
    let uncertain = story.batch.heartbeats[2].arrival_uncertainty.as_ref();
    assert!(
        uncertain.is_some_and(|span| span.seconds == 2),
        "{uncertain:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_that_resumes_delays_heartbeats_and_loses_none() {
    let story = follow(
        60,
        vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], End::Broken(7)),
            Answer::Silence,
            Answer::Watch(vec![(0, modified(3, 20))], End::Never),
        ],
    )
    .await;
    // Lost at 17 by a keepalive that takes 4 s; then a request that is not answered for 5 s.
    assert_eq!(story.spells(), [(13, 22, true)]);
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::Connection
    );
    assert_eq!(story.watched_from(), ["1", "2", "2"]);
    assert_eq!(story.arrivals(), [(0, true), (10, false), (22, false)]);
    let uncertain = story.batch.heartbeats[2].arrival_uncertainty.as_ref();
    assert_eq!(
        uncertain.map(|span| span.seconds),
        Some(2),
        "stamped at 20, seen at 22"
    );
}

#[tokio::test(start_paused = true)]
async fn a_spell_never_starts_before_the_last_event() {
    let watch = Answer::Watch(vec![(10, modified(2, 10))], End::Broken(1));
    let resumed = Answer::Watch(vec![(1, bookmark(2))], End::Never);
    let story = follow(30, vec![list(1, 0), watch, resumed]).await;
    assert_eq!(story.spells()[0].0, 10);
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_is_listed_again_at_once_and_may_have_hidden_heartbeats() {
    let events = vec![
        (10, modified(2, 10)),
        (5, error(410, "too old resource version")),
    ];
    let story = follow(
        40,
        vec![
            list(1, 0),
            Answer::Watch(events, End::After(0)),
            list(5, 14),
            Answer::Watch(vec![(10, modified(6, 25))], End::Never),
        ],
    )
    .await;
    assert_eq!(story.spells(), [(15, 15, false)]);
    assert_eq!(story.batch.blind_spells[0].reason(), BlindReason::Expired);
    assert_eq!(
        story.arrivals(),
        [(0, true), (10, false), (15, false), (25, false)]
    );
    assert_eq!(story.watched_from(), ["1", "5"]);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_watch_that_turns_out_expired_keeps_the_spell_from_its_start() {
    let story = follow(
        60,
        vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], End::Broken(8)),
            Answer::Silence,
            Answer::Watch(vec![(0, error(410, "too old"))], End::After(0)),
            list(9, 20),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    let spells = story.spells();
    assert_eq!(spells.len(), 1);
    assert_eq!((spells[0].0, spells[0].2), (14, false));
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::Connection
    );
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_a_slow_server_tells_late_leaves_all_of_the_silence_uncertain() {
    let story = follow(
        60,
        vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], End::Broken(8)),
            Answer::Watch(vec![(4, error(410, "too old"))], End::After(0)),
            list(9, 20),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    assert_eq!(story.spells(), [(14, 18, true), (14, 22, false)]);
    let uncertain = story.batch.heartbeats[2].arrival_uncertainty.as_ref();
    assert_eq!(
        uncertain.map(|span| span.seconds),
        Some(2),
        "stamped at 20, seen at 22"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_finds_the_same_version_shows_that_nothing_was_missed() {
    let events = vec![(10, modified(2, 10)), (2, error(410, "too old"))];
    let story = follow(
        30,
        vec![
            list(1, 0),
            Answer::Watch(events, End::After(0)),
            list(2, 10),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    assert!(story.spells()[0].2);
    assert_eq!(story.arrivals(), [(0, true), (10, false)]);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_in_trouble_is_asked_again_and_its_watch_resumes() {
    let story = follow(
        40,
        vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], End::After(1)),
            Answer::Refused,
            status(503, "etcd has no leader"),
            status(429, "too many requests"),
            Answer::Watch(vec![(0, modified(3, 11))], End::Never),
        ],
    )
    .await;
    assert_eq!(story.watched_from(), ["1", "2", "2", "2", "2"]);
    let spells = story.spells();
    assert_eq!((spells.len(), spells[0].0, spells[0].2), (1, 11, true));
    assert!(
        spells[0].1 <= 13,
        "the first attempts come fast: {spells:?}"
    );
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::ServerError
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_agent_says_so_and_goes_on_once_it_is_allowed() {
    let refusals = || status(403, "leases is forbidden");
    let story = follow(1, vec![refusals(), refusals(), refusals(), refusals()]).await;
    assert_eq!(story.view.visibility(), Visibility::Blind);
    assert_eq!(story.view.reason(), BlindReason::Forbidden);
    assert_eq!(story.view.message, "leases is forbidden (403)");

    let story = follow(
        30,
        vec![refusals(), list(1, 0), Answer::Watch(vec![], End::Never)],
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(story.arrivals(), [(0, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_blindness_within_the_deadline() {
    let story = follow(6, vec![]).await;
    assert_eq!(story.view.visibility(), Visibility::Blind);
    assert_eq!(story.view.reason(), BlindReason::Connection);
    assert_eq!(story.view.message, "no answer within 5s");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_silent_while_the_object_changes_is_not_believed() {
    let story = follow(
        120,
        vec![
            list(900, 0),
            Answer::Watch(vec![(1, modified(901, 1))], End::Never),
            // The server was restored from a backup: its versions are lower now.
            list(10, 70),
            list(10, 70),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    assert_eq!(story.spells(), [(1, 78, false)]);
    assert_eq!(story.watched_from(), ["900", "10"]);
    assert_eq!(story.arrivals().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_silent_because_nothing_changes_is_believed() {
    let story = follow(
        100,
        vec![
            list(1, 0),
            Answer::Watch(vec![(1, modified(2, 1))], End::Never),
            list(2, 1),
        ],
    )
    .await;
    assert_eq!(story.spells(), []);
    assert_eq!(story.watched_from(), ["1"]);
    assert_eq!(story.view.visibility(), Visibility::Observed);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_nonsense_is_asked_again() {
    let nonsense = || Answer::Whole(200, "<html>".into());
    let story = follow(1, vec![nonsense(), nonsense(), nonsense(), nonsense()]).await;
    assert_eq!(story.view.reason(), BlindReason::ServerError);
}
