//! The agents of a system: one on each node, each with a spool that outlives it.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use nodegrace_agent::{Aggregators, Config};
use nodegrace_sim_cluster::kubelet::SimNode;

use super::{Links, System, life, own_node, part::Part};

/// Opens an agent's connections to the API server and to the aggregators.
type Connect = dyn Fn() -> (kube::Client, Aggregators) + Send;

/// A node's agent.
#[derive(Debug)]
pub(super) struct Agent {
    config: Config,
    pub(super) part: Part,
}

impl System {
    /// Starts an agent on every node.
    pub(super) fn start_agents(&mut self, spools: Option<&Path>) -> anyhow::Result<()> {
        for node in self.cluster.nodes().to_vec() {
            let name = &node.spec().name;
            let mut config = self.agent_config(name)?;
            config.spool_dir = spools.map(|spools| spools.join(name));
            let part = Part::default();
            self.agents.insert(name.clone(), Agent { config, part });
            self.start_agent(name)?;
        }
        Ok(())
    }

    /// Starts the agent of a node again, over the spool that the one before left.
    ///
    /// # Errors
    /// When there is no such node, or its agent runs.
    pub fn start_agent(&mut self, node: &str) -> anyhow::Result<()> {
        let machine = self.cluster.node(node).context("no such node")?.clone();
        let connect = self.connections_of(&machine)?;
        let agent = self.agents.get_mut(node).context("no such node")?;
        anyhow::ensure!(!agent.part.runs(), "the agent of {node} runs");
        let (config, clock) = (agent.config.clone(), self.clock.clone());
        agent.part = Part::start(|stop| life::live(machine, config, connect, clock, stop));
        Ok(())
    }

    /// Kills the agent of a node, as a crash would.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn crash_agent(&mut self, node: &str) -> anyhow::Result<()> {
        let agent = self.agents.get_mut(node).context("no such node")?;
        agent.part.crash().await;
        self.settle().await;
        Ok(())
    }

    /// Stops the agent of a node, drained.
    ///
    /// # Errors
    /// When there is no such node, or the agent failed.
    pub async fn stop_agent(&mut self, node: &str) -> anyhow::Result<()> {
        let agent = self.agents.get_mut(node).context("no such node")?;
        agent.part.stop().await
    }

    /// What opens the connections of a node's agent to the API server and to the aggregators.
    fn connections_of(&self, node: &SimNode) -> anyhow::Result<Box<Connect>> {
        Ok(match &self.links {
            Links::Tcp(links) => {
                let connected = (links.api_server()?, Aggregators::from(links.aggregator()?));
                Box::new(move || connected.clone())
            }
            Links::Memory(links) => {
                let (links, node) = (links.clone(), node.clone());
                let token = self.own_node.then(|| own_node::token(&node.spec().name));
                Box::new(move || {
                    let name = Arc::new(links.name.seen_from(&node));
                    let api_server = links.api_server(&node, token.as_deref());
                    (api_server, Aggregators::listed_by(name))
                })
            }
        })
    }

    /// What a `DaemonSet` would tell the agent of this node.
    fn agent_config(&self, node: &str) -> anyhow::Result<Config> {
        let mut config = Config::new(node);
        config.impersonate_own_node = self.own_node;
        config.kubelet = match &self.links {
            Links::Tcp(links) => Some(links.kubelet(node)?),
            Links::Memory(links) => links.kubelet(node)?,
        };
        match self.cluster.machine_paths(node) {
            Some(paths) => {
                config.proc_root = paths.proc_root;
                config.sys_root = paths.sys_root;
                let sees_host = |node: &SimNode| node.spec().agent_sees_host;
                config.cri_socket = self
                    .cluster
                    .node(node)
                    .is_some_and(sees_host)
                    .then_some(paths.cri_socket);
            }
            // A machine without files: this one's are another's, and reading them for every node takes its time.
            None => config.proc_root = "/nowhere".into(),
        }
        Ok(config)
    }
}
