//! A start from the database: snapshots first, then what the log knows more.

use std::{collections::HashSet, sync::Arc};

use nodegrace_proto::store::v1::NodeSnapshot;
use prost::Message as _;

use super::{
    Database, OpenError,
    heartbeats::{self, Candidates},
    log::{self, Told},
    row::Events,
    snapshot,
};
use crate::{cluster::ClusterState, ingest, register::Register, timeline::Timeline};

/// What the writer must know of a restored database.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The id of the history.
    pub(super) history: u128,
    /// The last row of the log.
    pub(super) last_row: i64,
    /// What came of the log; some of it may be in the database already.
    pub(super) events: Events,
    /// Nodes that the log knows more of than their snapshots, and from which row on. Rows ascend.
    pub(super) unsaved: Vec<(Arc<str>, i64)>,
}

/// Puts everything that `database` holds into `register`. Blocks.
///
/// # Errors
/// When a row cannot be read: a start that forgets some of it silently would be worse than none.
pub(crate) fn restore(
    database: &Database,
    register: &Register,
    cluster: &ClusterState,
    timeline: &Timeline,
) -> Result<Restored, OpenError> {
    let damaged = |what, node: String, reason: Box<dyn std::error::Error + Send + Sync>| {
        OpenError::Damaged { what, node, reason }
    };
    let mut nodes = 0_u64;
    database.snapshots(|name, bytes| {
        let restored = NodeSnapshot::decode(bytes)
            .map_err(Into::into)
            .and_then(|snapshot| Ok(snapshot::load(&name, snapshot)?));
        match restored {
            Ok((history, beside)) => register.restore(history, beside),
            Err(reason) => return Err(damaged("the snapshot", name, reason)),
        }
        nodes += 1;
        Ok(())
    })?;
    let (mut events, mut unsaved) = (Events::default(), Vec::new());
    let mut noted = HashSet::new();
    let mut batches = 0_u64;
    let mut told = None;
    let last_row = log::read(&database.connection, |row| {
        let batch = ingest::read_back(&row.wire, row.opens, row.received)
            .map_err(|reason| damaged("a batch", row.node, reason.into()))?;
        let node = Arc::clone(&batch.report.node);
        let keeps_heartbeats = database.keeps_heartbeats() && row.told != Told::Yes;
        let mut heartbeats = Candidates::of(&batch.report, keeps_heartbeats);
        if keeps_heartbeats && row.told == Told::Perhaps {
            let told = match &mut told {
                Some(told) => told,
                None => told.insert(heartbeats::numbers(&database.connection)?),
            };
            let run = (Arc::clone(&node), batch.report.agent.clone());
            heartbeats = heartbeats.after(told.get(&run).copied().unwrap_or(0));
        }
        let applied = register.replay(batch);
        cluster.take(&node, &applied, timeline, row.received);
        events.note(&node, heartbeats, applied, timeline.wall_at(row.received));
        if noted.insert(Arc::clone(&node)) {
            unsaved.push((node, row.row));
        }
        batches += 1;
        Ok(())
    })?;
    tracing::info!(nodes, batches, "history restored");
    Ok(Restored {
        history: database.history()?,
        last_row,
        events,
        unsaved,
    })
}
