//! Objects that are not there, come, go and come again.

use nodegrace_proto::v1::{BlindReason, Visibility};

use super::kit::{
    Answer, End, added, deleted, empty_list, follow, follow_node, list, modified, status,
};

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

fn no_api() -> Answer {
    status(404, "the server could not find the requested resource")
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_leases_is_absent_and_asked_again_now_and_then() {
    let script = || (0..6).map(|_| no_api());
    let story = follow(50, script().collect()).await;
    assert_eq!(story.view.visibility(), Visibility::Absent);
    assert_eq!(story.requests.len(), 6);

    let later = [no_api(), list(1, 0), Answer::Watch(vec![], End::Never)];
    let story = follow(140, script().chain(later).collect()).await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    let (arrival, baseline) = story.arrivals()[0];
    assert!((123..=127).contains(&arrival) && baseline, "{arrival} s");
    assert_eq!(story.spells().len(), 1, "until the absence was believed");
}

#[tokio::test(start_paused = true)]
async fn a_misrouted_answer_is_blindness_and_no_absence() {
    let story = follow(
        40,
        vec![
            list(1, 0),
            Answer::Watch(vec![(10, modified(2, 10))], End::Broken(1)),
            no_api(),
            no_api(),
            list(5, 10),
            Answer::Watch(vec![(10, modified(6, 20))], End::Never),
        ],
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(story.spells().len(), 1);
    assert_eq!(story.spells()[0].0, 10);
    assert!(
        story
            .arrivals()
            .iter()
            .skip(1)
            .all(|(_, baseline)| !baseline)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_always_has_nodes() {
    let story = follow_node(50, (0..50).map(|_| no_api()).collect()).await;
    assert_eq!(story.view.visibility(), Visibility::Blind);
    assert_eq!(story.view.reason(), BlindReason::ServerError);
}
