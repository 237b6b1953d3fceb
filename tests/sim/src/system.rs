//! A whole system: the simulated cluster, one real agent for each of its nodes, and a real aggregator.

mod life;
mod memory;
mod tcp;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use nodegrace_agent::{Aggregators, Config as AgentConfig};
use nodegrace_aggregator::{Aggregator, Config as AggregatorConfig};
use nodegrace_clock::Clock;
use nodegrace_core::ControllerSettings;
use nodegrace_sim_cluster::{Cluster, ClusterSpec, kubelet::SimNode};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// What a system is made of.
#[derive(Clone, Debug)]
pub struct SystemSpec {
    /// The simulated cluster.
    pub cluster: ClusterSpec,
    /// The aggregator.
    pub aggregator: AggregatorConfig,
}

impl SystemSpec {
    /// A cluster with an aggregator that is told the grace and monitor period its controller really has.
    pub fn new(cluster: ClusterSpec) -> Self {
        let mut aggregator = AggregatorConfig::default();
        aggregator.fleet.controller = ControllerSettings::default()
            .with_periods(cluster.rule.grace_period, cluster.rule.monitor_period);
        Self {
            cluster,
            aggregator,
        }
    }
}

/// A running system.
#[derive(Debug)]
pub struct System {
    cluster: Cluster,
    clock: Clock,
    queries: Channel,
    agents: JoinSet<anyhow::Result<()>>,
    stop_agents: CancellationToken,
    aggregator: JoinSet<anyhow::Result<()>>,
    stop_aggregator: CancellationToken,
    /// For a system in memory: its pipes, and what its aggregator is started with.
    pipes: Option<(memory::Links, AggregatorConfig)>,
}

impl System {
    /// Starts a system whose parts talk over TCP on this machine.
    ///
    /// # Errors
    /// When the simulated API server cannot listen or a part refuses its configuration.
    pub async fn over_tcp(
        spec: SystemSpec,
        clock: Clock,
        grpc: TcpListener,
        http: TcpListener,
    ) -> anyhow::Result<Self> {
        let cluster = Cluster::start(spec.cluster, &clock).context("simulated cluster")?;
        let links = tcp::Links::open(&cluster, &grpc).await?;
        let (mut aggregator, stop_aggregator) = (JoinSet::new(), CancellationToken::new());
        aggregator.spawn(nodegrace_aggregator::run(
            spec.aggregator,
            clock.clone(),
            grpc,
            http,
            stop_aggregator.clone(),
        ));
        let mut system = Self {
            cluster,
            clock,
            queries: links.aggregator()?,
            agents: JoinSet::new(),
            stop_agents: CancellationToken::new(),
            aggregator,
            stop_aggregator,
            pipes: None,
        };
        for node in system.cluster.nodes().to_vec() {
            let mut config = system.agent_config(&node);
            config.kubelet = Some(links.kubelet(&node.spec().name)?);
            let connected = (links.api_server()?, links.aggregator()?.into());
            system.start_agent(&node, config, move || connected.clone());
        }
        Ok(system)
    }

    /// Starts a system whose parts talk over pipes in memory, so that it also runs in virtual time.
    ///
    /// # Errors
    /// When a part refuses its configuration.
    pub fn in_memory(spec: SystemSpec, clock: Clock) -> anyhow::Result<Self> {
        let cluster = Cluster::start(spec.cluster, &clock).context("simulated cluster")?;
        let links = memory::Links::new(&cluster);
        let mut system = Self {
            cluster,
            clock,
            queries: links.aggregator(),
            agents: JoinSet::new(),
            stop_agents: CancellationToken::new(),
            aggregator: JoinSet::new(),
            stop_aggregator: CancellationToken::new(),
            pipes: Some((links.clone(), spec.aggregator)),
        };
        system.start_aggregator()?;
        let kubelets = system.kubelets()?;
        for node in system.cluster.nodes().to_vec() {
            let mut config = system.agent_config(&node);
            config.kubelet = kubelets
                .map(|address| tcp::kubelet(address, &node.spec().name))
                .transpose()?;
            let (links, at) = (links.clone(), node.clone());
            system.start_agent(&node, config, move || {
                (links.api_server(&at), links.aggregator_from(&at).into())
            });
        }
        Ok(system)
    }

    /// Serves the kubelets of a system in memory over TCP, where their machines have files, and sockets in any case.
    fn kubelets(&self) -> anyhow::Result<Option<SocketAddr>> {
        let has_machines = |node: &SimNode| self.cluster.machine_paths(&node.spec().name).is_some();
        if !self.cluster.nodes().iter().any(has_machines) {
            return Ok(None);
        }
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(Some(self.cluster.serve_kubelets(listener, None)?))
    }

    /// Kills the aggregator of a system in memory, as a crash would, with all it holds in memory.
    pub async fn crash_aggregator(&mut self) {
        if let Some((links, _)) = &self.pipes {
            links.break_aggregator();
        }
        self.aggregator.shutdown().await;
    }

    /// Starts the aggregator of a system in memory, again after a crash.
    ///
    /// # Errors
    /// When it refuses its configuration, or for a system over TCP, whose ports went with the first aggregator.
    pub fn start_aggregator(&mut self) -> anyhow::Result<()> {
        let (links, config) = self.pipes.as_ref().context("the system is not in memory")?;
        let aggregator = Aggregator::new(config.clone(), self.clock.clone())?;
        let (incoming, stop) = (links.listen(), self.stop_aggregator.clone());
        self.aggregator
            .spawn(async move { aggregator.serve_grpc(incoming, stop).await });
        Ok(())
    }

    /// What a `DaemonSet` would tell the agent of this node.
    fn agent_config(&self, node: &SimNode) -> AgentConfig {
        let name = &node.spec().name;
        let mut config = AgentConfig::new(name);
        match self.cluster.machine_paths(name) {
            Some(paths) => {
                config.proc_root = paths.proc_root;
                config.sys_root = paths.sys_root;
                config.cri_socket = Some(paths.cri_socket);
            }
            // A machine without files: this one's are another's, and reading them for every node takes its time.
            None => config.proc_root = "/nowhere".into(),
        }
        config
    }

    fn start_agent(
        &mut self,
        node: &SimNode,
        config: AgentConfig,
        connect: impl Fn() -> (kube::Client, Aggregators) + Send + 'static,
    ) {
        self.agents.spawn(life::live(
            node.clone(),
            config,
            connect,
            self.clock.clone(),
            self.stop_agents.clone(),
        ));
    }

    /// The simulated cluster, with its knobs and its truth.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The clock everything runs by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A connection to the aggregator.
    pub fn queries(&self) -> Channel {
        self.queries.clone()
    }

    /// Waits for the first part that ends by itself: none should.
    ///
    /// # Errors
    /// Says which part ended, and why.
    pub async fn failure(&mut self) -> anyhow::Result<()> {
        let (part, ended) = tokio::select! {
            Some(ended) = self.agents.join_next() => ("an agent", ended),
            Some(ended) = self.aggregator.join_next() => ("the aggregator", ended),
        };
        ended.context(part)?.context(part)?;
        anyhow::bail!("{part} ended by itself")
    }

    /// Stops the agents, then the aggregator, then the cluster, each of them drained.
    ///
    /// # Errors
    /// The first failure among the parts.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop_agents.cancel();
        let mut outcome = Ok(());
        while let Some(ended) = self.agents.join_next().await {
            outcome = outcome.and(ended.context("an agent").flatten());
        }
        self.stop_aggregator.cancel();
        while let Some(ended) = self.aggregator.join_next().await {
            outcome = outcome.and(ended.context("the aggregator").flatten());
        }
        self.cluster.stop().await;
        outcome
    }
}
