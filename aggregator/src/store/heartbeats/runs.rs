//! The runs of agents that heartbeats are rows of: looked up in memory, so that a heartbeat is one row at the end of one table.

use std::{collections::HashMap, sync::Arc, time::Duration};

use nodegrace_core::{AgentId, Channel};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::KeptHeartbeat;
use crate::store::database::{from_nanos, nanos};

/// A run of an agent: its node, and what tells it from others.
pub(in crate::store) type Run = (Arc<str>, AgentId);

/// The runs that were written of since the database was opened, one of each node: agents that start again and again cost no memory.
#[derive(Debug)]
pub(in crate::store) struct Runs {
    known: HashMap<Arc<str>, Known>,
    /// Id of the last heartbeat.
    last: i64,
    /// Up to which heartbeat there may be some of runs that are neither in `known` nor say which was their last. Absent: those runs
    /// were forgotten.
    others_up_to: Option<i64>,
}

#[derive(Clone, Debug)]
struct Known {
    agent: AgentId,
    id: i64,
    /// Id of its last heartbeat.
    last: i64,
}

impl Runs {
    /// Those of a database that was just opened: none is known yet.
    pub(in crate::store) fn of(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let last = "SELECT max(coalesce((SELECT max(id) FROM heartbeat), 0), coalesce((SELECT max(id) FROM heartbeat_5), 0))";
        let last = connection.query_row(last, [], |row| row.get(0))?;
        Ok(Self {
            known: HashMap::new(),
            last,
            others_up_to: Some(last),
        })
    }

    /// Writes heartbeats.
    pub(in crate::store) fn insert(
        &mut self,
        transaction: &Transaction<'_>,
        heartbeats: &[KeptHeartbeat],
    ) -> Result<(), rusqlite::Error> {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO heartbeat (id, agent, sequence_number, channel, stamp_ns, arrival_ns, arrival_since_boot_ns,
            uncertainty_ns, baseline, resource_version, kept_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for kept in heartbeats {
            self.last += 1;
            let run = self.run(transaction, kept)?;
            let heartbeat = &kept.heartbeat;
            insert.execute(params![
                self.last,
                run,
                kept.number.cast_signed(),
                match heartbeat.channel {
                    Channel::Lease => 1,
                    Channel::NodeStatus => 2,
                },
                heartbeat.stamp.unix_nanos(),
                heartbeat.arrival_time.unix_nanos(),
                nanos(heartbeat.arrival),
                nanos(heartbeat.arrival_uncertainty),
                heartbeat.baseline,
                heartbeat.resource_version,
                kept.kept.unix_nanos(),
            ])?;
        }
        Ok(())
    }

    /// Forgets the runs that no heartbeat is left of.
    pub(in crate::store) fn forget(
        &mut self,
        transaction: &Transaction<'_>,
    ) -> Result<(), rusqlite::Error> {
        let first =
            "SELECT coalesce((SELECT min(id) FROM heartbeat_5), (SELECT min(id) FROM heartbeat))";
        let first: Option<i64> = transaction
            .prepare_cached(first)?
            .query_row([], |row| row.get(0))?;
        let is_gone = |last: i64| first.is_none_or(|first| last < first);
        transaction
            .prepare_cached("DELETE FROM agent WHERE last_heartbeat < ?1")?
            .execute([first.unwrap_or(i64::MAX)])?;
        let mut delete = transaction.prepare_cached("DELETE FROM agent WHERE id = ?1")?;
        for (_, gone) in self.known.extract_if(|_, run| is_gone(run.last)) {
            delete.execute([gone.id])?;
        }
        if self.others_up_to.is_some_and(is_gone) {
            let mut ids =
                transaction.prepare("SELECT id FROM agent WHERE last_heartbeat IS NULL")?;
            let ids: Vec<i64> = ids
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut known: Vec<i64> = self.known.values().map(|run| run.id).collect();
            known.sort_unstable();
            for id in ids.iter().filter(|id| known.binary_search(id).is_err()) {
                delete.execute([id])?;
            }
            self.others_up_to = None;
        }
        Ok(())
    }

    /// The id of the run that saw a heartbeat, the last one written.
    fn run(
        &mut self,
        transaction: &Transaction<'_>,
        kept: &KeptHeartbeat,
    ) -> Result<i64, rusqlite::Error> {
        let last = self.last;
        if let Some(known) = self.known.get_mut(&kept.node) {
            if known.agent == kept.agent {
                known.last = last;
                return Ok(known.id);
            }
            transaction
                .prepare_cached("UPDATE agent SET last_heartbeat = ?2 WHERE id = ?1")?
                .execute([known.id, known.last])?;
        }
        let columns = params![kept.node, kept.agent.boot_id, nanos(kept.agent.start)];
        // One that goes on after another one has no last heartbeat yet.
        let found = transaction
            .prepare_cached(
                "UPDATE agent SET last_heartbeat = NULL WHERE node = ?1 AND boot_id = ?2 AND start_ns = ?3 RETURNING id",
            )?
            .query_row(columns, |row| row.get(0));
        let id = match found.optional()? {
            Some(id) => id,
            None => transaction
                .prepare_cached("INSERT INTO agent (node, boot_id, start_ns) VALUES (?1, ?2, ?3)")?
                .insert(columns)?,
        };
        let agent = kept.agent.clone();
        self.known
            .insert(Arc::clone(&kept.node), Known { agent, id, last });
        Ok(id)
    }
}

/// The highest number that is a row, of each run that an aggregator of version 5 wrote of. Its unique index has them in order.
pub(in crate::store) fn numbers(
    connection: &Connection,
) -> Result<HashMap<Run, u64>, rusqlite::Error> {
    let mut query = connection.prepare(
        "SELECT node, boot_id, start_ns, (SELECT max(sequence_number) FROM heartbeat_5 WHERE agent = agent.id) AS last
        FROM agent WHERE last IS NOT NULL",
    )?;
    let rows = query.query_map([], |row| {
        let start: Duration = from_nanos(row.get(2)?);
        let boot_id = row.get(1)?;
        let run = (row.get(0)?, AgentId { boot_id, start });
        Ok((run, row.get::<_, i64>(3)?.cast_unsigned()))
    })?;
    rows.collect()
}
