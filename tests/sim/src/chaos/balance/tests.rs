//! Tests of the ledger with one node of ten posts.

use std::time::SystemTime;

use nodegrace_sim_cluster::kubelet::Channel;

use super::*;
use crate::chaos::witness::Opened;

const ALWAYS: &[Span] = &[Span::since(Duration::ZERO)];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A story of ten posts, 10 s apart, all of them after the watch was opened; and what is kept when all went well.
fn all_well() -> ([Story; 2], Kept) {
    let posts = (1..=10).map(|number| Posted {
        channel: Channel::Lease,
        stamp: SystemTime::UNIX_EPOCH + seconds(number * 10),
        at: seconds(number * 10),
        revision: number,
        credited: true,
    });
    let story = Story {
        posts: posts.collect(),
        opened: vec![Opened {
            at: seconds(1),
            revision: 0,
            listed: true,
        }],
        ..Story::default()
    };
    let rows = story.posts.iter().map(|posted| Row {
        stamp_ns: stamp_ns(posted),
        revision: posted.revision,
        baseline: false,
    });
    let kept = Kept {
        rows: [rows.collect(), Vec::new()],
        counted: [10, 0],
        ..Kept::default()
    };
    ([story, Story::default()], kept)
}

fn judge(
    lives: &[Span],
    outages: &[Span],
    change: impl FnOnce(&mut Kept),
) -> (Account, Vec<Difference>) {
    let (stories, mut kept) = all_well();
    change(&mut kept);
    let witness = |index: usize| Witness {
        settle: seconds(5),
        lives,
        ways: ALWAYS,
        forgot: &[],
        opened: &stories[index].opened,
    };
    let circumstances = Circumstances { lives, outages };
    balance(
        "node",
        &stories,
        &[witness(0), witness(1)],
        &kept,
        circumstances,
    )
}

/// Takes a heartbeat out of the store as if it had never come.
fn lose(kept: &mut Kept, index: usize) {
    kept.rows[0].remove(index);
    kept.counted[0] -= 1;
}

#[test]
fn what_was_stored_once_each_balances() {
    let (account, differences) = judge(ALWAYS, &[], |_| {});
    assert_eq!(differences, []);
    assert_eq!(
        (account.posted, account.observable, account.stored),
        (10, 10, 10)
    );
}

#[test]
fn a_lost_heartbeat_is_found_unless_a_drop_was_reported_for_it_in_an_outage() {
    let (account, differences) = judge(ALWAYS, ALWAYS, |kept| lose(kept, 4));
    assert_eq!(account.lost, 1);
    assert!(
        matches!(&differences[..], [Difference::Lost { heartbeat }] if heartbeat.contains("revision 5"))
    );
    let dropped = |kept: &mut Kept| {
        lose(kept, 4);
        kept.dropped = 1;
    };
    let (account, differences) = judge(ALWAYS, ALWAYS, dropped);
    assert_eq!((account.dropped, account.lost, differences), (1, 0, vec![]));
    let before = [Span::between(10, 45)];
    let (account, differences) = judge(ALWAYS, &before, dropped);
    assert_eq!((account.dropped, account.lost), (0, 1));
    assert!(matches!(differences[0], Difference::Lost { .. }));
}

#[test]
fn more_drops_than_anything_can_have_been_dropped_are_found() {
    let (_, differences) = judge(ALWAYS, ALWAYS, |kept| kept.dropped = 3);
    assert!(matches!(
        differences[..],
        [Difference::Drops { most: 2, .. }]
    ));
}

#[test]
fn not_one_drop_is_forgiven_of_a_spool_that_had_room() {
    let (_, differences) = judge(ALWAYS, &[], |kept| kept.dropped = 1);
    assert!(matches!(
        differences[..],
        [Difference::Drops { most: 0, .. }]
    ));
}

#[test]
fn a_heartbeat_counted_twice_is_found_with_and_without_a_second_row() {
    let (_, differences) = judge(ALWAYS, &[], |kept| {
        let again = kept.rows[0][3].clone();
        kept.rows[0].push(again);
        kept.counted[0] += 1;
    });
    assert!(matches!(
        differences[..],
        [Difference::Twice { times: 2, .. }]
    ));
    let (_, differences) = judge(ALWAYS, &[], |kept| kept.counted[0] += 1);
    assert!(matches!(
        differences[..],
        [Difference::Count {
            counted: 11,
            rows: 10,
            ..
        }]
    ));
}

#[test]
fn what_nobody_posted_is_found() {
    let (_, differences) = judge(ALWAYS, &[], |kept| kept.rows[0][3].stamp_ns += 1);
    assert!(
        differences
            .iter()
            .any(|one| matches!(one, Difference::NeverPosted { .. }))
    );
}
