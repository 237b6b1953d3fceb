//! The heartbeats of the last hours as rows: written as they are counted, and taken away at the pace at which they come.

mod runs;

use std::sync::Arc;

use nodegrace_core::{
    AgentId, Applied, WallTime,
    event::{Heartbeat, Record, Report},
};
use rusqlite::Transaction;

pub(super) use self::runs::{Runs, numbers};

/// Rows that are too old, or too many, which one new row takes with it: more than one, so that a backlog shrinks.
const TAKEN_WITH_ONE: i64 = 2;

/// A heartbeat that was counted, and the run of the agent that saw it.
#[derive(Clone, Debug)]
pub(super) struct KeptHeartbeat {
    node: Arc<str>,
    agent: AgentId,
    number: u64,
    heartbeat: Heartbeat,
    /// When it was kept, by the wall time of the aggregator's timeline.
    kept: WallTime,
}

/// The heartbeats of a batch, before it is known which of them are new.
#[derive(Debug)]
pub(super) struct Candidates {
    node: Arc<str>,
    agent: AgentId,
    heartbeats: Vec<(u64, Heartbeat)>,
}

impl Candidates {
    /// Those in `report`; none of them unless rows of them are kept.
    pub(super) fn of(report: &Report, are_kept: bool) -> Self {
        let records = report.records.iter().filter(|_| are_kept);
        let heartbeats = records.filter_map(|(number, record)| {
            let Record::Heartbeat(heartbeat) = record else {
                return None;
            };
            Some((*number, heartbeat.clone()))
        });
        Self {
            node: Arc::clone(&report.node),
            agent: report.agent.clone(),
            heartbeats: heartbeats.collect(),
        }
    }

    /// Those with numbers above `number`.
    pub(super) fn after(mut self, number: u64) -> Self {
        self.heartbeats.retain(|(own, _)| *own > number);
        self
    }

    /// Those that applying the batch counted for the first time.
    pub(super) fn new_ones(
        self,
        applied: &Applied,
        kept: WallTime,
    ) -> impl Iterator<Item = KeptHeartbeat> {
        let Self {
            node,
            agent,
            heartbeats,
        } = self;
        let first = applied.first_new.unwrap_or(u64::MAX);
        let new = heartbeats
            .into_iter()
            .filter(move |(number, _)| *number >= first);
        new.map(move |(number, heartbeat)| KeptHeartbeat {
            node: Arc::clone(&node),
            agent: agent.clone(),
            number,
            heartbeat,
            kept,
        })
    }
}

/// Rows that are too old, or too many, which these new ones take with them.
pub(super) fn taken_with(heartbeats: &[KeptHeartbeat]) -> i64 {
    let new = i64::try_from(heartbeats.len()).unwrap_or(i64::MAX);
    new.saturating_mul(TAKEN_WITH_ONE)
}

/// Deletes heartbeats kept before `oldest`, at most `most` and the oldest first.
pub(super) fn retain(
    transaction: &Transaction<'_>,
    oldest: i64,
    most: i64,
) -> Result<(), rusqlite::Error> {
    // By id alone no more rows are looked at than may go.
    let mut left = most;
    for delete in [
        "DELETE FROM heartbeat_5 WHERE id < (SELECT min(id) FROM heartbeat_5) + ?2 AND kept_ns < ?1",
        "DELETE FROM heartbeat WHERE id < (SELECT min(id) FROM heartbeat) + ?2 AND kept_ns < ?1",
    ] {
        let gone = transaction
            .prepare_cached(delete)?
            .execute([oldest, left])?;
        left = left.saturating_sub(i64::try_from(gone).unwrap_or(i64::MAX));
    }
    Ok(())
}

/// True when no heartbeat is kept.
pub(super) fn is_empty(transaction: &Transaction<'_>) -> Result<bool, rusqlite::Error> {
    let query =
        "SELECT NOT EXISTS (SELECT 1 FROM heartbeat_5) AND NOT EXISTS (SELECT 1 FROM heartbeat)";
    transaction.query_row(query, [], |row| row.get(0))
}
