//! Keeps the spool: records reach it at once, the disk every few seconds, and what goes wrong is said when it changes.

use std::{
    convert::Infallible,
    mem,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use nodegrace_spool::{Class, PerClass};
use tokio::{
    task::{JoinHandle, spawn_blocking, yield_now},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Entries, Journal};
use crate::{came_home::came_home, condition::Condition};

/// Time between two syncs, with the rest until the next beat of the agent's clock 5 s: what a crash of the machine may take. A
/// crash of the agent alone takes nothing that was written.
const SYNC_INTERVAL: Duration = Duration::from_millis(4500);
/// Syncs in a row that are left out where nothing was written meanwhile. Not all of them, for records become too old.
const LEFT_OUT: u32 = 5;

/// Longest wait for the disk at the end, in real time: with the drain before it, an agent stops within 5 s.
const LONGEST_CLOSE: Duration = Duration::from_millis(500);

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    condition: Condition,
    /// Records that had to make room before every replica had them, or vanished.
    gone: PerClass<u64>,
}

impl Journal {
    /// Keeps the spool until `shutdown`. What is written later is kept by whoever reads it, and by [`Journal::close`].
    pub(crate) async fn keep(self: Arc<Self>, shutdown: CancellationToken) {
        // Not even a disk that stands still holds up the end.
        shutdown.run_until_cancelled(self.rounds()).await;
    }

    async fn rounds(self: &Arc<Self>) -> Infallible {
        self.aside(|journal| journal.said().gone = journal.gone())
            .await;
        let mut changes = self.changes();
        let mut due = self.clock.now() + SYNC_INTERVAL;
        let (mut synced, mut left_out) = (0, 0);
        let mut mover = None;
        loop {
            // Looked at when something else is due: that it is done is nothing to wake up for.
            if mover.as_ref().is_some_and(JoinHandle::is_finished)
                && let Some(mover) = mover.take()
            {
                came_home(mover.await);
            }
            tokio::select! {
                () = self.clock.rest_until(due) => {
                    let (newest, refused) = {
                        let entries = self.entries();
                        (entries.newest, entries.refused)
                    };
                    if newest == synced && !refused && left_out < LEFT_OUT {
                        left_out += 1;
                    } else {
                        // One that is still at it takes this along.
                        mover = self.move_aside(true).or(mover);
                        (synced, left_out) = (newest, 0);
                    }
                    due = self.clock.now() + SYNC_INTERVAL;
                }
                Ok(()) = changes.changed() => {
                    // An uplink that sends it at once has its turn first, and moves it on the way.
                    yield_now().await;
                    mover = self.move_aside(false).or(mover);
                }
            }
        }
    }

    /// Moves every record that waits into the spool, away from the tasks that measure, and with `sync` makes them survive a crash of
    /// the machine. Wakes nobody when it is done. `None`: somebody else does it, or nothing is to be done. The handle of one that
    /// panics has to be awaited, for nothing is moved by another one then.
    pub(super) fn move_aside(self: &Arc<Self>, sync: bool) -> Option<JoinHandle<()>> {
        if !self.on_disk {
            // Writers moved them themselves.
            if sync {
                self.sync();
            }
            return None;
        }
        {
            let mut entries = self.entries();
            entries.sync |= sync;
            // Whoever is at it takes these along: a disk that stands still is waited for by one thread, not by many.
            if entries.has_nothing_to_move() || mem::replace(&mut entries.moving, true) {
                return None;
            }
        }
        let journal = Arc::clone(self);
        Some(spawn_blocking(move || {
            loop {
                let sync = mem::take(&mut journal.entries().sync);
                if sync {
                    journal.sync();
                } else {
                    journal.flush();
                }
                let mut entries = journal.entries();
                if entries.has_nothing_to_move() {
                    entries.moving = false;
                    return;
                }
            }
        }))
    }

    /// Keeps what is left, unless the disk stands still. The directory is let go of with the last of the journal.
    pub(crate) async fn close(self: Arc<Self>) {
        if !self.on_disk {
            return;
        }
        let journal = Arc::clone(&self);
        let closing = spawn_blocking(move || {
            journal.flush();
            let now = journal.now();
            journal.spool().close(now)
        });
        let failure = match timeout(LONGEST_CLOSE, closing).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(failure))) => failure.to_string(),
            Ok(Err(failure)) => failure.to_string(),
            Err(late) => late.to_string(),
        };
        warn!(
            error = failure,
            unwritten = self.entries().unwritten(),
            "the spool was not closed, some records may be sent again, and those that are not written are gone"
        );
    }

    /// Makes everything written survive a crash of the machine, and says what changed.
    pub(super) fn sync(&self) {
        let mut said = self.said();
        self.flush();
        let condition = {
            let mut spool = self.spool();
            // The condition tells the same failure, and those of single appends.
            let _ = spool.sync(self.now());
            self.note(&spool);
            spool.condition()
        };
        self.entries().refused = condition.failing.is_some();
        match &condition.failing {
            Some(failure) if said.condition.fails(failure) => {
                let waiting = condition.unwritten_bytes;
                error!(
                    error = failure,
                    waiting, "the spool cannot be written, records wait in memory"
                );
            }
            None if said.condition.works() => info!("the spool is written again"),
            _ => {}
        }
        let gone = self.gone();
        if gone != said.gone {
            let newly = PerClass::from_fn(|class| gone[class].saturating_sub(said.gone[class]));
            error!(
                heartbeats = newly[Class::Heartbeat],
                others = newly[Class::Other],
                samples = newly[Class::Sample],
                "records were dropped before every aggregator had them"
            );
            said.gone = gone;
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> PerClass<u64> {
        let ledger = self.spool().ledger();
        PerClass::from_fn(|class| ledger[class].dropped + ledger[class].lost)
    }
}

impl Entries {
    /// Records that are not in the spool yet, as far as is known.
    fn unwritten(&self) -> usize {
        self.unwritten.len() + self.in_hand
    }

    fn has_nothing_to_move(&self) -> bool {
        (self.unwritten.is_empty() || self.readers > 0) && !self.sync
    }
}
