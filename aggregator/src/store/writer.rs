//! The one writer: group commits, snapshots in turn, and retention in small steps.

mod unsaved;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task};
use tokio_util::sync::CancellationToken;

use self::unsaved::Unsaved;
use super::{
    Database, Kept, Status, Waiting,
    heartbeats::Candidates,
    log,
    restore::Restored,
    row::{Events, KeptFlip, State, Work, logged},
    snapshot,
};
use crate::aggregator::Parts;

/// Most streams of one commit, each with a few batches at most: a few megabytes of usual ones, some 40 ms of work.
const MOST_IN_GROUP: usize = 512;
/// How often snapshots are taken, each time of the nodes whose turn it is.
const STEP: Duration = Duration::from_secs(1);
/// How often retention looks, and how many nodes it looks at.
const RETAIN_EVERY: Duration = Duration::from_secs(60);
const RETAIN_NODES: i64 = 256;
/// How long the writer waits after a failure. A full disk does not get any emptier by being asked more often.
const RETRY: Duration = Duration::from_secs(1);

/// What owns the database and writes to it.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Absent: a task that had it panicked.
    database: Option<Database>,
    /// Whether heartbeats become rows of their own.
    keeps_heartbeats: bool,
    queue: mpsc::Receiver<Waiting>,
    status: Arc<Status>,
    /// What came of committed batches and is not written yet. Lost with a crash, it comes again with the log.
    events: Events,
    /// The last row of the log, applied like all before it.
    last_row: i64,
    /// The first row that was not dropped from it.
    log_from: i64,
    /// Some batch could not be written before the end.
    left_out: bool,
    unsaved: Unsaved,
    /// When snapshots and retention have their next turn, on the machine's clock.
    next_step: Duration,
    next_retention: Duration,
    /// The last name that retention looked at.
    looked_at: String,
}

impl Writer {
    pub(super) fn new(
        database: Database,
        restored: Restored,
        queue: mpsc::Receiver<Waiting>,
        status: Arc<Status>,
    ) -> Self {
        let mut unsaved = Unsaved::default();
        for (node, row) in &restored.unsaved {
            unsaved.note(node, *row, Duration::ZERO);
        }
        Self {
            keeps_heartbeats: database.keeps_heartbeats(),
            database: Some(database),
            queue,
            status,
            events: restored.events,
            last_row: restored.last_row,
            log_from: 0,
            left_out: false,
            unsaved,
            next_step: Duration::ZERO,
            next_retention: Duration::ZERO,
            looked_at: String::new(),
        }
    }

    /// Writes until `done` and everything that came before it is written.
    ///
    /// # Errors
    /// When it cannot go on: the database is gone with a panic.
    pub(crate) async fn run(
        mut self,
        parts: &Arc<Parts>,
        done: &CancellationToken,
    ) -> anyhow::Result<()> {
        while !done.is_cancelled() {
            let mut group = Vec::new();
            tokio::select! {
                biased;
                () = done.cancelled() => break,
                _ = self.queue.recv_many(&mut group, MOST_IN_GROUP) => {}
                () = parts.clock.sleep_until(self.next_step) => {}
            }
            if self.turn(parts, group, done).await?.is_break() {
                break;
            }
        }
        self.finish(parts, done).await?;
        if let Some(database) = self.database.take() {
            // Closing moves what is in the write-ahead log to its place.
            task::spawn_blocking(move || drop(database)).await?;
        }
        Ok(())
    }

    /// Writes what is left in the queue and what came of it, unless something before it could not be written: of a stream nothing may
    /// be kept that comes behind what is not, for then that would be taken for forgotten.
    async fn finish(&mut self, parts: &Arc<Parts>, done: &CancellationToken) -> anyhow::Result<()> {
        self.queue.close();
        let mut group = Vec::new();
        while !self.left_out && self.queue.recv_many(&mut group, MOST_IN_GROUP).await > 0 {
            let group = std::mem::take(&mut group);
            let _: ControlFlow<()> = self.turn(parts, group, done).await?;
        }
        if !self.left_out {
            let _: ControlFlow<()> = self.turn(parts, Vec::new(), done).await?;
        }
        Ok(())
    }

    /// One transaction, if there is anything to do. Breaks when it could not be done.
    async fn turn(
        &mut self,
        parts: &Arc<Parts>,
        group: Vec<Waiting>,
        done: &CancellationToken,
    ) -> anyhow::Result<ControlFlow<()>> {
        let last_words = done.is_cancelled();
        let (work, waiting) = self.work(parts, group, last_words);
        self.log_from = work.log_from.unwrap_or(self.log_from);
        if work.is_empty() && !last_words {
            return Ok(ControlFlow::Continue(()));
        }
        let Some(last_row) = self.write(parts, work, done).await? else {
            tracing::error!(
                batches = waiting
                    .iter()
                    .map(|(batches, _)| batches.len())
                    .sum::<usize>(),
                "stopped without writing; agents send it again"
            );
            self.left_out = true;
            return Ok(ControlFlow::Break(()));
        };
        let first_row = self.last_row + 1;
        self.last_row = last_row;
        let now = parts.clock.now();
        let kept = parts.timeline.wall_at(parts.timeline.now());
        for (batches, answer) in waiting {
            let mut outcome = Kept::Applied(None);
            for batch in batches {
                let node = Arc::clone(&batch.report.node);
                let heartbeats = Candidates::of(&batch.report, self.keeps_heartbeats);
                let (kept_or_not, applied) = parts.register.take(parts, batch);
                outcome = outcome.and(kept_or_not);
                self.unsaved.note(&node, first_row, now);
                self.events.note(&node, heartbeats, applied, kept);
            }
            // A stream that ended meanwhile asks no more; what it opened ends here.
            let _ = answer.send(outcome);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What is to be done now: the group, what came of the one before, and whatever has its turn.
    fn work(
        &mut self,
        parts: &Arc<Parts>,
        group: Vec<Waiting>,
        last_words: bool,
    ) -> (Work, Vec<Answerable>) {
        let now = parts.clock.now();
        let (mut batches, mut waiting) = (Vec::new(), Vec::with_capacity(group.len()));
        for Waiting {
            batches: together,
            answer,
        } in group
        {
            self.status.wait_less(together.len());
            let together = together.into_iter().map(|to_keep| {
                let (batch, wire) = to_keep.counted(parts);
                batches.push(logged(&batch, wire));
                batch
            });
            waiting.push((together.collect(), answer));
        }
        let (mut snapshots, mut forgotten, mut retain) = (Vec::new(), Vec::new(), false);
        let mut log_from = None;
        if now >= self.next_step && !last_words {
            self.next_step = now + STEP;
            for node in self.unsaved.due(now) {
                match parts.register.node(&node, snapshot::save) {
                    Some(saved) => snapshots.push(saved),
                    None => forgotten.push(node),
                }
            }
            let first = self.unsaved.first_row();
            log_from = Some(first.unwrap_or(self.last_row + 1));
        }
        if now >= self.next_retention && !last_words {
            self.next_retention = now + RETAIN_EVERY;
            retain = true;
            forgotten.extend(self.unknown_nodes(parts));
        }
        let work = Work {
            batches: log::in_rows(batches),
            events: std::mem::take(&mut self.events),
            flips: changed_flips(parts),
            snapshots,
            forgotten,
            applied_row: self.last_row,
            log_from: log_from.filter(|from| *from > self.log_from),
            state: state(parts),
            retain,
        };
        (work, waiting)
    }

    /// The next nodes of the database that the fleet has forgotten. One short look-up; it may as well be done here.
    fn unknown_nodes(&mut self, parts: &Parts) -> Vec<Arc<str>> {
        let names = self
            .database
            .as_ref()
            .and_then(|database| database.names(&self.looked_at, RETAIN_NODES).ok())
            .unwrap_or_default();
        // After the last name it starts over.
        self.looked_at = names.last().cloned().unwrap_or_default();
        let unknown = names
            .iter()
            .filter(|name| !parts.register.knows(name.as_str()));
        unknown.map(|name| Arc::from(name.as_str())).collect()
    }

    /// Does `work`, again and again while the disk refuses; gives the last row of the log. Absent: told to stop meanwhile.
    async fn write(
        &mut self,
        parts: &Parts,
        mut work: Work,
        done: &CancellationToken,
    ) -> anyhow::Result<Option<i64>> {
        loop {
            let mut database = self
                .database
                .take()
                .ok_or_else(|| anyhow::anyhow!("the database is gone"))?;
            let begun = parts.clock.now();
            let outcome;
            // Where tokio's time is paused it stands still until this ends.
            (database, work, outcome) = task::spawn_blocking(move || {
                let outcome = database.write(&work);
                (database, work, outcome)
            })
            .await?;
            self.database = Some(database);
            match outcome {
                Ok(last_row) => {
                    self.status.succeed(parts.clock.now().saturating_sub(begun));
                    return Ok(Some(last_row));
                }
                Err(error) => self.status.fail(&error),
            }
            tokio::select! {
                biased;
                () = done.cancelled() => return Ok(None),
                () = parts.clock.sleep(RETRY) => {}
            }
        }
    }
}

/// Batches that are being written, and who waits for them.
type Answerable = (
    Vec<crate::register::Batch>,
    tokio::sync::oneshot::Sender<Kept>,
);

impl Work {
    fn is_empty(&self) -> bool {
        self.batches.is_empty()
            && self.log_from.is_none()
            && self.events.is_empty()
            && self.flips.is_empty()
            && self.snapshots.is_empty()
            && self.forgotten.is_empty()
            && !self.retain
    }
}

/// The flips that are new or changed since they were written: all of them, for what led to them may leave the log with this write.
fn changed_flips(parts: &Parts) -> Vec<KeptFlip> {
    let kept = parts.timeline.wall_at(parts.timeline.now());
    let flips = parts.cluster.take_changed_flips();
    let rule = parts.cluster.rule();
    let kept = flips.into_iter().map(|flip| KeptFlip {
        kind: flip.kind(&rule),
        flip,
        kept,
    });
    kept.collect()
}

fn state(parts: &Parts) -> State {
    State {
        last: parts.timeline.mark(),
        anchor: parts.timeline.anchor(),
        rejected_records: parts.register.rejected_records(),
        rejected_streams: parts.register.rejected_streams(),
        shed_samples: parts.store.status().shed_samples(),
    }
}
