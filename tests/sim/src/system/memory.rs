//! How the parts of a system reach each other over pipes in memory: the same bytes as over TCP, but time can stand still.

mod name;
mod pipe;

use std::net::{Ipv4Addr, SocketAddr};

use http::{HeaderValue, header::AUTHORIZATION};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use kube::client::Body;
use nodegrace_agent::Timeouts;
use nodegrace_sim_cluster::{
    ApiServer, Cluster,
    kubelet::{MachineTimer, OnNode, SimNode},
};
use tokio::net::TcpListener;
use tower::{service_fn, util::MapRequest};

pub(super) use self::name::Name;
use self::pipe::Pipe;
use super::tcp;

/// The ends that callers connect to: cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Links {
    api_server: ApiServer,
    /// The aggregators.
    pub(super) name: Name,
    /// Where the kubelets serve, over TCP: where their machines have files they have sockets in any case.
    kubelets: Option<SocketAddr>,
}

impl Links {
    /// Links to a cluster, and to aggregators of which there is none yet.
    pub(super) fn new(cluster: &Cluster) -> anyhow::Result<Self> {
        let has_machine = |node: &SimNode| cluster.machine_paths(&node.spec().name).is_some();
        let have_machines = cluster.nodes().iter().any(has_machine);
        Ok(Self {
            api_server: cluster.server().clone(),
            name: Name::default(),
            kubelets: have_machines.then(|| serve_kubelets(cluster)).transpose()?,
        })
    }

    /// How to reach the HTTP server of a node's kubelet. Absent: it serves none.
    pub(super) fn kubelet(&self, node: &str) -> anyhow::Result<Option<kube::Config>> {
        let kubelet = |address| tcp::kubelet(address, node);
        self.kubelets.map(kubelet).transpose()
    }

    /// A connection of its own from a node to the API server, kept alive as an agent's is. `token` is shown on it.
    pub(super) fn api_server(&self, node: &SimNode, token: Option<&str>) -> kube::Client {
        let (server, node) = (self.api_server.clone(), node.clone());
        let timer = MachineTimer::new(node.machine_clock());
        let connector = service_fn(move |_: http::Uri| {
            let connected = server.connect();
            let connected = connected.map(|pipe| TokioIo::new(Pipe(OnNode::new(pipe, &node))));
            std::future::ready(connected)
        });
        let timeouts = Timeouts::default();
        let http = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .timer(timer)
            .http2_keep_alive_interval(timeouts.keepalive_interval)
            .http2_keep_alive_timeout(timeouts.keepalive_timeout)
            .http2_keep_alive_while_idle(true)
            .build::<_, Body>(connector);
        let shown = token.map(|token| format!("Bearer {token}"));
        let shown = shown.map(|shown| HeaderValue::try_from(shown).expect("tokens are text"));
        let signed = move |request| {
            let mut request = with_a_host(request);
            if let Some(shown) = &shown {
                request.headers_mut().insert(AUTHORIZATION, shown.clone());
            }
            request
        };
        kube::Client::new(MapRequest::new(http, signed), "default")
    }

    /// A connection of its own from an aggregator, on no simulated machine, to the API server.
    pub(super) fn aggregators_api_server(&self) -> kube::Client {
        let server = self.api_server.clone();
        let connector = service_fn(move |_: http::Uri| {
            let connected = server.connect();
            std::future::ready(connected.map(|pipe| TokioIo::new(Pipe(pipe))))
        });
        let http = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build::<_, Body>(connector);
        kube::Client::new(MapRequest::new(http, with_a_host), "default")
    }
}

/// kube writes paths only; the host of a pipe can be any.
fn with_a_host(mut request: http::Request<Body>) -> http::Request<Body> {
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = http::Uri::builder()
            .scheme("http")
            .authority("api-server")
            .path_and_query(path.clone())
            .build()
            .expect("a valid path stays valid behind a host");
    }
    request
}

fn serve_kubelets(cluster: &Cluster) -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(cluster.serve_kubelets(TcpListener::from_std(listener)?, None)?)
}
