//! The whole simulated cluster: an API server, its nodes and its controller, started and stopped together.

use std::{io, net::SocketAddr, sync::Arc};

use nodegrace_clock::Clock;
use tokio::io::DuplexStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{ApiServer, Refusal, Store},
    controller::{Controller, Flip, Rule},
    kubelet::{Ledger, NodeSpec, SimNode},
    workload,
};

/// What a simulated cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// Its nodes.
    pub nodes: Vec<NodeSpec>,
    /// Decides the uids.
    pub seed: u64,
    /// The controller's settings.
    pub rule: Rule,
    /// Pods on each node that the API server knows, behind Services.
    pub pods_per_node: usize,
}

impl ClusterSpec {
    /// A cluster of these nodes with the controller's default settings and three pods on each node.
    pub fn new(nodes: Vec<NodeSpec>, seed: u64) -> Self {
        Self {
            nodes,
            seed,
            rule: Rule::default(),
            pods_per_node: 3,
        }
    }
}

/// A running cluster. Dropping it leaves its tasks running; [`Cluster::stop`] ends them.
#[derive(Debug)]
pub struct Cluster {
    server: ApiServer,
    controller: Controller,
    nodes: Vec<SimNode>,
    ledger: Ledger,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Cluster {
    /// Registers every node and starts kubelets and controller at `clock`'s pace. Needs a tokio runtime.
    pub fn start(spec: ClusterSpec, clock: &Clock) -> Result<Self, Refusal> {
        let store = Store::new(clock.clone(), spec.seed);
        let server = ApiServer::new(store, clock.clone());
        let ledger = Ledger::default();
        let pods = workload::create(
            server.store(),
            &spec.nodes,
            spec.pods_per_node,
            clock.wall(),
        )?;
        let nodes = spec
            .nodes
            .into_iter()
            .zip(pods)
            .enumerate()
            .map(|(index, (node, pods))| {
                let address = workload::address(100, index);
                SimNode::register(node, &address, &server, clock, &ledger, pods)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let cluster = Self {
            controller: Controller::new(server.clone(), clock.clone(), spec.rule),
            server,
            nodes,
            ledger,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        for node in &cluster.nodes {
            cluster.spawn(node.clone().run());
        }
        cluster.spawn(cluster.controller.clone().run_polls());
        cluster.spawn(cluster.controller.clone().run_followers());
        Ok(cluster)
    }

    /// Runs a part of the cluster until the cluster stops.
    fn spawn<F>(&self, part: F)
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            stopping.run_until_cancelled(part).await;
        });
    }

    /// The API server, with its knobs.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// The controller.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Every node.
    pub fn nodes(&self) -> &[SimNode] {
        &self.nodes
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Option<&SimNode> {
        self.nodes.iter().find(|node| node.spec().name == name)
    }

    /// Every heartbeat that reached the API server.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Every flip so far, oldest first.
    pub fn flips(&self) -> Vec<Flip> {
        self.controller.flips()
    }

    /// Opens a connection to the API server in memory.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        self.server.connect()
    }

    /// Lets the API server listen on a TCP address, with TLS when given a configuration; returns the address bound.
    pub async fn listen(
        &self,
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<SocketAddr> {
        self.server.listen(address, tls).await
    }

    /// Ends everything and waits for it.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.server.stop().await;
    }
}
