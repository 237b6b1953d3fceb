//! The flags that say whether the cluster is watched.

use std::path::Path;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use http::HeaderValue;
use nodegrace_kube::Timeouts;

use crate::ApiServer;

/// How the API server sees the aggregator's watches in its logs.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("nodegrace-aggregator/", env!("CARGO_PKG_VERSION")));

#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// Whether the cluster is watched.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Whether to watch all Nodes and EndpointSlices of the cluster that --kubeconfig names: which addresses went with a flip, what
    /// a flip would take along, and which nodes have no agent. Needs list and watch on both. Without --kubeconfig it is the pod's own
    /// cluster, or that of $KUBECONFIG or ~/.kube/config.
    #[arg(
        long,
        env = "NODEGRACE_WATCH_CLUSTER",
        value_name = "WHETHER",
        default_value = "off"
    )]
    pub watch_cluster: WatchCluster,
}

/// Whether the cluster is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WatchCluster {
    /// Yes.
    On,
    /// No: flips are those that agents see, and nothing is known of Services.
    Off,
}

impl ClusterArgs {
    /// The API server to watch. Absent: none. Nothing is reached yet.
    ///
    /// # Errors
    /// When it is to be watched and is not said how to reach it.
    pub(super) async fn api_server(
        &self,
        kubeconfig: Option<&Path>,
    ) -> anyhow::Result<Option<ApiServer>> {
        if self.watch_cluster == WatchCluster::Off {
            return Ok(None);
        }
        nodegrace_kube::install_crypto();
        let config = nodegrace_kube::configuration(kubeconfig, None).await;
        let config = config.context("--watch-cluster watches the API server")?;
        let client = nodegrace_kube::connect(&config, AGENT, Timeouts::default())
            .context("--watch-cluster")?;
        Ok(Some(ApiServer::new(client)))
    }
}
