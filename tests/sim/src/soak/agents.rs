//! All the agents of a soak in one process: real ones, some of which crash and come back every second.

use std::{collections::VecDeque, time::Duration};

use anyhow::Context as _;
use nodegrace_agent::{Config, TlsFiles, kube_client};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::kubelet;
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    args::AgentsRole,
    schedule::{ROLLOUT, ROUNDS},
};

/// Time between a crash and the start of the next run: a container's restart.
const AWAY: Duration = Duration::from_secs(1);

/// The agents, in the order in which they crash.
struct Agents<'a> {
    role: &'a AgentsRole,
    running: JoinSet<anyhow::Result<()>>,
    /// Each with the node it runs on.
    all: Vec<(String, AbortHandle)>,
    /// Those that crashed, and when each starts again.
    away: VecDeque<(Duration, usize)>,
    /// Crashes so far.
    crashes: usize,
    stop: CancellationToken,
}

impl AgentsRole {
    /// Runs them until `stop`.
    ///
    /// # Errors
    /// When one cannot start, or fails.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        kube_client::install_crypto();
        open_many_files()?;
        let clock = Clock::real();
        let mut agents = Agents::roll_out(&self, &clock, stop.clone()).await?;
        let every = Duration::from_secs(1) / self.crashes_per_second;
        let mut next_crash = clock.now() + every;
        while !stop.is_cancelled() {
            let next_start = agents.away.front().map_or(Duration::MAX, |(at, _)| *at);
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = agents.running.join_next() => came_home(ended)?,
                () = clock.sleep_until(next_crash.min(next_start)) => {
                    let now = clock.now();
                    if now >= next_start {
                        agents.start_again()?;
                    } else {
                        next_crash += every;
                        agents.crash(now + AWAY);
                    }
                }
            }
        }
        while let Some(ended) = agents.running.join_next().await {
            came_home(ended)?;
        }
        Ok(())
    }
}

impl<'a> Agents<'a> {
    async fn roll_out(
        role: &'a AgentsRole,
        clock: &Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut nodes = kubelet::fleet(role.agents as usize, role.seed);
        // Not in the order in which they started: what one leaves behind lies between what others hold.
        nodes.shuffle(&mut StdRng::seed_from_u64(role.seed));
        let mut running = JoinSet::new();
        let mut all = Vec::new();
        for node in nodes {
            let handle = running.spawn(role.agent(&node.name, &stop)?);
            all.push((node.name, handle));
            clock.sleep(ROLLOUT / role.agents).await;
        }
        Ok(Self {
            role,
            running,
            all,
            away: VecDeque::new(),
            crashes: 0,
            stop,
        })
    }

    /// Lets the next one crash: of all of them in the warm-up, of the first half after that.
    fn crash(&mut self, back: Duration) {
        let warm_up = ROUNDS as usize * self.all.len();
        let most = if self.crashes < warm_up {
            self.all.len()
        } else {
            self.all.len() / 2
        };
        let turn = self.crashes % most;
        self.crashes += 1;
        // Of very few agents the next one may not be back yet.
        if self.away.iter().all(|(_, away)| *away != turn) {
            self.all[turn].1.abort();
            self.away.push_back((back, turn));
        }
    }

    /// Starts the one that crashed first.
    fn start_again(&mut self) -> anyhow::Result<()> {
        if let Some((_, turn)) = self.away.pop_front() {
            let (node, handle) = &mut self.all[turn];
            *handle = self.running.spawn(self.role.agent(node, &self.stop)?);
        }
        Ok(())
    }
}

impl AgentsRole {
    fn agent(
        &self,
        node: &str,
        stop: &CancellationToken,
    ) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send + use<>> {
        let mut config = Config::new(node);
        config.boot_id = Some(format!("boot of {node}"));
        config.proc_root = "/nowhere".into();
        config.spool_dir = Some(self.spools.join(node));
        config.spool_bytes = self.spool_bytes;
        let api_server = kube::Config::new(format!("http://{}", self.api_server).parse()?);
        let clock = Clock::real();
        let client = kube_client::connect(&api_server, &config.timeouts, &clock)?;
        let url = format!("http://{}", self.aggregator);
        let aggregator = nodegrace_agent::channel(&url, &TlsFiles::default(), &config.timeouts)?;
        // A child: an agent that ends takes only itself.
        let stop = stop.child_token();
        Ok(nodegrace_agent::run(
            config, client, aggregator, clock, stop,
        ))
    }
}

/// An agent ended: one that crashed may, any other is a failure.
fn came_home(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    match ended {
        Err(failure) if failure.is_cancelled() => Ok(()),
        ended => ended.context("an agent")?.context("an agent"),
    }
}

/// Allows this process as many open files as the system lets it: a thousand agents need some thousands.
///
/// # Errors
/// When the system refuses.
pub(crate) fn open_many_files() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("limit of open files")
}
