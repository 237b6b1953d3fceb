//! How the parts of a system reach each other over TCP: exactly as separate processes would.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use nodegrace_agent::{Timeouts, TlsFiles, kube_client};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::Cluster;
use tokio::net::TcpListener;
use tonic::transport::Channel;

/// Where the parts listen.
#[derive(Debug)]
pub(super) struct Links {
    api_server: SocketAddr,
    kubelets: SocketAddr,
    aggregator: SocketAddr,
}

impl Links {
    /// Lets the simulated API server listen on a free port beside the aggregator's `grpc`.
    pub(super) async fn open(cluster: &Cluster, grpc: &TcpListener) -> anyhow::Result<Self> {
        kube_client::install_crypto();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self {
            api_server: cluster
                .listen(loopback, None)
                .await
                .context("simulated API server")?,
            kubelets: cluster
                .listen_kubelets(loopback, None)
                .await
                .context("simulated kubelets")?,
            aggregator: grpc.local_addr().context("aggregator")?,
        })
    }

    /// A connection of its own to the API server, with the agent's own HTTP stack.
    pub(super) fn api_server(&self) -> anyhow::Result<kube::Client> {
        let url = format!("http://{}", self.api_server).parse()?;
        kube_client::connect(
            &kube::Config::new(url),
            &Timeouts::default(),
            &Clock::real(),
        )
    }

    /// How to reach the HTTP server of a node's kubelet.
    pub(super) fn kubelet(&self, node: &str) -> anyhow::Result<kube::Config> {
        kubelet(self.kubelets, node)
    }

    /// A connection of its own to the aggregator.
    pub(super) fn aggregator(&self) -> anyhow::Result<Channel> {
        nodegrace_agent::channel(
            &format!("http://{}", self.aggregator),
            &TlsFiles::default(),
            &Timeouts::default(),
        )
    }
}

/// How to reach the HTTP server of a node's kubelet, of those that are served at `kubelets`.
pub(super) fn kubelet(kubelets: SocketAddr, node: &str) -> anyhow::Result<kube::Config> {
    let url = format!("http://{kubelets}/{node}").parse()?;
    Ok(kube::Config::new(url))
}
