//! The aggregator's process, or the sink in its place, and the processes that load it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nodegrace_clock::Clock;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::{
    footprint::{Memory, Processor},
    process::{Launch, Running},
    programs::Programs,
};
use crate::malloc::LARGE_APART;

/// The core of what is measured, and that of what loads it.
pub(super) const MEASURED: usize = 0;
pub(super) const LOADING: usize = 1;
/// How long a process may take until it serves.
const START: Duration = Duration::from_secs(20);

/// A server under measurement.
pub(super) struct Server {
    process: Running,
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    /// What it took with nobody connected.
    pub(super) empty: Memory,
    processor: Processor,
    /// The authority of its certificate. Absent: it has no TLS.
    authority: Option<PathBuf>,
}

/// How an aggregator is to run.
#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    /// Directory of its history. Absent: in memory only.
    pub(super) history: Option<PathBuf>,
    pub(super) tls: bool,
    /// More flags.
    pub(super) flags: Vec<String>,
}

impl Server {
    /// The real aggregator, on a core of its own; its files are in `place`.
    ///
    /// # Errors
    /// When it cannot start.
    pub(super) async fn aggregator(
        programs: &Programs,
        setup: Setup,
        place: &Path,
    ) -> anyhow::Result<Self> {
        let (grpc, http) = (free_port().await?, free_port().await?);
        let mut arguments = vec![
            format!("--listen={grpc}"),
            format!("--http={http}"),
            // Heartbeats that are held up are to be late, as on a cluster of before 1.32.
            "--grace-period=40s".to_owned(),
            "--log=warn".to_owned(),
        ];
        arguments.extend(setup.flags);
        if let Some(history) = &setup.history {
            arguments.push(format!("--data-dir={}", history.display()));
        }
        let authority = if setup.tls {
            let files = ["tls.crt", "tls.key"].map(|name| place.join(name));
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
            std::fs::write(&files[0], made.cert.pem())?;
            std::fs::write(&files[1], made.signing_key.serialize_pem())?;
            arguments.push(format!("--tls-cert={}", files[0].display()));
            arguments.push(format!("--tls-key={}", files[1].display()));
            arguments.push("--agent-auth=none".to_owned());
            arguments.push("--query-auth=none".to_owned());
            let [authority, _] = files;
            Some(authority)
        } else {
            None
        };
        let launch = Launch::new(
            programs.aggregator(),
            arguments,
            place.join("aggregator.log"),
        );
        Self::start(&launch, grpc, http, authority).await
    }

    /// A bare server that only counts, on the same core.
    ///
    /// # Errors
    /// When it cannot start.
    pub(super) async fn sink(place: &Path) -> anyhow::Result<Self> {
        let grpc = free_port().await?;
        let arguments = ["sink".to_owned(), format!("--listen={grpc}")];
        let launch = Launch::role(arguments, place.join("sink.log"))?;
        Self::start(&launch, grpc, grpc, None).await
    }

    async fn start(
        launch: &Launch,
        grpc: SocketAddr,
        http: SocketAddr,
        authority: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let mut process = launch.clone().with(LARGE_APART).on_core(MEASURED).start()?;
        let clock = Clock::real();
        let give_up = clock.now() + START;
        while TcpStream::connect(grpc).await.is_err() {
            if process.ended()?.is_some() || clock.now() > give_up {
                bail!("a server does not start: {}", process.last_word());
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
        clock.sleep(Duration::from_secs(1)).await;
        let id = process.id()?;
        Ok(Self {
            process,
            grpc,
            http,
            empty: Memory::of(id)?,
            processor: Processor::of(id),
            authority,
        })
    }

    /// Its memory now.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        Ok(Memory::of(self.process.id()?)?)
    }

    /// Processor time it used so far.
    pub(super) fn used(&mut self) -> anyhow::Result<Duration> {
        Ok(self.processor.used()?)
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }

    /// Starts what loads it, and returns once all its agents are connected.
    ///
    /// # Errors
    /// When an agent cannot connect.
    pub(super) async fn load(
        &self,
        agents: u32,
        flags: &[String],
        place: &Path,
    ) -> anyhow::Result<Load> {
        let mut arguments = vec![
            "load".to_owned(),
            format!("--target={}", self.grpc),
            format!("--agents={agents}"),
        ];
        if let Some(authority) = &self.authority {
            arguments.push(format!("--authority={}", authority.display()));
        }
        arguments.extend_from_slice(flags);
        let launch = Launch::role(arguments, place.join("load.log"))?.on_core(LOADING);
        let mut process = launch.start()?;
        let hello = process.hear().await?;
        let sample_bytes = hello["sample_bytes"].as_u64().context("a size")?;
        let processor = Processor::of(process.id()?);
        Ok(Load {
            process,
            sample_bytes,
            processor,
        })
    }
}

/// The process with the agents.
pub(super) struct Load {
    process: Running,
    /// Size of a sample on the wire.
    pub(super) sample_bytes: u64,
    processor: Processor,
}

/// What happened while a server was watched.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// How long it was.
    pub(super) lasted: Duration,
    /// Processors the server used.
    pub(super) cores: f64,
    /// Processors the load used: where it is one, the load is the bound.
    pub(super) load_cores: f64,
    /// The server's memory at its end.
    pub(super) memory: Memory,
    said: Value,
}

impl Load {
    /// Watches `server` for a while.
    ///
    /// # Errors
    /// When one of the two ends.
    pub(super) async fn watch(
        &mut self,
        server: &mut Server,
        length: Duration,
    ) -> anyhow::Result<Window> {
        let clock = Clock::real();
        self.process.ask("mark").await?;
        let (start, used, loaded) = (clock.now(), server.used()?, self.processor.used()?);
        while clock.now() < start + length {
            let left = (start + length).saturating_sub(clock.now());
            clock.sleep(left.min(Duration::from_secs(1))).await;
            // Threads that come and go are seen meanwhile.
            server.used()?;
            if let Some(status) = self.process.ended()? {
                bail!("the load ended with {status}: {}", self.process.last_word());
            }
        }
        let lasted = clock.now() - start;
        let share = |used: Duration| used.as_secs_f64() / lasted.as_secs_f64();
        Ok(Window {
            cores: share(server.used()?.saturating_sub(used)),
            load_cores: share(self.processor.used()?.saturating_sub(loaded)),
            memory: server.memory()?,
            said: self.process.ask("mark").await?,
            lasted,
        })
    }

    /// Every gap that was made: node number, beginning and length in seconds.
    ///
    /// # Errors
    /// When it ended.
    pub(super) async fn gaps(&mut self) -> anyhow::Result<Vec<(u32, f64, f64)>> {
        Ok(serde_json::from_value(self.process.ask("gaps").await?)?)
    }
}

impl Window {
    /// Batches acknowledged in a second.
    pub(super) fn batches_per_second(&self) -> f64 {
        self.count("batches") / self.lasted.as_secs_f64()
    }

    /// Bytes of batches in a second.
    pub(super) fn bytes_per_second(&self) -> f64 {
        self.count("bytes") / self.lasted.as_secs_f64()
    }

    fn count(&self, of: &str) -> f64 {
        self.said[of].as_f64().unwrap_or(0.0)
    }

    /// A quantile of what was timed, in milliseconds; NaN: nothing was.
    pub(super) fn millis(&self, of: &str, quantile: &str) -> f64 {
        self.said[of][quantile]
            .as_f64()
            .map_or(f64::NAN, |micros| micros / 1e3)
    }

    /// How many were timed.
    pub(super) fn timed(&self, of: &str) -> u64 {
        self.said[of]["count"].as_u64().unwrap_or(0)
    }
}

/// A port that nobody listens on just now.
pub(super) async fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
