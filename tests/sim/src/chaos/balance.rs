//! The ledger: every post against what is kept of it.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use nodegrace_sim_cluster::kubelet::Posted;

use super::{
    account::Account,
    difference::Difference,
    kept::{Kept, Row},
    truth::Story,
    witness::{Span, Witness, newest},
};

/// What is known of one node besides its posts and its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// Its agent's processes.
    pub(super) lives: &'a [Span],
    /// Outages of the aggregator that can have overflowed its spool. None for an ample one, of which no drop is forgiven.
    pub(super) outages: &'a [Span],
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
    let (mut lost, mut lost_baselines) = (Vec::new(), Vec::new());
    // What a drop may explain; the rest of what is missing is lost whatever is reported.
    let (mut missing, mut missing_baselines) = (Vec::new(), Vec::new());
    let mut unseen_in_outage = 0;
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
            let counted = times.is_some_and(|times| *times > 0);
            account.posted += 1;
            if !witnesses[index].surely_saw(posted, posts) {
                unseen_in_outage += u64::from(!counted && circumstances.overflowed(posted.at));
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
            } else if circumstances.overflowed(posted.at) {
                missing.push(told(&channel, posted));
            } else {
                lost.push(told(&channel, posted));
            }
        }
        for posted in witnesses[index].baselines(posts) {
            if stored.contains_key(&posted.revision) {
                continue;
            }
            let found = told(&channel, posted) + ", a run's first";
            if circumstances.overflowed(posted.at) {
                missing_baselines.push(found);
            } else {
                lost_baselines.push(found);
            }
        }
    }
    // Drops are the oldest of what waited, whatever they were: which ones is not told, only how many.
    let explained = kept.dropped.saturating_sub(missing_baselines.len() as u64);
    account.dropped = explained.min(missing.len() as u64);
    account.lost = lost.len() as u64 + missing.len() as u64 - account.dropped;
    account.baselines_dropped = kept.dropped.min(missing_baselines.len() as u64);
    if account.dropped < missing.len() as u64 {
        lost.append(&mut missing);
    }
    if account.baselines_dropped < missing_baselines.len() as u64 {
        lost_baselines.append(&mut missing_baselines);
    }
    let lost = lost.into_iter().chain(lost_baselines);
    differences.extend(lost.map(|heartbeat| Difference::Lost { heartbeat }));
    // What nobody surely saw, and each run's first of both channels, can have been dropped too.
    let begun = circumstances.lives.iter().map(|life| life.from);
    let begun = begun
        .filter(|begun| circumstances.overflowed(*begun))
        .count() as u64;
    let most = account.dropped + account.baselines_dropped + unseen_in_outage + 2 * begun;
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

/// How often each post is stored as a heartbeat, by revision; 0 for one that is stored as a baseline only. Finds each row's post, and tells those that have none or too many.
fn assign(
    channel: &str,
    posts: &[Posted],
    rows: &[Row],
    differences: &mut Vec<Difference>,
) -> BTreeMap<u64, u64> {
    let mut stored = BTreeMap::<u64, u64>::new();
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
        *times += u64::from(!row.baseline);
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
        if let Some(times) = stored.get(&posted.revision).copied()
            && times > 1
        {
            differences.push(Difference::Twice {
                heartbeat: told(channel, posted),
                times,
            });
        }
    }
    stored
}

impl Circumstances<'_> {
    /// Whether what waited at that time may have been dropped for want of room.
    fn overflowed(&self, at: Duration) -> bool {
        self.outages.iter().any(|outage| outage.holds(at))
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

#[cfg(test)]
mod tests;
