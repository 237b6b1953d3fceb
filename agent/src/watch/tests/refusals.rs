//! A server that answers, but not with what was asked for.

use nodegrace_proto::v1::{BlindReason, Visibility};
use serde_json::json;

use super::kit::{Answer, End, follow, list, modified};

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_understood_is_passed_by_a_list() {
    for nonsense in [
        r#"{"type": "MODIFIED", "object": {"metadata": 5}}"#,
        "<html>",
    ] {
        passed_by_a_list(nonsense).await;
    }
}

async fn passed_by_a_list(nonsense: &str) {
    let story = follow(
        40,
        vec![
            list(1, 0),
            Answer::Watch(
                vec![(10, modified(2, 10)), (5, nonsense.into())],
                End::Never,
            ),
            list(5, 20),
            Answer::Watch(vec![(10, modified(6, 25))], End::Never),
        ],
    )
    .await;
    assert_eq!(story.watched_from(), ["1", "5"]);
    assert_eq!(story.spells().len(), 1);
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::ServerError
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_again_and_again_starts_from_a_list() {
    let stillborn = || Answer::Watch(vec![], End::After(0));
    let story = follow(
        40,
        vec![
            list(1, 0),
            stillborn(),
            stillborn(),
            list(5, 0),
            Answer::Watch(vec![(10, modified(6, 10))], End::Never),
        ],
    )
    .await;
    assert_eq!(story.watched_from(), ["1", "1", "5"]);
    assert_eq!(story.view.visibility(), Visibility::Observed);
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_server_is_left_alone_for_as_long_as_its_header_says() {
    for (named, least, most) in [(5, 5, 6), (86_400, 30, 31)] {
        let story = follow(
            60,
            vec![
                Answer::Overloaded(named),
                list(1, 0),
                Answer::Watch(vec![], End::Never),
            ],
        )
        .await;
        let (start, end, _) = story.spells()[0];
        assert_eq!(
            story.batch.blind_spells[0].reason(),
            BlindReason::ServerError
        );
        assert!((least..=most).contains(&(end - start)), "{} s", end - start);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_a_time_is_left_alone_until_then() {
    for (named, least, most) in [(3, 3, 4), (86_400, 30, 31)] {
        let busy = json!({"kind": "Status", "status": "Failure", "code": 429,
            "message": "too many requests", "details": {"retryAfterSeconds": named}});
        let story = follow(
            60,
            vec![
                Answer::Whole(429, busy.to_string()),
                list(1, 0),
                Answer::Watch(vec![], End::Never),
            ],
        )
        .await;
        let (start, end, _) = story.spells()[0];
        assert!((least..=most).contains(&(end - start)), "{} s", end - start);
    }
}
