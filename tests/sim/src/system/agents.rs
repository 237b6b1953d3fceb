//! The agents of a system: one on each node, each with a spool that outlives it.

use std::path::Path;

use anyhow::Context as _;
use nodegrace_agent::{Aggregators, Config};

use super::{Links, System, part::Part};

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
            config.boot_id = Some(node.boot_id().to_owned());
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
        let clock = self.cluster.node(node).context("no such node")?;
        let clock = clock.machine_clock().clone();
        let (api_server, aggregators) = match &self.links {
            Links::Tcp(links) => (links.api_server()?, links.aggregator()?.into()),
            Links::Memory(links) => {
                let name = std::sync::Arc::new(links.name.clone());
                (links.api_server(), Aggregators::listed_by(name))
            }
        };
        let agent = self.agents.get_mut(node).context("no such node")?;
        anyhow::ensure!(!agent.part.runs(), "the agent of {node} runs");
        let config = agent.config.clone();
        agent.part =
            Part::start(|stop| nodegrace_agent::run(config, api_server, aggregators, clock, stop));
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

    /// What a `DaemonSet` would tell the agent of this node.
    fn agent_config(&self, node: &str) -> anyhow::Result<Config> {
        let mut config = Config::new(node);
        if let Links::Tcp(links) = &self.links {
            config.kubelet = Some(links.kubelet(node)?);
        }
        match self.cluster.machine_paths(node) {
            Some(paths) => {
                config.proc_root = paths.proc_root;
                config.cri_socket = Some(paths.cri_socket);
            }
            // A machine without files: this one's are another's, and reading them for every node takes its time.
            None => config.proc_root = "/nowhere".into(),
        }
        Ok(config)
    }
}
