//! Keeps the spool: records reach it at once, the disk every few seconds, and what goes wrong is said when it changes.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError},
    time::Duration,
};

use nodegrace_spool::{Class, PerClass};
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Journal;
use crate::condition::Condition;

/// Time between two syncs: what a crash of the machine may take. A crash of the agent alone takes nothing that was written.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

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
        let mut said = Said {
            gone: self.aside(Self::gone).await,
            ..Said::default()
        };
        let mut changes = self.changes();
        let mut due = self.clock.now() + SYNC_INTERVAL;
        loop {
            tokio::select! {
                () = self.clock.rest_until(due) => {
                    said = self.aside(|journal| journal.sync(said)).await;
                    due = self.clock.now() + SYNC_INTERVAL;
                }
                // In memory, writers did this themselves.
                Ok(()) = changes.changed(), if self.on_disk => self.flush_aside(),
            }
        }
    }

    /// Keeps what is left and lets go of the directory, unless the disk stands still. Nothing uses the journal any more.
    pub(crate) async fn close(self) {
        if !self.on_disk {
            return;
        }
        let closing = spawn_blocking(move || {
            self.flush();
            let now = self.now();
            let spool = self.spool.into_inner();
            spool.unwrap_or_else(PoisonError::into_inner).close(now)
        });
        let failure = match timeout(LONGEST_CLOSE, closing).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(failure))) => failure.to_string(),
            Ok(Err(failure)) => failure.to_string(),
            Err(late) => late.to_string(),
        };
        warn!(
            error = failure,
            "the spool was not closed, some records may be sent again"
        );
    }

    /// Makes everything written survive a crash of the machine, and says what changed.
    pub(super) fn sync(&self, mut said: Said) -> Said {
        self.flush();
        let condition = {
            let mut spool = self.spool();
            // The condition tells the same failure, and those of single appends.
            let _ = spool.sync(self.now());
            spool.condition()
        };
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
        said
    }

    fn gone(&self) -> PerClass<u64> {
        let ledger = self.spool().ledger();
        PerClass::from_fn(|class| ledger[class].dropped + ledger[class].lost)
    }
}
