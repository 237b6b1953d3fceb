//! A whole system: the simulated cluster, one real agent for each of its nodes, and real aggregators.

mod agents;
mod life;
mod memory;
pub mod own_node;
mod part;
mod replicas;
mod spec;
mod tcp;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use futures::{FutureExt as _, future::select_all};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::Cluster;
use tokio::net::TcpListener;
use tonic::transport::Channel;

pub use self::spec::SystemSpec;
use self::{agents::Agent, replicas::Replica};

/// A running system. In memory, its aggregators and agents can be killed and started again, each by itself.
#[derive(Debug)]
pub struct System {
    cluster: Cluster,
    clock: Clock,
    links: Links,
    /// Whether aggregators watch the cluster.
    watch_cluster: bool,
    /// Whether agents read the API server as their own nodes.
    own_node: bool,
    /// By the names of their nodes.
    agents: BTreeMap<String, Agent>,
    replicas: Vec<Replica>,
}

/// How its parts reach each other.
#[derive(Debug)]
enum Links {
    Tcp(tcp::Links),
    Memory(memory::Links),
}

impl System {
    /// Starts a system whose parts talk over TCP on this machine. It has one aggregator, the first of `spec`.
    ///
    /// # Errors
    /// When the simulated API server cannot listen or a part refuses its configuration.
    pub async fn over_tcp(
        spec: SystemSpec,
        clock: Clock,
        grpc: TcpListener,
        http: TcpListener,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !spec.own_node,
            "agents have no tokens of their own over TCP"
        );
        let cluster = Cluster::start(spec.cluster, &clock).context("simulated cluster")?;
        let links = Links::Tcp(tcp::Links::open(&cluster, &grpc).await?);
        let config = spec.aggregators.into_iter().next();
        let config = config.context("a system has an aggregator")?;
        let mut system = Self::of(cluster, clock, links, spec.watch_cluster);
        system.serve_over_tcp(config, grpc, http)?;
        system.start_agents(spec.spools.as_deref())?;
        Ok(system)
    }

    /// Starts a system whose parts talk over pipes in memory, so that it also runs in virtual time.
    ///
    /// # Errors
    /// When a part refuses its configuration.
    pub fn in_memory(spec: SystemSpec, clock: Clock) -> anyhow::Result<Self> {
        let cluster = Cluster::start(spec.cluster, &clock).context("simulated cluster")?;
        let links = Links::Memory(memory::Links::new(&cluster)?);
        let mut system = Self::of(cluster, clock, links, spec.watch_cluster);
        system.own_node = spec.own_node;
        if spec.own_node {
            let access = own_node::access(&system.cluster);
            system.cluster.server().set_access(access);
        }
        for config in spec.aggregators {
            system.add_aggregator(config)?;
        }
        system.start_agents(spec.spools.as_deref())?;
        Ok(system)
    }

    const fn of(cluster: Cluster, clock: Clock, links: Links, watch_cluster: bool) -> Self {
        Self {
            cluster,
            clock,
            links,
            watch_cluster,
            own_node: false,
            agents: BTreeMap::new(),
            replicas: Vec::new(),
        }
    }

    /// The simulated cluster, with its knobs and its truth.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The clock everything runs by.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A connection to the first aggregator.
    pub fn queries(&self) -> Channel {
        self.queries_to(0)
    }

    /// Waits for the first part that ends by itself: none should.
    ///
    /// # Errors
    /// Says which part ended, and why.
    pub async fn failure(&mut self) -> anyhow::Result<()> {
        let agents = self.agents.values_mut();
        let agents = agents.map(|agent| ("an agent", &mut agent.part));
        let replicas = self.replicas.iter_mut();
        let replicas = replicas.map(|replica| ("an aggregator", &mut replica.part));
        let ends = agents
            .chain(replicas)
            .map(|(what, part)| async move { (what, part.ended().await) }.boxed());
        let ((part, ended), ..) = select_all(ends).await;
        ended.context(part)?.context(part)?;
        anyhow::bail!("{part} ended by itself")
    }

    /// Stops the agents, all at the same time, then the aggregators, then the cluster, each of them drained.
    ///
    /// # Errors
    /// The first failure among the parts.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for agent in self.agents.values() {
            agent.part.tell_to_stop();
        }
        for agent in self.agents.values_mut() {
            outcome = outcome.and(agent.part.stop().await.context("an agent"));
        }
        for replica in &mut self.replicas {
            outcome = outcome.and(replica.part.stop().await.context("an aggregator"));
        }
        self.cluster.stop().await;
        outcome
    }

    /// Lets the tasks of a killed part have their last turn, and whatever it had the disk do come to its end.
    async fn settle(&self) {
        self.clock.sleep(Duration::from_millis(1)).await;
    }
}
