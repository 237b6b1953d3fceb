//! The flags that say whether the cluster is watched.

use std::path::Path;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use http::HeaderValue;
use nodegrace_clock::Clock;
use nodegrace_kube::Timeouts;

use crate::ApiServer;

/// How the API server sees the aggregator's watches in its logs.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("nodegrace-aggregator/", env!("CARGO_PKG_VERSION")));

#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// Whether the cluster is watched.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Whether to watch all Nodes and EndpointSlices of the cluster: which addresses went with a flip, what a flip would take
    /// along, and which nodes have no agent. Needs list and watch on both, so that the default asks for nothing. auto: where
    /// --kubeconfig or the pod's own token says how, and for as long as the API server permits it; where it does not, GetFleet says
    /// why. on: by $KUBECONFIG or ~/.kube/config, too, and it is an error when nothing says how.
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
    /// Where that can be done with what the aggregator was given.
    Auto,
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
        // The default kubeconfig is a person's, who did not ask for it.
        let is_told = kubeconfig.is_some() || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        let must = match self.watch_cluster {
            WatchCluster::On => true,
            WatchCluster::Auto if is_told => false,
            WatchCluster::Auto | WatchCluster::Off => return Ok(None),
        };
        nodegrace_kube::install_crypto();
        let config = match nodegrace_kube::configuration(kubeconfig, None).await {
            Ok(config) => config,
            Err(reason) if must => {
                return Err(reason.context("--watch-cluster watches the API server"));
            }
            Err(reason) => {
                // Such as a pod without a token, as deploy/base has it.
                tracing::info!(reason = format!("{reason:#}"), "the cluster is not watched");
                return Ok(None);
            }
        };
        let client = nodegrace_kube::connect(&config, AGENT, Timeouts::default(), &Clock::real())
            .context("--watch-cluster")?;
        Ok(Some(ApiServer::new(client)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Args;

    async fn api_server(flags: &[&str]) -> anyhow::Result<Option<ApiServer>> {
        let flags = [&["nodegrace-aggregator"], flags].concat();
        let args = Args::try_parse_from(flags).expect("flags");
        args.watched_cluster().await
    }

    #[tokio::test]
    async fn the_cluster_is_watched_by_itself_only_where_something_says_how() {
        let directory = tempfile::tempdir().expect("a directory");
        let good = directory.path().join("kubeconfig");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n\
                    contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n";
        std::fs::write(&good, text).expect("written");
        let good = format!("--kubeconfig={}", good.display());
        let missing = format!("--kubeconfig={}/none", directory.path().display());
        assert!(api_server(&[&good]).await.expect("off").is_none());
        assert!(
            api_server(&[&good, "--watch-cluster=auto"])
                .await
                .expect("auto")
                .is_some()
        );
        assert!(api_server(&[]).await.expect("nothing says how").is_none());
        assert!(api_server(&[&missing]).await.expect("auto").is_none());
        assert!(
            api_server(&[&good, "--watch-cluster=off"])
                .await
                .expect("off")
                .is_none()
        );
        let must = api_server(&[&missing, "--watch-cluster=on"]).await;
        assert!(must.is_err(), "it was to be watched");
    }
}
