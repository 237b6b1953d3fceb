//! The demo's cluster, as a process of its own.

use std::time::Duration;

use nodegrace_agent::{Timeouts, TlsFiles};
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_tests::process::Process;
use tonic::transport::Channel;

use crate::real::monitoring::free_address;

/// Nodes of the cluster: two of every kind.
const NODES: &str = "14";
/// How fast its time passes. As fast as the machine can carry, where that is less.
const SPEED: &str = "240";
/// Shorter than usual, so that nodes flip sooner.
pub(super) const GRACE: &str = "30s";
/// Pause between two questions, and the longest wait, which only ends a broken test.
pub(super) const POLL: Duration = Duration::from_millis(200);
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// A simulated cluster with its aggregator.
pub(super) struct Demo {
    http: String,
    /// A connection to its aggregator.
    pub(super) channel: Channel,
    _process: Process,
}

impl Demo {
    /// Starts it.
    pub(super) fn start() -> anyhow::Result<Self> {
        let (grpc, http) = (free_address()?, free_address()?);
        let args = [
            "--nodes",
            NODES,
            "--speed",
            SPEED,
            "--grace-period",
            GRACE,
            "--listen",
            &grpc,
            "--http",
            &http,
        ];
        let process = Process::start("nodegrace-demo", &args);
        let url = format!("http://{grpc}");
        let channel = nodegrace_agent::channel(&url, &TlsFiles::default(), &Timeouts::default())?;
        Ok(Self {
            http,
            channel,
            _process: process,
        })
    }

    /// The latest flip that is over, once there is one that took an address along.
    pub(super) async fn flip(&self) -> anyhow::Result<v1::Flip> {
        let clock = Clock::real();
        let begun = clock.now();
        loop {
            let request = v1::ListFlipsRequest::default();
            let flips = QueryClient::new(self.channel.clone())
                .list_flips(request)
                .await;
            let flips = flips
                .map(|flips| flips.into_inner().flips)
                .unwrap_or_default();
            let is_told =
                |flip: &v1::Flip| !flip.services.is_empty() && flip.ready_again_time.is_some();
            if let Some(flip) = flips.into_iter().find(is_told) {
                return Ok(flip);
            }
            anyhow::ensure!(clock.now() - begun < PATIENCE, "nothing flipped");
            clock.sleep(POLL).await;
        }
    }

    /// The page, with this after the `#`.
    pub(super) fn url(&self, hash: &str) -> String {
        format!("http://{}/{hash}", self.http)
    }
}
