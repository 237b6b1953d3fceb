//! What goes to the database and comes from it.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    Applied, Channel, Gap, WallTime,
    cause::Explained,
    cluster::{Flip, FlipKind},
};
use nodegrace_proto::store::v1::{LoggedBatch, LoggedBatches, NodeSnapshot};

use super::{
    database::nanos,
    heartbeats::{Candidates, KeptHeartbeat},
};
use crate::{register::Batch, timeline::Mark};

/// Where the aggregator's time and its counters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// When this was written.
    pub(crate) last: Mark,
    /// What wall times are counted from.
    pub(crate) anchor: Mark,
    /// Records refused.
    pub(crate) rejected_records: u64,
    /// Streams refused.
    pub(crate) rejected_streams: u64,
    /// Samples not kept.
    pub(crate) shed_samples: u64,
}

/// What the log keeps of `batch`, whose bytes are `wire`.
pub(super) fn logged(batch: &Batch, wire: Vec<u8>) -> LoggedBatch {
    LoggedBatch {
        batch: wire,
        received_nanos: nanos(batch.received).cast_unsigned(),
        opens: batch.instance.is_some(),
    }
}

/// A long gap of a node, and when it was kept, by the wall time of the aggregator's timeline.
#[derive(Clone, Debug)]
pub(super) struct Event<T> {
    pub(super) node: Arc<str>,
    pub(super) what: T,
    pub(super) kept: WallTime,
}

/// What came of batches since it was last written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    pub(super) gaps: Vec<Event<Gap>>,
    pub(super) heartbeats: Vec<KeptHeartbeat>,
    /// Explanations of gaps that are in `gaps`, or were written before.
    pub(super) explained: Vec<Event<Explained>>,
}

impl Events {
    /// Notes what applying a batch of `node` with these heartbeats led to.
    pub(super) fn note(
        &mut self,
        node: &Arc<str>,
        heartbeats: Candidates,
        applied: Applied,
        kept: WallTime,
    ) {
        fn events<T>(
            node: &Arc<str>,
            what: Vec<T>,
            kept: WallTime,
        ) -> impl Iterator<Item = Event<T>> {
            what.into_iter().map(move |what| Event {
                node: Arc::clone(node),
                what,
                kept,
            })
        }
        self.heartbeats.extend(heartbeats.new_ones(&applied, kept));
        self.gaps.extend(events(node, applied.long_gaps, kept));
        self.explained.extend(events(node, applied.explained, kept));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.heartbeats.is_empty() && self.explained.is_empty()
    }
}

/// The snapshot of a node, which holds what the log says of it up to a row.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) node: Arc<str>,
    pub(super) boot_id: Arc<str>,
    pub(super) agent_start: Duration,
    pub(super) last_number: u64,
    pub(super) heartbeats: u64,
    pub(super) flips: u64,
    pub(super) snapshot: NodeSnapshot,
}

/// A flip as it is now, and what it is told as.
#[derive(Debug)]
pub(super) struct KeptFlip {
    pub(super) flip: Arc<Flip>,
    pub(super) kind: FlipKind,
    /// When it is written, by the wall time of the aggregator's timeline.
    pub(super) kept: WallTime,
}

/// All that one transaction does.
#[derive(Debug)]
pub(super) struct Work {
    /// What becomes rows of the log.
    pub(super) batches: Vec<LoggedBatches>,
    pub(super) events: Events,
    pub(super) flips: Vec<KeptFlip>,
    pub(super) snapshots: Vec<Saved>,
    /// Nodes that are not known any more.
    pub(super) forgotten: Vec<Arc<str>>,
    /// The last row of the log: it was applied when the snapshots were taken and the forgotten nodes were forgotten, and what came
    /// of it is in `events` or was written before.
    pub(super) applied_row: i64,
    /// The first row of the log that says something which no snapshot holds. Absent: the log stays as it is.
    pub(super) log_from: Option<i64>,
    pub(super) state: State,
    /// True when what is too old or too much is to go.
    pub(super) retain: bool,
}

/// The name of a channel in rows that people read.
pub(super) const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Lease => "LEASE",
        Channel::NodeStatus => "NODE_STATUS",
    }
}
