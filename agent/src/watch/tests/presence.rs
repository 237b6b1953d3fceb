//! Objects that are not there, come, go and come again.

use nodegrace_proto::v1::Visibility;

use super::kit::{Answer, End, added, deleted, empty_list, follow, list, modified, status};

#[tokio::test(start_paused = true)]
async fn a_missing_object_is_absent_until_it_appears() {
    let story = follow(5, vec![empty_list(1), Answer::Watch(vec![], End::Never)]).await;
    assert_eq!(story.view.visibility(), Visibility::Absent);
    assert_eq!(story.view.message, "there is no Lease a");
    assert_eq!(story.arrivals(), []);

    let events = vec![(5, added(2, 5)), (10, modified(3, 15))];
    let story = follow(20, vec![empty_list(1), Answer::Watch(events, End::Never)]).await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(story.arrivals(), [(5, false), (15, false)]);
    assert_eq!(story.spells(), []);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_is_absent_and_watched_on() {
    let events = vec![(10, deleted(2))];
    let story = follow(20, vec![list(1, 0), Answer::Watch(events, End::Never)]).await;
    assert_eq!(story.view.visibility(), Visibility::Absent);

    let events = vec![(10, deleted(2)), (10, added(3, 20))];
    let story = follow(30, vec![list(1, 0), Answer::Watch(events, End::Never)]).await;
    assert_eq!(story.arrivals(), [(0, true), (20, false)]);
    assert_eq!(story.view.visibility(), Visibility::Observed);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_went_during_a_spell_is_absent() {
    let events = vec![(10, modified(2, 10))];
    let story = follow(
        30,
        vec![
            list(1, 0),
            Answer::Watch(events, End::Broken(1)),
            status(410, "too old"),
            empty_list(9),
            Answer::Watch(vec![], End::Never),
        ],
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Absent);
    assert_eq!(story.spells().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_leases_is_absent_and_asked_again_now_and_then() {
    let no_api = || status(404, "the server could not find the requested resource");
    let story = follow(50, vec![no_api(), no_api()]).await;
    assert_eq!(story.view.visibility(), Visibility::Absent);
    assert_eq!(story.requests.len(), 1);

    let story = follow(
        70,
        vec![no_api(), list(1, 0), Answer::Watch(vec![], End::Never)],
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(story.arrivals(), [(60, true)]);
    assert_eq!(story.spells(), []);
}
