//! Streams the journal to the aggregator: one long gRPC stream, opened again whenever it breaks.

mod session;
#[cfg(test)]
mod tests;

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{AgentInstance, ReportBatch, ingest_client::IngestClient};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tracing::warn;

use self::session::Ending;
use crate::{
    condition::Condition,
    config::{Config, Timeouts},
    journal::{BatchLimits, Cursor, Journal},
    moment::Moment,
    pauses::Pauses,
    wire,
};

/// First pause after a failure.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause: well below the 45 s after which an aggregator calls a node stale.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The connection to one aggregator.
pub(crate) struct Uplink {
    client: IngestClient<Channel>,
    journal: Arc<Journal>,
    clock: Clock,
    node_name: String,
    agent: AgentInstance,
    limits: BatchLimits,
    report_interval: Duration,
    timeouts: Timeouts,
}

/// A channel to the aggregator at `url` that connects when it is first used: an unreachable aggregator is no error here.
///
/// # Errors
/// When `url` is none that can be spoken to: something else than `http://host:port`.
pub fn channel(url: &str, timeouts: &Timeouts) -> anyhow::Result<Channel> {
    let endpoint =
        Endpoint::from_shared(url.to_owned()).with_context(|| format!("aggregator URL {url:?}"))?;
    let (scheme, host) = (endpoint.uri().scheme_str(), endpoint.uri().host());
    anyhow::ensure!(
        scheme == Some("http") && host.is_some(),
        "aggregator URL {url:?}: must be http://HOST:PORT"
    );
    Ok(endpoint
        .connect_timeout(timeouts.connect)
        .http2_keep_alive_interval(timeouts.keepalive_interval)
        .keep_alive_timeout(timeouts.keepalive_timeout)
        .connect_lazy())
}

impl Uplink {
    pub(crate) fn new(
        config: &Config,
        agent: AgentInstance,
        channel: Channel,
        journal: Arc<Journal>,
        clock: Clock,
    ) -> Self {
        Self {
            client: IngestClient::new(channel),
            journal,
            clock,
            node_name: config.node_name.clone(),
            agent,
            limits: config.batch_limits(),
            report_interval: config.report_interval,
            timeouts: config.timeouts.clone(),
        }
    }

    /// Delivers the journal until `sealed` says that nothing more is written to it, and then what is left.
    pub(crate) async fn deliver(self, sealed: CancellationToken) {
        let mut sessions = pin!(self.sessions(&sealed));
        tokio::select! {
            () = &mut sessions => return,
            () = sealed.cancelled() => {}
        }
        if timeout(self.timeouts.drain, sessions).await.is_err() {
            let losses = self.journal.losses();
            warn!(
                ?losses,
                "stopped before the aggregator acknowledged everything"
            );
        }
    }

    /// One session after the other, until one ends with everything delivered.
    async fn sessions(&self, sealed: &CancellationToken) {
        let mut pauses = Pauses::between(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut condition = Condition::default();
        loop {
            let Ending::Broken { worked, error } = self.session(sealed, &mut condition).await
            else {
                return;
            };
            if worked {
                pauses.reset();
            }
            if condition.fails(&error) {
                warn!(error, "no stream to the aggregator, trying again");
            }
            let pause = self.clock.sleep(pauses.next());
            if sealed.is_cancelled() {
                pause.await;
            } else {
                // Sealing ends the pause: there is little time left to deliver.
                sealed.run_until_cancelled(pause).await;
            }
        }
    }

    /// The next batch for a reader at `cursor`, in its envelope. True when the reader has everything now.
    fn next_batch(&self, cursor: &mut Cursor) -> (ReportBatch, bool) {
        let contents = self.journal.next(cursor, self.limits);
        let now = Moment::now(&self.clock);
        let batch = ReportBatch {
            node_name: self.node_name.clone(),
            agent: Some(self.agent.clone()),
            sent_monotonic: Some(wire::duration(now.monotonic)),
            sent_time: Some(wire::timestamp(now.wall)),
            ..contents.batch
        };
        (batch, contents.complete)
    }
}
