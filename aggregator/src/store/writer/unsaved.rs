//! Which nodes the log knows more of than their snapshots, and whose turn it is.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How long the log of a node may grow before the next snapshot. A start applies that much again, some 10 batches a node.
const SNAPSHOT_AGE: Duration = Duration::from_secs(60);
/// Snapshots of one turn, a second apart: these, some milliseconds of work, or in a larger fleet as many as all that wait need
/// to have their turn within another [`SNAPSHOT_AGE`].
const LEAST_AT_ONCE: usize = 32;

/// Nodes without a snapshot of what is in the log, the longest first.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    queue: VecDeque<Queued>,
    queued: HashSet<Arc<str>>,
}

#[derive(Debug)]
struct Queued {
    node: Arc<str>,
    /// The first row of the log that knows more than its snapshot.
    row: i64,
    since: Duration,
}

impl Unsaved {
    /// Row `row` of the log has something of `node` that no snapshot holds, since `now` at the latest. Rows and times ascend.
    pub(super) fn note(&mut self, node: &Arc<str>, row: i64, now: Duration) {
        if self.queued.insert(Arc::clone(node)) {
            let (node, since) = (Arc::clone(node), now);
            self.queue.push_back(Queued { node, row, since });
        }
    }

    /// The first row of the log that says something which no snapshot holds. Absent: there is none.
    pub(super) fn first_row(&self) -> Option<i64> {
        self.queue.front().map(|queued| queued.row)
    }

    /// The nodes whose turn it is at `now`, taken out.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Arc<str>> {
        let per_second = self.queue.len() as u64 / SNAPSHOT_AGE.as_secs() + 1;
        let most = usize::try_from(per_second).unwrap_or(usize::MAX);
        let mut due = Vec::new();
        while due.len() < most.max(LEAST_AT_ONCE)
            && let Some(Queued { node, .. }) = self
                .queue
                .pop_front_if(|queued| now.saturating_sub(queued.since) >= SNAPSHOT_AGE)
        {
            self.queued.remove(&node);
            due.push(node);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_node_has_its_turn_a_minute_after_its_first_unsaved_batch() {
        let mut unsaved = Unsaved::default();
        for second in 100..120_u64 {
            unsaved.note(&Arc::from("node-1"), second.cast_signed(), seconds(second));
        }
        assert!(unsaved.due(seconds(159)).is_empty());
        assert_eq!(unsaved.first_row(), Some(100));
        assert_eq!(unsaved.due(seconds(160)), [Arc::from("node-1")]);
        assert!(unsaved.due(seconds(500)).is_empty());
        assert_eq!(unsaved.first_row(), None);
    }

    #[test]
    fn a_large_fleet_is_spread_over_a_minute() {
        let mut unsaved = Unsaved::default();
        for node in 0..6_000 {
            unsaved.note(&format!("node-{node}").into(), 1, seconds(0));
        }
        let turns: Vec<usize> = (60..300)
            .map(|now| unsaved.due(seconds(now)).len())
            .collect();
        assert_eq!(turns.iter().sum::<usize>(), 6_000, "all had their turn");
        assert!(turns.iter().all(|turn| *turn <= 101), "{turns:?}");
    }
}
