//! A running part of a system: an agent or an aggregator, that can be stopped in peace or killed.

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A part that runs, or ran.
#[derive(Debug, Default)]
pub(super) struct Part {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Part {
    /// Starts what `run` makes of the signal that stops it.
    pub(super) fn start<F>(run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(run(stop.clone()));
        Self { tasks, stop }
    }

    /// Waits until it ends; at once when it does not run. Absent: it did not.
    pub(super) async fn ended(&mut self) -> Option<anyhow::Result<()>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.context("it panicked").flatten())
    }

    /// Tells it to stop, and waits for nothing.
    pub(super) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it, drained. One that does not run is stopped already.
    ///
    /// # Errors
    /// What went wrong with it.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.tell_to_stop();
        self.ended().await.unwrap_or(Ok(()))
    }

    /// Kills it, as a crash would, with all that it holds in memory.
    pub(super) async fn crash(&mut self) {
        self.tasks.shutdown().await;
    }

    /// True while it runs.
    pub(super) fn runs(&self) -> bool {
        !self.tasks.is_empty()
    }
}
