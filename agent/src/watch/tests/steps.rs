//! A node whose wall clock is stepped: what is measured stays right, and what only stamps could tell is not claimed.

use nodegrace_proto::v1::Heartbeat;

use super::kit::{Answer, End, follow, follow_stepped, list, modified};

fn uncertainty(beat: &Heartbeat) -> f64 {
    let uncertain = beat.arrival_uncertainty.expect("it came after a spell");
    uncertain.seconds as f64 + f64::from(uncertain.nanos) / 1e9
}

#[tokio::test(start_paused = true)]
async fn arrivals_are_measured_as_if_the_wall_clock_had_not_been_stepped() {
    for step in [3600.0, 5.0, -5.0, -3600.0] {
        let events = vec![(10, modified(2, 10)), (10, modified(3, 20))];
        let script = vec![list(1, 0), Answer::Watch(events, End::Never)];
        let story = follow_stepped(25, &[(15, step)], script).await;
        assert_eq!(story.arrivals(), [(0, true), (10, false), (20, false)]);
        assert_eq!(story.spells(), [], "a step is no blindness");
    }
}

/// A connection that breaks after a heartbeat at 10 s and comes back after 25 s with one that was stamped 18.
fn broken_connection() -> Vec<Answer> {
    vec![
        list(1, 0),
        Answer::Watch(vec![(10, modified(2, 10))], End::Broken(1)),
        Answer::Silence,
        Answer::Silence,
        Answer::Silence,
        Answer::Watch(vec![(0, modified(3, 18))], End::Never),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_stamp_bounds_an_arrival_only_while_the_wall_clock_runs_evenly() {
    let even = follow(40, broken_connection()).await;
    let late = even.arrivals()[2].0 as f64;
    let told = uncertainty(&even.batch.heartbeats[2]);
    assert!((0.0..1.0).contains(&(told - (late - 18.0))), "{told} s");
    for step in [5.0, -5.0, -3600.0] {
        let story = follow_stepped(40, &[(20, step)], broken_connection()).await;
        let (start, _, resumed) = story.spells()[0];
        assert!(resumed);
        let spell = (story.arrivals()[2].0 - start) as f64;
        let told = uncertainty(&story.batch.heartbeats[2]);
        assert!(
            (told - spell).abs() <= 1.0,
            "after a step of {step} s any time of the spell is possible, not only {told} s of {spell}"
        );
    }
}
