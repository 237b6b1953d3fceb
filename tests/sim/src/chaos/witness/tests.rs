//! Tests of what an agent must have seen, with a post every 10 s.

use std::time::SystemTime;

use nodegrace_sim_cluster::kubelet::Channel;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn opened(at: u64, revision: u64) -> Opened {
    Opened {
        at: seconds(at),
        revision,
        listed: true,
    }
}

/// A post every 10 s, whose revision is its second.
fn posts() -> Vec<Posted> {
    (1..=10)
        .map(|number| Posted {
            channel: Channel::Lease,
            stamp: SystemTime::UNIX_EPOCH + seconds(number * 10),
            at: seconds(number * 10),
            revision: number * 10,
            credited: true,
        })
        .collect()
}

fn seen(witness: &Witness<'_>) -> Vec<u64> {
    let posts = posts();
    let seen = posts
        .iter()
        .filter(|posted| witness.surely_saw(posted, &posts));
    seen.map(|posted| posted.revision).collect()
}

const WHOLE: &[Span] = &[Span::since(Duration::ZERO)];

fn witness<'a>(lives: &'a [Span], opened: &'a [Opened]) -> Witness<'a> {
    Witness {
        settle: seconds(5),
        lives,
        ways: WHOLE,
        forgot: &[],
        opened,
    }
}

#[test]
fn a_watch_sees_what_comes_after_its_revision_until_shortly_before_its_agent_dies() {
    let (lives, opened) = ([Span::between(15, 63)], [opened(16, 10)]);
    let witness = witness(&lives, &opened);
    assert_eq!(seen(&witness), [20, 30, 40, 50]);
    let posts = posts();
    assert!(witness.was_sent(&posts[5], &posts) && !witness.was_sent(&posts[6], &posts));
    let baselines: Vec<u64> = witness
        .baselines(&posts)
        .map(|posted| posted.revision)
        .collect();
    assert_eq!(baselines, [10]);
}

#[test]
fn what_came_between_two_lives_was_seen_by_neither() {
    let (lives, opened) = (
        [Span::between(0, 38), Span::between(62, 999)],
        [opened(1, 0), opened(63, 60)],
    );
    assert_eq!(
        seen(&witness(&lives, &opened)),
        [10, 20, 30, 70, 80, 90, 100]
    );
}

#[test]
fn a_cut_delays_what_a_watch_then_brings_in_full() {
    let ways = [Span::between(0, 32), Span::between(71, 999)];
    let opened = [opened(1, 0), opened(72, 30)];
    let witness = Witness {
        ways: &ways,
        ..witness(WHOLE, &opened)
    };
    assert_eq!(seen(&witness), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
}

#[test]
fn a_server_that_forgot_shows_the_newest_only() {
    let ways = [Span::between(0, 32), Span::between(65, 999)];
    let opened = [opened(1, 0), opened(66, 30), opened(67, 60)];
    let forgot = [Forgot {
        at: seconds(65),
        revision: 60,
    }];
    let witness = Witness {
        ways: &ways,
        forgot: &forgot,
        ..witness(WHOLE, &opened)
    };
    assert_eq!(seen(&witness), [10, 20, 30, 60, 70, 80, 90, 100]);
}

#[test]
fn what_came_just_before_a_cut_was_seen_when_the_next_watch_goes_on_behind_it() {
    let ways = [Span::between(0, 42), Span::between(71, 999)];
    let listed = [opened(1, 0), opened(72, 40)];
    let resumed = listed.map(|opened| Opened {
        listed: false,
        ..opened
    });
    let forgot = [Forgot {
        at: seconds(71),
        revision: 70,
    }];
    for (opened, expected) in [(&listed, &[10, 40][..]), (&resumed, &[10, 20, 30, 40])] {
        let witness = Witness {
            settle: seconds(25),
            ways: &ways,
            forgot: &forgot,
            ..witness(WHOLE, opened)
        };
        assert_eq!(seen(&witness), expected);
    }
}
