//! The running system of a chaos run: the simulated cluster here, everything else in processes that faults strike.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nodegrace_clock::{Anchor, Clock};
use nodegrace_sim_cluster::{Cluster, ClusterSpec};
use tokio::net::TcpListener;

use super::{
    Args,
    disk::Disk,
    fleet::{self, Member},
    kept::Kept,
    part::Part,
    plan::Fault,
    process::Program,
    truth::Truth,
    way::Way,
    witness::Forgot,
};

/// Room of an agent's disk: its spool and the largest piece that it writes at once.
const AGENT_DISK: u64 = 8 << 20;
/// Room of the aggregator's disk: the history of a long run.
const AGGREGATOR_DISK: u64 = 256 << 20;
/// How long a part may take to stop when asked to: what it promises is 5 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// The system.
#[derive(Debug)]
pub(super) struct World {
    /// The clock that everything runs by.
    pub(super) clock: Clock,
    /// What kubelets posted and what the server was asked.
    pub(super) truth: Truth,
    /// What the API server forgot.
    pub(super) forgot: Vec<Forgot>,
    /// The nodes, and their agents beside them.
    pub(super) members: Vec<Member>,
    /// The agents.
    pub(super) agents: Vec<Part>,
    /// The aggregator.
    pub(super) aggregator: Part,
    /// From the agents to the API server.
    pub(super) to_api_server: Way,
    /// From the agents to the aggregator.
    pub(super) to_aggregator: Way,
    /// Faults that began, by kind.
    pub(super) struck: BTreeMap<&'static str, u64>,
    cluster: Cluster,
    aggregator_address: SocketAddr,
}

impl World {
    /// Starts everything under `root`.
    ///
    /// # Errors
    /// When a part cannot be started.
    pub(super) async fn start(args: &Args, root: &Path) -> anyhow::Result<Self> {
        let anchor = Anchor::now(args.speed, Clock::real().wall());
        let clock = Clock::anchored(anchor);
        let members = fleet::fleet(args.seed);
        let specs = members.iter().map(|member| member.spec.clone()).collect();
        let cluster = Cluster::start(ClusterSpec::new(specs, args.seed), &clock)?;
        for (member, node) in members.iter().zip(cluster.nodes()) {
            node.machine_clock().step_wall(member.ahead);
        }
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let api_server = cluster.listen(loopback, None).await?;
        let [entrance, way, aggregator_address] = free_addresses().await?;
        let logs = root.join("logs");
        std::fs::create_dir_all(&logs)?;
        let to_api_server = Way::new("to-api-server", entrance, api_server, &logs);
        let to_aggregator = Way::new("to-aggregator", way, aggregator_address, &logs);

        let at_most = |bytes: u64| (!args.no_disk_full).then_some(bytes);
        let disk = Disk::new(root.join("aggregator"), at_most(AGGREGATOR_DISK))?;
        let flags = [
            ("--listen", aggregator_address.to_string()),
            ("--data-dir", text(disk.path())?),
            ("--clock", anchor.to_string()),
        ];
        let mut served = program("aggregator", &flags, &logs);
        served.arguments.push("--keep-heartbeats".into());
        let aggregator = Part::new("aggregator", served, disk, args.speed);
        let mut agents = Vec::new();
        for (member, node) in members.iter().zip(cluster.nodes()) {
            let name = &member.spec.name;
            let disk = Disk::new(root.join(name), at_most(AGENT_DISK))?;
            let flags = [
                ("--node", name.clone()),
                ("--boot-id", node.boot_id()),
                ("--api-server", entrance.to_string()),
                ("--aggregator", way.to_string()),
                ("--spool-dir", text(&disk.path().join("spool"))?),
                ("--spool-bytes", member.spool_bytes.to_string()),
                ("--clock", anchor.to_string()),
                ("--ahead", member.ahead.to_string()),
            ];
            let mut program = program("agent", &flags, &logs);
            program.log = logs.join(format!("{name}.log"));
            agents.push(Part::new(name, program, disk, args.speed));
        }
        let mut world = Self {
            clock,
            truth: Truth::default(),
            forgot: Vec::new(),
            members,
            agents,
            aggregator,
            to_api_server,
            to_aggregator,
            struck: BTreeMap::new(),
            cluster,
            aggregator_address,
        };
        world.heal()?;
        Ok(world)
    }

    /// Lets a fault begin.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        let clock = self.clock.clone();
        *self.struck.entry(fault.label()).or_default() += 1;
        match fault {
            Fault::KillAgent(agent) => self.agents[agent].kill(&clock).await,
            Fault::KillAggregator => self.aggregator.kill(&clock).await,
            Fault::KillApiServer => {
                self.to_api_server.cut(&clock).await?;
                self.cluster.server().stop().await;
                Ok(())
            }
            Fault::CutApiServer => self.to_api_server.cut(&clock).await,
            Fault::SilenceApiServer => self.to_api_server.silence(&clock),
            Fault::CutAggregator => self.to_aggregator.cut(&clock).await,
            Fault::SilenceAggregator => self.to_aggregator.silence(&clock),
            Fault::FillAgent(agent) => self.agents[agent].fill(&clock),
            Fault::FillAggregator => self.aggregator.fill(&clock),
        }
    }

    /// Lets a fault end.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn mend(&mut self, fault: Fault) -> anyhow::Result<()> {
        let clock = self.clock.clone();
        match fault {
            Fault::KillAgent(agent) => self.agents[agent].run(&clock),
            Fault::KillAggregator => self.aggregator.run(&clock),
            Fault::KillApiServer => {
                self.start_api_server().await?;
                self.to_api_server.open(&clock)
            }
            Fault::CutApiServer => self.to_api_server.open(&clock),
            Fault::SilenceApiServer => {
                self.to_api_server.cut(&clock).await?;
                self.to_api_server.open(&clock)
            }
            Fault::CutAggregator => self.to_aggregator.open(&clock),
            Fault::SilenceAggregator => {
                self.to_aggregator.cut(&clock).await?;
                self.to_aggregator.open(&clock)
            }
            Fault::FillAgent(agent) => self.agents[agent].free(&clock),
            Fault::FillAggregator => self.aggregator.free(&clock),
        }
    }

    /// Brings up everything that is down.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn heal(&mut self) -> anyhow::Result<()> {
        let clock = self.clock.clone();
        self.aggregator.run(&clock)?;
        self.to_api_server.open(&clock)?;
        self.to_aggregator.open(&clock)?;
        for agent in &mut self.agents {
            agent.run(&clock)?;
        }
        Ok(())
    }

    /// Looks after the processes and collects what happened.
    ///
    /// # Errors
    /// When a part ended by itself, but for one that could not start on a full disk: that one is started again.
    pub(super) fn look_after(&mut self) -> anyhow::Result<()> {
        self.truth.collect(&self.cluster)?;
        let clock = self.clock.clone();
        self.aggregator.look_after(&clock)?;
        for agent in &mut self.agents {
            agent.look_after(&clock)?;
        }
        if self.to_api_server.failed()? || self.to_aggregator.failed()? {
            bail!("a relay ended by itself");
        }
        Ok(())
    }

    /// Stops the API server, so that nothing more is posted, and the agents, which deliver what they have.
    ///
    /// # Errors
    /// When an agent does not end as it should.
    pub(super) async fn stop_agents(&mut self) -> anyhow::Result<()> {
        self.to_api_server.cut(&self.clock).await?;
        self.cluster.server().stop().await;
        self.truth.collect(&self.cluster)?;
        for agent in &mut self.agents {
            agent.stop(&self.clock, PATIENCE).await?;
        }
        Ok(())
    }

    /// Stops what is left.
    pub(super) async fn stop(self) {
        self.cluster.stop().await;
    }

    /// Whether as many heartbeats of every node are counted as are rows.
    pub(super) fn agrees(&self, kept: &BTreeMap<String, Kept>) -> bool {
        let mut nodes = self.members.iter().map(|member| &member.spec.name);
        nodes.all(|node| kept.get(node).is_some_and(Kept::agrees))
    }

    /// Where the aggregator answers.
    pub(super) const fn aggregator_address(&self) -> SocketAddr {
        self.aggregator_address
    }

    async fn start_api_server(&mut self) -> anyhow::Result<()> {
        let server = self.cluster.server();
        server.start().await.context("API server")?;
        self.forgot.push(Forgot {
            at: self.clock.now(),
            revision: server.store().revision(),
        });
        Ok(())
    }
}

/// A program with these flags that logs under its role's name.
fn program(role: &str, flags: &[(&str, String)], logs: &Path) -> Program {
    let flags = flags.iter().flat_map(|(name, value)| [*name, value]);
    let arguments = std::iter::once(role).chain(flags);
    Program::new(arguments, logs.join(format!("{role}.log")))
}

/// Addresses on this machine where nobody listens now.
async fn free_addresses() -> anyhow::Result<[SocketAddr; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All at once, so that they differ.
    let (one, two, three) = tokio::try_join!(bind(), bind(), bind())?;
    Ok([one.local_addr()?, two.local_addr()?, three.local_addr()?])
}

fn text(path: &Path) -> anyhow::Result<String> {
    let path: PathBuf = path.into();
    path.into_os_string()
        .into_string()
        .map_err(|path| anyhow::anyhow!("{} is no text", path.display()))
}
