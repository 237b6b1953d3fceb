//! The whole aggregator: what its parts share, and the tasks it consists of.

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_core::SettingsError;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;

use crate::{Config, register::Register};

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
    pub(crate) register: Register,
}

impl Aggregator {
    /// An aggregator that knows nothing yet.
    ///
    /// # Errors
    /// When the settings in `config` are no controller's.
    pub fn new(config: Config, clock: Clock) -> Result<Self, SettingsError> {
        let register = Register::new(&config, &clock)?;
        Ok(Self {
            parts: Arc::new(Parts {
                config,
                clock,
                register,
            }),
        })
    }

    /// Lets time pass for the fleet: verdicts such as `OVERDUE` and `STALE` come about without any report.
    pub(crate) async fn keep_time(&self) -> Infallible {
        let Parts {
            clock, register, ..
        } = &*self.parts;
        loop {
            clock.sleep(TICK).await;
            register.expire(clock.now()).await;
        }
    }
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
    tasks.spawn(async move {
        // Acks are small and wait for nothing.
        let incoming = TcpIncoming::from(grpc).with_nodelay(Some(true));
        serving.serve_grpc(incoming, stop).await
    });
    let stop = shutdown.clone();
    tasks.spawn(async move { aggregator.serve_http(http, stop).await });

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
