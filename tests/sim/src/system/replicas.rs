//! The aggregators of a system: replicas behind one name, each on a machine of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use nodegrace_aggregator::{Aggregator, ApiServer, Config};
use nodegrace_clock::Clock;
use tokio::net::TcpListener;
use tonic::transport::Channel;

use super::{Links, System, memory, part::Part};

/// An aggregator.
#[derive(Debug)]
pub(super) struct Replica {
    config: Config,
    /// Its machine's.
    clock: Clock,
    address: SocketAddr,
    pub(super) part: Part,
}

impl System {
    /// Starts the one aggregator of a system over TCP.
    pub(super) fn serve_over_tcp(
        &mut self,
        config: Config,
        grpc: TcpListener,
        http: TcpListener,
    ) -> anyhow::Result<()> {
        let clock = self.clock.another_machine();
        let config = Config {
            cluster: self.watched_cluster()?,
            ..config
        };
        self.replicas.push(Replica {
            config: config.clone(),
            clock: clock.clone(),
            address: grpc.local_addr().context("aggregator")?,
            part: Part::start(|stop| nodegrace_aggregator::run(config, clock, grpc, http, stop)),
        });
        Ok(())
    }

    /// Adds an aggregator to a system in memory, behind the same name as the others. Gives its number; the first one's is 0.
    ///
    /// # Errors
    /// When it refuses its configuration.
    pub fn add_aggregator(&mut self, config: Config) -> anyhow::Result<usize> {
        let number = self.replicas.len();
        let address = self.in_memory_links()?.name.new_address();
        self.replicas.push(Replica {
            config,
            clock: self.clock.another_machine(),
            address,
            part: Part::default(),
        });
        self.start_aggregator(number)?;
        Ok(number)
    }

    /// Kills an aggregator, as a crash would, with all it holds in memory.
    ///
    /// # Panics
    /// When there is none of this number.
    pub async fn crash_aggregator(&mut self, number: usize) {
        let replica = &mut self.replicas[number];
        if let Links::Memory(links) = &self.links {
            links.name.break_off(replica.address);
        }
        replica.part.crash().await;
        self.settle().await;
    }

    /// Starts an aggregator of a system in memory again, with its configuration, its disk and its address.
    ///
    /// # Errors
    /// When it runs, its disk cannot be used, or for a system over TCP, whose ports went with the first run.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn start_aggregator(&mut self, number: usize) -> anyhow::Result<()> {
        let name = self.in_memory_links()?.name.clone();
        let cluster = self.watched_cluster()?;
        let replica = &mut self.replicas[number];
        anyhow::ensure!(!replica.part.runs(), "aggregator {number} runs");
        let config = Config {
            cluster,
            ..replica.config.clone()
        };
        let aggregator = Aggregator::new(config, replica.clock.clone())?;
        let incoming = name.listen(replica.address);
        replica.part =
            Part::start(|stop| async move { aggregator.serve_grpc(incoming, stop).await });
        Ok(())
    }

    /// Gives an aggregator of a system in memory another address from its next start on, as a pod that is made anew has.
    ///
    /// # Errors
    /// For a system over TCP.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn move_aggregator(&mut self, number: usize) -> anyhow::Result<()> {
        self.replicas[number].address = self.in_memory_links()?.name.new_address();
        Ok(())
    }

    /// Gives two aggregators of a system in memory, which do not run, each other's address, as pods that are made anew may have.
    ///
    /// # Errors
    /// When one of them runs.
    ///
    /// # Panics
    /// When there is none of these numbers.
    pub fn swap_aggregators(&mut self, one: usize, other: usize) -> anyhow::Result<()> {
        for number in [one, other] {
            anyhow::ensure!(
                !self.replicas[number].part.runs(),
                "aggregator {number} runs"
            );
        }
        let address = self.replicas[one].address;
        self.replicas[one].address = self.replicas[other].address;
        self.replicas[other].address = address;
        Ok(())
    }

    /// The clock of the machine that an aggregator runs on.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn aggregator_clock(&self, number: usize) -> &Clock {
        &self.replicas[number].clock
    }

    /// A connection to an aggregator.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn queries_to(&self, number: usize) -> Channel {
        let address = self.replicas[number].address;
        match &self.links {
            Links::Tcp(links) => links.aggregator().expect("agents have one, too"),
            Links::Memory(links) => links.name.channel(address),
        }
    }

    /// A connection of an aggregator's own to the API server. Absent: aggregators do not watch the cluster.
    fn watched_cluster(&self) -> anyhow::Result<Option<ApiServer>> {
        if !self.watch_cluster {
            return Ok(None);
        }
        let client = match &self.links {
            Links::Tcp(links) => links.api_server()?,
            Links::Memory(links) => links.aggregators_api_server(),
        };
        Ok(Some(ApiServer::new(client)))
    }

    fn in_memory_links(&self) -> anyhow::Result<&memory::Links> {
        match &self.links {
            Links::Memory(links) => Ok(links),
            Links::Tcp(_) => anyhow::bail!("the system is not in memory"),
        }
    }
}
