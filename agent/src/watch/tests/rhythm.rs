//! What the sampler is told to wait for: the heartbeat after the last one, while it would be seen.

use nodegrace_proto::v1::BlindReason;

use super::kit::{Answer, End, follow, follow_stalled, list, modified, status};

#[tokio::test(start_paused = true)]
async fn the_next_heartbeat_is_awaited_from_the_last_one_on() {
    let events = vec![(10, modified(2, 10)), (10, modified(3, 20))];
    let script = vec![list(1, 0), Answer::Watch(events, End::Never)];
    assert_eq!(follow(45, script).await.awaited_since, Some(20));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_no_heartbeat_leaves_it_awaited_from_when_it_was() {
    let events = vec![(10, modified(2, 10)), (10, modified(3, 10))];
    let script = vec![list(1, 0), Answer::Watch(events, End::Never)];
    assert_eq!(follow(45, script).await.awaited_since, Some(10));
}

#[tokio::test(start_paused = true)]
async fn while_it_would_not_be_seen_it_is_not_awaited() {
    let watch = || Answer::Watch(vec![(10, modified(2, 10))], End::Broken(10));
    let script = vec![list(1, 0), watch()];
    assert_eq!(follow(45, script).await.awaited_since, None);

    let again = Answer::Watch(vec![], End::Never);
    let script = vec![list(1, 0), watch(), status(500, "no leader"), again];
    assert_eq!(follow(45, script).await.awaited_since, Some(10));
}

#[tokio::test(start_paused = true)]
async fn while_the_agent_itself_stands_still_it_is_awaited_further() {
    let script = || {
        let events = vec![(10, modified(2, 10))];
        vec![list(1, 0), Answer::Watch(events, End::Never)]
    };
    let story = follow_stalled(24, 15, 8, script()).await;
    assert_eq!(story.view.reason(), BlindReason::AgentStalled);
    assert_eq!(story.awaited_since, Some(10));
}
