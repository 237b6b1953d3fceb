//! The ledger: every post against what is kept of it.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use nodegrace_sim_cluster::kubelet::Posted;

use super::{
    kept::{Kept, Row},
    truth::Story,
    witness::{Span, Witness, newest},
};

/// Sums over heartbeats that the controller credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Posted.
    pub(super) posted: u64,
    /// Of these, surely seen by an agent.
    pub(super) observable: u64,
    /// Of the observable, stored.
    pub(super) stored: u64,
    /// Of the observable, not stored and counted as dropped for want of room in a spool.
    pub(super) dropped: u64,
    /// Of the observable, not stored because their agent was killed while its disk was full, with what waited in its memory.
    pub(super) died_in_memory: u64,
    /// Of the observable, not stored for no known reason. Must be 0.
    pub(super) lost: u64,
    /// Not surely seen: sent to an agent that watched, shortly before it was killed or its connection broke.
    pub(super) under_way: u64,
    /// Of these, stored all the same.
    pub(super) under_way_stored: u64,
    /// Not surely seen: no watch was open, and the next one found a later post.
    pub(super) unwatched: u64,
    /// Of these, stored all the same.
    pub(super) unwatched_stored: u64,
    /// Of what runs of agents surely found when they began, not stored and counted as dropped likewise.
    pub(super) baselines_dropped: u64,
    /// Rows of what a run of an agent found when it began.
    pub(super) baselines: u64,
    /// Heartbeats that agents reported as dropped, of any kind.
    pub(super) reported_drops: u64,
    /// Records recognised as sent again.
    pub(super) duplicates: u64,
}

/// What does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Surely seen, not stored, and nothing explains it.
    Lost {
        /// Where, when and what.
        heartbeat: String,
    },
    /// Counted more than once.
    Twice {
        /// Where, when and what.
        heartbeat: String,
        /// How often.
        times: u64,
    },
    /// Kept, but nothing like it was posted.
    NeverPosted {
        /// What is kept.
        row: String,
    },
    /// Kept as a heartbeat, though the controller does not credit it.
    NotCredited {
        /// What is kept.
        row: String,
    },
    /// The aggregator counts another number than it has rows.
    Count {
        /// Where.
        channel: String,
        /// Counted.
        counted: u64,
        /// Rows.
        rows: u64,
    },
    /// More is reported as dropped than can have been.
    Drops {
        /// The node.
        node: String,
        /// Reported.
        reported: u64,
        /// The most that can have been.
        most: u64,
    },
    /// The aggregator believes that an earlier run of it forgot records of this node.
    Forgotten {
        /// The node.
        node: String,
        /// How many.
        records: u64,
    },
}

/// What is known of one node besides its posts and its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// Its agent's processes.
    pub(super) lives: &'a [Span],
    /// When its agent's disk was full.
    pub(super) full: &'a [Span],
    /// How long what waits in memory may need to reach a disk that has room again.
    pub(super) settle: Duration,
}

/// The account of one node, and what does not fit together.
pub(super) fn balance(
    node: &str,
    stories: &[Story; 2],
    witnesses: &[Witness<'_>; 2],
    kept: &Kept,
    circumstances: Circumstances<'_>,
) -> (Account, Vec<Difference>) {
    let mut account = Account {
        duplicates: kept.duplicates,
        reported_drops: kept.dropped,
        ..Account::default()
    };
    let mut differences = Vec::new();
    let (mut missing, mut missing_baselines) = (Vec::new(), Vec::new());
    for (index, name) in ["LEASE", "NODE_STATUS"].into_iter().enumerate() {
        let (posts, channel) = (&stories[index].posts, format!("{node} {name}"));
        let stored = assign(&channel, posts, &kept.rows[index], &mut differences);
        let (counted, rows) = (kept.counted[index], kept.heartbeats(index));
        account.baselines += kept.rows[index].len() as u64 - rows;
        if counted != rows {
            differences.push(Difference::Count {
                channel: channel.clone(),
                counted,
                rows,
            });
        }
        for posted in posts.iter().filter(|posted| posted.credited) {
            let times = stored.get(&posted.revision);
            let counted = times.is_some_and(|times| times.heartbeats > 0);
            account.posted += 1;
            if !witnesses[index].surely_saw(posted, posts) {
                if witnesses[index].was_sent(posted, posts) {
                    account.under_way += 1;
                    account.under_way_stored += u64::from(counted);
                } else {
                    account.unwatched += 1;
                    account.unwatched_stored += u64::from(counted);
                }
                continue;
            }
            account.observable += 1;
            if counted {
                account.stored += 1;
            } else if circumstances.died_in_memory(posted) {
                account.died_in_memory += 1;
            } else {
                missing.push(told(&channel, posted));
            }
        }
        for posted in witnesses[index].baselines(posts) {
            if !stored.contains_key(&posted.revision) && !circumstances.died_in_memory(posted) {
                missing_baselines.push(told(&channel, posted) + ", a run's first");
            }
        }
    }
    // Drops are the oldest of what waited, whatever they were: which ones is not told, only how many.
    let explained = kept.dropped.saturating_sub(missing_baselines.len() as u64);
    account.dropped = explained.min(missing.len() as u64);
    account.lost = missing.len() as u64 - account.dropped;
    account.baselines_dropped = kept.dropped.min(missing_baselines.len() as u64);
    let unexplained = missing_baselines.len() as u64 > account.baselines_dropped;
    if account.lost > 0 || unexplained {
        let lost = missing.into_iter().chain(missing_baselines);
        differences.extend(lost.map(|heartbeat| Difference::Lost { heartbeat }));
    }
    // Whatever is not stored, and each run's first of both channels.
    let not_seen = account.under_way + account.unwatched;
    let unstored = not_seen - account.under_way_stored - account.unwatched_stored;
    let most = account.dropped + unstored + 2 * circumstances.lives.len() as u64;
    if kept.dropped > most {
        differences.push(Difference::Drops {
            node: node.to_owned(),
            reported: kept.dropped,
            most,
        });
    }
    if kept.forgotten > 0 {
        differences.push(Difference::Forgotten {
            node: node.to_owned(),
            records: kept.forgotten,
        });
    }
    (account, differences)
}

/// How often a post is stored.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    heartbeats: u64,
    baselines: u64,
}

/// Finds each row's post, and tells those that have none or too many.
fn assign(
    channel: &str,
    posts: &[Posted],
    rows: &[Row],
    differences: &mut Vec<Difference>,
) -> BTreeMap<u64, Times> {
    let mut stored = BTreeMap::<u64, Times>::new();
    for row in rows {
        // Others write the object too: the revision may be newer than that of the post.
        let Some(posted) = newest(posts, row.revision) else {
            // The stamp with which the node was registered.
            if !row.baseline {
                differences.push(Difference::NeverPosted {
                    row: format!("{channel} {row:?}"),
                });
            }
            continue;
        };
        let times = stored.entry(posted.revision).or_default();
        if row.baseline {
            times.baselines += 1;
        } else {
            times.heartbeats += 1;
        }
        if stamp_ns(posted) != row.stamp_ns {
            differences.push(Difference::NeverPosted {
                row: format!("{channel} {row:?}"),
            });
        } else if !row.baseline && !posted.credited {
            differences.push(Difference::NotCredited {
                row: format!("{channel} {row:?}"),
            });
        }
    }
    for posted in posts {
        if let Some(times) = stored.get(&posted.revision)
            && times.heartbeats > 1
        {
            differences.push(Difference::Twice {
                heartbeat: told(channel, posted),
                times: times.heartbeats,
            });
        }
    }
    stored
}

impl Circumstances<'_> {
    /// Whether `posted` waited in the memory of an agent whose disk was full when it was killed.
    fn died_in_memory(&self, posted: &Posted) -> bool {
        self.full.iter().any(|full| {
            let from = full.from.saturating_sub(self.settle);
            let until = full.until.map(|until| until + self.settle);
            let waited = Span { from, until };
            let mut kills = self.lives.iter().filter_map(|life| life.until);
            waited.holds(posted.at) && kills.any(|kill| posted.at <= kill && waited.holds(kill))
        })
    }
}

impl Account {
    /// Both accounts together.
    #[must_use]
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            posted: self.posted + other.posted,
            observable: self.observable + other.observable,
            stored: self.stored + other.stored,
            dropped: self.dropped + other.dropped,
            died_in_memory: self.died_in_memory + other.died_in_memory,
            lost: self.lost + other.lost,
            under_way: self.under_way + other.under_way,
            under_way_stored: self.under_way_stored + other.under_way_stored,
            unwatched: self.unwatched + other.unwatched,
            unwatched_stored: self.unwatched_stored + other.unwatched_stored,
            baselines_dropped: self.baselines_dropped + other.baselines_dropped,
            baselines: self.baselines + other.baselines,
            reported_drops: self.reported_drops + other.reported_drops,
            duplicates: self.duplicates + other.duplicates,
        }
    }
}

fn stamp_ns(posted: &Posted) -> i64 {
    let since = posted.stamp.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn told(channel: &str, posted: &Posted) -> String {
    format!(
        "{channel} revision {} posted at {:.3} s",
        posted.revision,
        posted.at.as_secs_f64()
    )
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { heartbeat } => write!(formatter, "lost: {heartbeat}"),
            Self::Twice { heartbeat, times } => {
                write!(formatter, "counted {times} times: {heartbeat}")
            }
            Self::NeverPosted { row } => write!(formatter, "never posted: {row}"),
            Self::NotCredited { row } => write!(formatter, "not credited: {row}"),
            Self::Count {
                channel,
                counted,
                rows,
            } => write!(formatter, "{channel}: {counted} counted, {rows} rows"),
            Self::Drops {
                node,
                reported,
                most,
            } => write!(
                formatter,
                "{node}: {reported} reported as dropped, {most} at most"
            ),
            Self::Forgotten { node, records } => {
                write!(
                    formatter,
                    "{node}: {records} records forgotten by an earlier run"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
            }],
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
        full: &[Span],
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
        let circumstances = Circumstances {
            lives,
            full,
            settle: seconds(5),
        };
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
    fn a_lost_heartbeat_is_found_unless_a_drop_was_reported_for_it() {
        let (account, differences) = judge(ALWAYS, &[], |kept| lose(kept, 4));
        assert_eq!(account.lost, 1);
        assert!(
            matches!(&differences[..], [Difference::Lost { heartbeat }] if heartbeat.contains("revision 5"))
        );
        let (account, differences) = judge(ALWAYS, &[], |kept| {
            lose(kept, 4);
            kept.dropped = 1;
        });
        assert_eq!((account.dropped, account.lost, differences), (1, 0, vec![]));
    }

    #[test]
    fn more_drops_than_anything_can_have_been_dropped_are_found() {
        let (_, differences) = judge(ALWAYS, &[], |kept| kept.dropped = 3);
        assert!(matches!(
            differences[..],
            [Difference::Drops { most: 2, .. }]
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

    #[test]
    fn what_waited_in_a_killed_agents_memory_for_a_full_disk_is_told_apart() {
        let lives = [Span {
            from: Duration::ZERO,
            until: Some(seconds(110)),
        }];
        let full = [Span::since(seconds(85))];
        let (account, differences) = judge(&lives, &full, |kept| lose(kept, 9));
        assert_eq!(
            (account.died_in_memory, account.lost, differences),
            (1, 0, vec![])
        );
    }
}
