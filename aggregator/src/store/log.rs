//! The log: what was acknowledged and is in no snapshot yet, a row for each commit, or several where its batches are large.
//!
//! Rows are added at the log's end and touch no other pages; rows go from its beginning once snapshots of all
//! their nodes hold what they said. So a commit costs what its batches have in bytes, however many nodes they are of.

use std::{collections::HashMap, time::Duration};

use nodegrace_proto::store::v1::{LoggedBatch, LoggedBatches};
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{OpenError, database::from_nanos};

/// One batch of the log, as a start reads it.
pub(super) struct Logged {
    /// Its row.
    pub(super) row: i64,
    pub(super) node: String,
    pub(super) opens: bool,
    pub(super) received: Duration,
    pub(super) wire: Vec<u8>,
    /// Whether its heartbeats became rows.
    pub(super) told: Told,
}

/// What is known of a batch's heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// They are rows.
    Yes,
    /// They are not.
    No,
    /// Those up to the highest number that is a row of their run.
    Perhaps,
}

/// Bytes from which on a row takes no further batch: usual ones of a whole commit are less. Rows are copied as they are written and
/// read.
const ROW_BYTES: usize = 1 << 20;

/// Puts `batches` into rows, in order.
pub(super) fn in_rows(batches: impl IntoIterator<Item = LoggedBatch>) -> Vec<LoggedBatches> {
    let mut rows: Vec<LoggedBatches> = Vec::new();
    let mut bytes = ROW_BYTES;
    for logged in batches {
        if bytes >= ROW_BYTES {
            rows.push(LoggedBatches::default());
            bytes = 0;
        }
        bytes += logged.batch.len();
        rows.last_mut()
            .expect("one was just pushed or was there")
            .batches
            .push(logged);
    }
    rows
}

/// Adds these rows after the row `last`; gives the id of the last row.
pub(super) fn append(
    transaction: &Transaction<'_>,
    rows: &[LoggedBatches],
    mut last: i64,
) -> Result<i64, rusqlite::Error> {
    let mut insert = transaction.prepare_cached("INSERT INTO log (id, batches) VALUES (?1, ?2)")?;
    for row in rows {
        last += 1;
        insert.execute(params![last, row.encode_to_vec()])?;
    }
    Ok(last)
}

/// Forgets `node` and what the log says of it up to row `last`.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    node: &str,
    last: i64,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("DELETE FROM node WHERE name = ?1")?
        .execute([node])?;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO forgotten (name, log_id) VALUES (?1, ?2)")?
        .execute(params![node, last])?;
    Ok(())
}

/// Drops the rows before row `from`.
pub(super) fn drop_before(transaction: &Transaction<'_>, from: i64) -> Result<(), rusqlite::Error> {
    for delete in [
        "DELETE FROM log WHERE id < ?1",
        "DELETE FROM log_5 WHERE id < ?1",
        "DELETE FROM forgotten WHERE log_id < ?1",
    ] {
        transaction.prepare_cached(delete)?.execute([from])?;
    }
    Ok(())
}

/// Hands every batch of the log that no snapshot holds to `take`, in order; gives the id of the last row there ever was.
pub(super) fn read(
    connection: &Connection,
    mut take: impl FnMut(Logged) -> Result<(), OpenError>,
) -> Result<i64, OpenError> {
    let held = held(connection)?;
    let is_held = |node: &str, row: i64| held.get(node).is_some_and(|last| row <= *last);
    let (last, told_up_to) = ends(connection)?;
    let told = |row: i64, otherwise| {
        if row <= told_up_to {
            Told::Yes
        } else {
            otherwise
        }
    };
    let mut query =
        connection.prepare("SELECT id, node, opens, received_ns, batch FROM log_5 ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (id, node): (i64, String) = (row.get(0)?, row.get(1)?);
        if !is_held(&node, id) {
            take(Logged {
                row: id,
                node,
                opens: row.get(2)?,
                received: from_nanos(row.get(3)?),
                wire: row.get(4)?,
                told: told(id, Told::Perhaps),
            })?;
        }
    }
    let mut query = connection.prepare("SELECT id, batches FROM log ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let damaged = |reason| OpenError::DamagedLog { row: id, reason };
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        for logged in LoggedBatches::decode(bytes).map_err(damaged)?.batches {
            let node = node_of(&logged).map_err(damaged)?;
            if !is_held(&node, id) {
                take(Logged {
                    row: id,
                    node,
                    opens: logged.opens,
                    received: Duration::from_nanos(logged.received_nanos),
                    wire: logged.batch,
                    told: told(id, Told::No),
                })?;
            }
        }
    }
    Ok(last)
}

/// Up to which row of the log snapshots hold what it says of each node, or the node was forgotten.
fn held(connection: &Connection) -> Result<HashMap<String, i64>, rusqlite::Error> {
    let mut query = connection.prepare(
        "SELECT name, max(log_id) FROM (SELECT name, log_id FROM node UNION ALL SELECT name, log_id FROM forgotten)
        GROUP BY name",
    )?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The last row there ever was, and the last one of which the heartbeats became rows.
fn ends(connection: &Connection) -> Result<(i64, i64), rusqlite::Error> {
    let ends = "SELECT log_id, told_log_id FROM state";
    let ends = connection.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(ends.optional()?.unwrap_or_default())
}

/// The node of a batch, without reading the rest of it.
fn node_of(logged: &LoggedBatch) -> Result<String, prost::DecodeError> {
    /// The first field of `nodegrace.v1.ReportBatch`.
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    struct Named {
        #[prost(string, tag = "1")]
        node_name: String,
    }
    Ok(Named::decode(&*logged.batch)?.node_name)
}
