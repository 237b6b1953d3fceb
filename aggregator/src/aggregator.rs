//! The whole aggregator: what its parts share, and the tasks it consists of.

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use nodegrace_clock::Clock;
use nodegrace_core::SettingsError;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, OpenError,
    cluster::{self, ClusterState},
    query::Desk,
    refused::Refused,
    register::Register,
    seldom::Seldom,
    serve::Handled,
    store::{Database, Status, Store, restore},
    timeline::Timeline,
};

/// How often time alone is let change a verdict. `OVERDUE` must show a monitor period (5 s) before the controller acts, so a
/// second is fine enough.
const TICK: Duration = Duration::from_secs(1);

/// An aggregator: cheap to clone, the same for everything that holds a clone.
#[derive(Clone, Debug)]
pub struct Aggregator {
    pub(crate) parts: Arc<Parts>,
}

/// What the services share.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) timeline: Timeline,
    pub(crate) register: Register,
    pub(crate) cluster: ClusterState,
    pub(crate) store: Store,
    /// What all who ask share.
    pub(crate) desk: Desk,
    /// Streams that are refused.
    pub(crate) refusals: Seldom,
    /// What else is refused.
    pub(crate) refused: Refused,
    /// What calls ended with.
    pub(crate) handled: Arc<Handled>,
}

/// Why an aggregator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are no controller's.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The data directory cannot be used.
    #[error("data directory {directory}")]
    Store {
        /// Its path.
        directory: String,
        /// Why.
        #[source]
        reason: OpenError,
    },
}

impl Aggregator {
    /// An aggregator that knows what its data directory holds; nothing yet without one. Blocks while it reads.
    ///
    /// # Errors
    /// When the settings in `config` are no controller's, or the data directory cannot be used.
    pub fn new(config: Config, clock: Clock) -> Result<Self, StartError> {
        let register = Register::new(&config)?;
        let cluster = ClusterState::new(
            config.cluster_bounds,
            config.fleet.controller,
            config.cluster.is_some(),
        );
        let (timeline, store) = match &config.store {
            None => (Timeline::begin(clock.clone()), Store::memory()),
            Some(store) => Database::open(store)
                .and_then(|database| resume(database, &register, &cluster, clock.clone()))
                .map_err(|reason| StartError::Store {
                    directory: store.directory.display().to_string(),
                    reason,
                })?,
        };
        Ok(Self {
            parts: Arc::new(Parts {
                desk: Desk::new(&config.limits, timeline.run()),
                refusals: Seldom::new(clock.clone()),
                refused: Refused::new(&clock),
                handled: Arc::new(Handled::new()),
                config,
                clock,
                timeline,
                register,
                cluster,
                store,
            }),
        })
    }

    /// Writes what `serve` takes until it ends, and what it took last after that.
    pub(crate) async fn keep_while(
        &self,
        mut serve: impl Future<Output = anyhow::Result<()>> + Unpin,
    ) -> anyhow::Result<()> {
        let Some(writer) = self.parts.store.writer() else {
            return serve.await;
        };
        let served = CancellationToken::new();
        let mut write = Box::pin(writer.run(&self.parts, &served));
        tokio::select! {
            outcome = &mut serve => {
                served.cancel();
                outcome.and(write.await)
            }
            // Without it nothing would ever be acknowledged again, so it takes the server with it.
            outcome = &mut write => outcome.and_then(|()| bail!("the writer ended by itself")),
        }
    }

    /// Lets time pass for the fleet: verdicts such as `OVERDUE` and `STALE` come about without any report.
    pub(crate) async fn keep_time(&self) -> Infallible {
        let Parts {
            clock,
            timeline,
            register,
            cluster,
            ..
        } = &*self.parts;
        loop {
            clock.sleep(TICK).await;
            register.expire(timeline.now()).await;
            cluster.expire(register, timeline.now()).await;
        }
    }

    /// Watches the cluster where the configuration has it.
    pub(crate) async fn watch_cluster(&self) -> Infallible {
        cluster::watch(&self.parts).await
    }
}

/// Goes on where the run before stopped.
fn resume(
    database: Database,
    register: &Register,
    cluster: &ClusterState,
    clock: Clock,
) -> Result<(Timeline, Store), OpenError> {
    let status = Arc::new(Status::default());
    let timeline = match database.state()? {
        None => Timeline::begin(clock),
        Some(state) => {
            register.restore_counts(state.rejected_records, state.rejected_streams);
            status.restore_shed(state.shed_samples);
            let bounds = cluster.bounds();
            cluster.resume(state.last.wall, database.flips(bounds.flips)?);
            Timeline::resume(clock, state.last, state.anchor)
        }
    };
    let restored = restore(&database, register, cluster, &timeline)?;
    Ok((timeline, Store::disk(database, restored, status)))
}

/// Serves gRPC and HTTP on these listeners until `shutdown`, and returns within 5 s of it, whatever clients do.
///
/// # Errors
/// When a server ends by itself: half an aggregator is worse than none.
pub async fn run(
    config: Config,
    clock: Clock,
    grpc: TcpListener,
    http: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let aggregator = Aggregator::new(config, clock)?;
    let mut tasks = JoinSet::new();
    let (serving, stop) = (aggregator.clone(), shutdown.clone());
    tasks.spawn(async move { serving.listen_grpc(grpc, stop).await });
    let (serving, stop) = (aggregator.clone(), shutdown.clone());
    tasks.spawn(async move {
        serving.serve_http(http, stop).await;
        Ok(())
    });
    if let Some(tls) = aggregator.parts.config.tls.clone() {
        let (clock, stop) = (aggregator.parts.clock.clone(), shutdown.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(tls.keep_up(&clock)).await;
            Ok(())
        });
    }

    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.context("a task panicked").flatten();
        if ended.is_ok() && !shutdown.is_cancelled() {
            outcome = outcome.and(Err(anyhow::anyhow!("a server ended by itself")));
        }
        outcome = outcome.and(ended);
        // The first to end, for whatever reason, takes the rest with it.
        shutdown.cancel();
    }
    outcome
}
