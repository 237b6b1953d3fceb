//! The whole simulated cluster: an API server, its nodes and its controller, started and stopped together.

use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use tokio::{io::DuplexStream, net::TcpListener};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{ApiServer, Store},
    controller::{Controller, Flip, Rule},
    cri::CriRuntime,
    kubelet::{Guard, KubeletEndpoint, Ledger, NodeSpec, SimNode},
    surroundings::{MachinePaths, Pace, Surroundings},
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
    /// Directory for the machines' files and runtime sockets, a folder per node; none: no files and no sockets. A folder in memory
    /// (`/dev/shm`) spares the disk; its path must be short, for a unix socket's path ends at 107 bytes.
    pub machines: Option<PathBuf>,
    /// How often the machines' files, runtimes and metrics follow their nodes' trouble.
    pub machine_pace: Pace,
}

impl ClusterSpec {
    /// A cluster of these nodes with the controller's default settings and three pods on each node.
    pub fn new(nodes: Vec<NodeSpec>, seed: u64) -> Self {
        Self {
            nodes,
            seed,
            rule: Rule::default(),
            pods_per_node: 3,
            machines: None,
            machine_pace: Pace::default(),
        }
    }
}

/// A running cluster. Dropping it ends its nodes and its controller; [`Cluster::stop`] also waits for them and stops the server.
#[derive(Debug)]
pub struct Cluster {
    server: ApiServer,
    controller: Controller,
    nodes: Vec<SimNode>,
    ledger: Ledger,
    machines: Option<PathBuf>,
    runtimes: BTreeMap<String, CriRuntime>,
    clock: Clock,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Cluster {
    /// Registers every node and starts kubelets and controller at `clock`'s pace. Needs a tokio runtime.
    pub fn start(spec: ClusterSpec, clock: &Clock) -> anyhow::Result<Self> {
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
        let mut cluster = Self {
            controller: Controller::new(server.clone(), clock.clone(), spec.rule),
            server,
            nodes,
            ledger,
            machines: spec.machines,
            runtimes: BTreeMap::new(),
            clock: clock.clone(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        for node in cluster.nodes.clone() {
            cluster.start_machine(&node, spec.machine_pace)?;
            cluster.spawn(node.run());
        }
        cluster.spawn(cluster.controller.clone().run_polls());
        cluster.spawn(cluster.controller.clone().run_followers());
        Ok(cluster)
    }

    /// Starts what surrounds a node's kubelet on its machine.
    fn start_machine(&mut self, node: &SimNode, pace: Pace) -> anyhow::Result<()> {
        let name = node.spec().name.clone();
        let paths = self.machine_paths(&name);
        let surroundings = Surroundings::new(node.clone(), self.clock.clone(), pace, paths.clone())
            .with_context(|| format!("could not write the host files of {name}"))?;
        let runtime = surroundings.runtime();
        if let Some(paths) = paths {
            let (runtime, stopping) = (runtime.clone(), self.stopping.clone());
            let listener = CriRuntime::bind(&paths.cri_socket)
                .with_context(|| format!("could not bind {}", paths.cri_socket.display()))?;
            self.spawn(async move {
                if let Err(error) = runtime.serve(listener, stopping.cancelled_owned()).await {
                    tracing::error!(%error, "runtime ended");
                }
            });
        }
        self.runtimes.insert(name.clone(), runtime);
        self.spawn(async move {
            if let Err(error) = surroundings.run().await {
                tracing::error!(%error, node = %name, "host files could not be written");
            }
        });
        Ok(())
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

    /// A node's container runtime, with its knobs.
    pub fn runtime(&self, node: &str) -> Option<&CriRuntime> {
        self.runtimes.get(node)
    }

    /// Where a node's machine is on this one; none without a directory for machines.
    pub fn machine_paths(&self, node: &str) -> Option<MachinePaths> {
        Some(MachinePaths::under(self.machines.as_deref()?, node))
    }

    /// Serves every kubelet's `/NODE/metrics`, `/NODE/configz` and `/NODE/healthz` on a TCP address, with TLS when given a configuration;
    /// returns the address bound.
    pub async fn listen_kubelets(
        &self,
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        self.serve_kubelets(listener, tls)
    }

    /// Serves every kubelet as [`Cluster::listen_kubelets`] does, on a listener that is there already.
    pub fn serve_kubelets(
        &self,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        let endpoint = KubeletEndpoint::new(self.clock.clone(), &self.nodes);
        self.spawn(endpoint.run(listener, tls));
        Ok(address)
    }

    /// Serves one node's kubelet as it is on its node, `/metrics` and the like, to those whom its guard lets.
    ///
    /// # Errors
    /// When there is no such node, or the address cannot be had.
    pub async fn listen_kubelet(
        &self,
        node: &str,
        address: SocketAddr,
        tls: Arc<rustls::ServerConfig>,
        guard: Guard,
    ) -> io::Result<SocketAddr> {
        let node = self.node(node).ok_or(io::ErrorKind::NotFound)?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let endpoint = KubeletEndpoint::of(self.clock.clone(), node, guard);
        self.spawn(endpoint.run(listener, Some(tls)));
        Ok(address)
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

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}
