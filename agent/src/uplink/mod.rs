//! Streams the journal to every aggregator: to each one long gRPC stream at a time, opened again whenever it breaks.

mod aggregators;
mod directory;
mod discovery;
mod roster;
mod session;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod under_way;

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use http::HeaderValue;
use nodegrace_clock::Clock;
use nodegrace_kube::Pauses;
use nodegrace_proto::v1::{AgentInstance, ingest_client::IngestClient};
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, transport::Channel};
use tracing::{Instrument as _, error, info_span, warn};

use self::{aggregators::Kind, session::Ending};
pub use self::{
    aggregators::{Aggregators, channel},
    directory::Directory,
    tls::TlsFiles,
};
use crate::{
    came_home::came_home,
    condition::Condition,
    config::{Config, Timeouts},
    journal::{BatchLimits, Journal},
    kube_client::TokenFile,
};

/// First pause after a failure.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause: well below the 45 s after which an aggregator calls a node stale.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The way from one agent's journal to its aggregators.
pub(crate) struct Uplinks {
    aggregators: Aggregators,
    shared: Arc<Shared>,
}

/// What all uplinks of an agent have in common.
struct Shared {
    journal: Arc<Journal>,
    clock: Clock,
    node_name: String,
    agent: AgentInstance,
    limits: BatchLimits,
    report_interval: Duration,
    timeouts: Timeouts,
    /// What is shown to aggregators. Absent: nothing.
    token: Option<TokenFile>,
    /// Told when a stream broke: its aggregator may be somewhere else now.
    trouble: Notify,
}

/// The connection to one aggregator.
struct Uplink {
    /// The name by which the spool knows it.
    replica: String,
    client: IngestClient<Channel>,
    shared: Arc<Shared>,
}

/// What is known of an aggregator from one stream to the next.
#[derive(Debug, Default)]
struct Standing {
    condition: Condition,
    /// The run of the agent that was reported last, by the spool's number.
    run: u64,
    /// Records of that run that the aggregator refused, or that could not even be sent.
    refused: u64,
    /// How often batches were halved, for they were too large.
    halvings: u32,
}

impl Standing {
    /// The bounds of a batch to this aggregator, where `limits` are those to any.
    fn limits(&self, limits: BatchLimits) -> BatchLimits {
        let halved = |bound: usize| bound.checked_shr(self.halvings).unwrap_or_default().max(1);
        BatchLimits {
            records: halved(limits.records),
            bytes: halved(limits.bytes),
        }
    }

    /// Learns from the aggregator's `verdict` how large a batch may be. After any other trouble it may be another aggregator.
    fn judge(&mut self, verdict: Option<Code>) {
        self.halvings = match verdict {
            Some(Code::ResourceExhausted) => self.halvings.saturating_add(1),
            _ => 0,
        };
    }

    /// Counts `more` refused records of a run. Returns how many there are.
    fn refuse(&mut self, run: u64, more: u64) -> u64 {
        if self.run != run {
            self.run = run;
            self.refused = 0;
        }
        self.refused += more;
        self.refused
    }
}

impl Uplinks {
    pub(crate) fn new(
        config: &Config,
        agent: AgentInstance,
        aggregators: Aggregators,
        journal: Arc<Journal>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let token = config.aggregator_token.as_deref().map(TokenFile::open);
        Ok(Self {
            aggregators,
            shared: Arc::new(Shared {
                journal,
                clock,
                node_name: config.node_name.clone(),
                agent,
                limits: config.batch_limits(),
                report_interval: config.report_interval,
                timeouts: config.timeouts.clone(),
                token: token.transpose().context("token for aggregators")?,
                trouble: Notify::new(),
            }),
        })
    }

    /// Delivers the journal to every aggregator until `sealed` says that nothing more is written to it, and then what is left,
    /// to all of them at the same time.
    pub(crate) async fn deliver(self, sealed: CancellationToken) {
        if !self.aggregators.are_there() {
            return sealed.cancelled().await;
        }
        let mut running = JoinSet::new();
        match self.aggregators.0 {
            Kind::Given(replicas) => {
                for (replica, channel) in replicas {
                    let uplink = self.shared.uplink(replica, channel);
                    let delivery = uplink.deliver(sealed.clone(), CancellationToken::new());
                    running.spawn(delivery.in_current_span());
                }
            }
            Kind::Listed(directory) => {
                let shared = &self.shared;
                shared.discover(&*directory, &mut running, &sealed).await;
            }
        }
        while let Some(ended) = running.join_next().await {
            came_home(ended);
        }
    }
}

impl Shared {
    /// The value of the Authorization header now. Absent: there is nothing to show.
    fn authorization(&self) -> Option<HeaderValue> {
        self.token.as_ref().map(TokenFile::authorization)
    }

    fn uplink(self: &Arc<Self>, replica: String, channel: Channel) -> Uplink {
        Uplink {
            replica,
            client: IngestClient::new(channel),
            shared: Arc::clone(self),
        }
    }
}

impl Uplink {
    /// Delivers the journal until `sealed`, and then what is left; or until the aggregator is `gone`.
    async fn deliver(self, sealed: CancellationToken, gone: CancellationToken) {
        let span = info_span!("uplink", aggregator = self.replica);
        gone.run_until_cancelled(self.deliver_all(&sealed).instrument(span))
            .await;
    }

    async fn deliver_all(&self, sealed: &CancellationToken) {
        let mut sessions = pin!(self.sessions(sealed));
        tokio::select! {
            () = &mut sessions => return,
            () = sealed.cancelled() => {}
        }
        if timeout(self.shared.timeouts.drain, sessions).await.is_err() {
            warn!("stopped before the aggregator acknowledged everything");
        }
    }

    /// One session after the other, until one ends with everything delivered.
    async fn sessions(&self, sealed: &CancellationToken) {
        let mut pauses = Pauses::between(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut standing = Standing::default();
        loop {
            let (worked, trouble) = match self.session(sealed, &mut standing).await {
                Ending::Drained => return,
                Ending::RunDelivered => continue,
                Ending::Broken { worked, trouble } => (worked, trouble),
            };
            if worked {
                pauses.reset();
            }
            standing.judge(trouble.verdict);
            if standing.condition.fails(&trouble.error) {
                let error = trouble.error;
                if matches!(
                    trouble.verdict,
                    Some(Code::InvalidArgument | Code::PermissionDenied)
                ) {
                    error!(error, "the aggregator refuses what is sent, trying again");
                } else {
                    warn!(error, "no stream to the aggregator, trying again");
                }
            }
            self.shared.trouble.notify_one();
            let pause = self.shared.clock.sleep(pauses.next());
            if sealed.is_cancelled() {
                pause.await;
            } else {
                // Sealing ends the pause: there is little time left to deliver.
                sealed.run_until_cancelled(pause).await;
            }
        }
    }
}
