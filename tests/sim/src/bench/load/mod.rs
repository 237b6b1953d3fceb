//! Many agents' streams in one process, as the aggregator sees them: each sends what a real one sends, when it would.
//!
//! Commands come on standard input, one a line: `mark` is answered with what was measured since the last one, `gaps` with the gaps
//! that were made. End of input ends the process.

mod agent;
mod batch;
mod connect;
mod tally;
mod witness;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{ingest_client::IngestClient, query_client::QueryClient};
use serde_json::json;
use tokio::{
    net::UdpSocket,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

pub(super) use self::agent::node_name;
use self::{agent::Agent, batch::Template, connect::Connector, tally::Tally};
use super::args::LoadRole;

/// Agents behind one address: the aggregator lets 10,000 streams and as many connections be there.
const BEHIND_ONE_ADDRESS: u32 = 9000;
/// Probes under way at once.
const MOST_PROBES: usize = 64;

/// What all agents share.
struct Load {
    role: LoadRole,
    clock: Clock,
    template: Template,
    tally: Tally,
    /// Where it is asked what the aggregator shows.
    query: QueryClient<Channel>,
    probes: Arc<Semaphore>,
    /// Cancelled once all are connected.
    together: CancellationToken,
    mirror: Option<UdpSocket>,
}

impl LoadRole {
    /// Runs all agents until standard input ends.
    ///
    /// # Errors
    /// When one cannot connect, or its stream ends.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let connector = Connector::new(&self)?;
        let query = connector.channel(Ipv4Addr::new(127, 0, 1, 0).into())?;
        let mirror = match self.mirror {
            None => None,
            Some(mirror) => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                socket.connect(mirror).await?;
                Some(socket)
            }
        };
        let clock = Clock::real();
        let load = Arc::new(Load {
            template: Template::of_this_machine(&clock).await?,
            tally: Tally::default(),
            query: QueryClient::new(query),
            probes: Arc::new(Semaphore::new(MOST_PROBES)),
            together: CancellationToken::new(),
            clock,
            mirror,
            role: self,
        });
        let mut agents = load.connect(&connector).await?;
        load.together.cancel();
        say(
            &json!({ "connected": load.role.agents, "sample_bytes": load.template.sample_bytes() }),
        );
        let mut commands = commands();
        loop {
            tokio::select! {
                command = commands.recv() => match command.as_deref() {
                    None => return Ok(()),
                    Some("mark") => say(&load.tally.mark()),
                    Some("gaps") => say(&load.tally.gaps()),
                    Some(other) => anyhow::bail!("unknown command {other:?}"),
                },
                Some(ended) = agents.join_next() => ended.context("an agent")?.context("an agent")?,
            }
        }
    }
}

impl Load {
    /// Opens every stream, and lets each agent go on by itself.
    async fn connect(
        self: &Arc<Self>,
        connector: &Connector,
    ) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
        let mut agents = JoinSet::new();
        let start = self.clock.now();
        let mut channel = None;
        for number in 0..self.role.agents {
            let due = start + Duration::from_secs(1) * number / self.role.ramp;
            self.clock.sleep_until(due).await;
            if number.is_multiple_of(self.role.per_connection) {
                let block = (number / BEHIND_ONE_ADDRESS) as u8;
                channel = Some(connector.channel(Ipv4Addr::new(127, 0, 2, block).into())?);
            }
            let client = IngestClient::new(channel.clone().context("a channel")?);
            let agent = Agent::open(number, client, Arc::clone(self)).await;
            let agent = agent.with_context(|| format!("agent {number}"))?;
            agents.spawn(agent.live());
        }
        Ok(agents)
    }
}

/// The lines of standard input, as they come.
fn commands() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Says something to who started this process.
fn say(words: &serde_json::Value) {
    println!("{words}");
}
