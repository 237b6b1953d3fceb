//! All the agents of a soak in one process: real ones, one of which crashes and comes back every few seconds.

use std::time::Duration;

use anyhow::Context as _;
use nodegrace_agent::{Config, TlsFiles, kube_client};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::kubelet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::args::AgentsRole;

/// Time over which the agents start, as those of a cluster that is rolled out.
const ROLLOUT: Duration = Duration::from_secs(10);
/// Time between a crash and the start of the next run: a container's restart.
const AWAY: Duration = Duration::from_secs(1);

/// From one agent that crashes to the next: not in the order of their names.
const STRIDE: usize = 37;

impl AgentsRole {
    /// Runs them until `stop`.
    ///
    /// # Errors
    /// When one cannot start, or fails.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        kube_client::install_crypto();
        open_many_files()?;
        let clock = Clock::real();
        let mut running = JoinSet::new();
        let mut agents = Vec::new();
        for spec in kubelet::fleet(self.agents as usize, self.seed) {
            let handle = self.start(&mut running, &spec.name, &stop)?;
            agents.push((spec.name, handle));
            clock.sleep(ROLLOUT / self.agents).await;
        }
        let every = Duration::from_secs(self.crash_every);
        let mut next = clock.now() + every;
        let mut turn = 0;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = running.join_next() => match ended {
                    Err(failure) if failure.is_cancelled() => {}
                    ended => ended.context("an agent")?.context("an agent")?,
                },
                () = clock.sleep_until(next) => {
                    next += every;
                    agents[turn].1.abort();
                    clock.sleep(AWAY).await;
                    agents[turn].1 = self.start(&mut running, &agents[turn].0, &stop)?;
                    turn = (turn + STRIDE) % agents.len();
                }
            }
        }
        while running.join_next().await.is_some() {}
        Ok(())
    }

    fn start(
        &self,
        running: &mut JoinSet<anyhow::Result<()>>,
        node: &str,
        stop: &CancellationToken,
    ) -> anyhow::Result<AbortHandle> {
        let mut config = Config::new(node);
        config.boot_id = Some(format!("boot of {node}"));
        config.proc_root = "/nowhere".into();
        config.spool_dir = Some(self.spools.join(node));
        config.spool_bytes = self.spool_bytes;
        let api_server = kube::Config::new(format!("http://{}", self.api_server).parse()?);
        let client = kube_client::connect(&api_server, &config.timeouts)?;
        let url = format!("http://{}", self.aggregator);
        let aggregator = nodegrace_agent::channel(&url, &TlsFiles::default(), &config.timeouts)?;
        // A child: an agent that ends takes only itself.
        let agent = nodegrace_agent::run(
            config,
            client,
            aggregator,
            Clock::real(),
            stop.child_token(),
        );
        Ok(running.spawn(agent))
    }
}

/// Allows this process as many open files as the system lets it: a thousand agents need some thousands.
///
/// # Errors
/// When the system refuses.
pub(super) fn open_many_files() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("limit of open files")
}
