//! One run: a cluster of planned nodes in virtual time, with real agents and a real aggregator, asked as a user would.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{ClusterSpec, Pace, kubelet::Posted};
use tempfile::TempDir;

use super::case::Planned;
use crate::{System, SystemSpec};

/// A day in 2026, so that stamps look like stamps.
const WALL: Duration = Duration::from_secs(1_795_000_000);
/// Time from the last fault to the questions: the longest lasts two minutes and a half, and then the heartbeat is judged.
const AFTERWARDS: Duration = Duration::from_secs(240);
/// How often machines are rendered: an agent looks every second while a heartbeat is late.
const PACE: Pace = Pace {
    calm: Duration::from_secs(2),
    troubled: Duration::from_millis(250),
};
/// Longest step of virtual time. Bytes in sockets are under way while time stands still, and arrive at the next step.
const STEP: Duration = Duration::from_millis(5);

/// What was seen of a node.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was planned for it.
    pub planned: Planned,
    /// Its longest gap that ended after its fault began, as an ideal controller sees it.
    pub truth: Duration,
    /// Its long gaps as listed, the longest first.
    pub gaps: Vec<v1::Gap>,
    /// The node as told.
    pub node: v1::Node,
}

/// Runs planned nodes, and asks for each of them and for the fleet.
///
/// # Errors
/// When a part does not start, or an answer does not come.
pub async fn run(planned: Vec<Planned>, seed: u64) -> anyhow::Result<(Vec<Seen>, v1::Fleet)> {
    let directory = in_memory_folder()?;
    let nodes = planned.iter().map(|planned| planned.spec.clone());
    let mut cluster = ClusterSpec::new(nodes.collect(), seed);
    cluster.machines = Some(directory.path().to_owned());
    cluster.machine_pace = PACE;
    let clock = Clock::scaled(1.0, UNIX_EPOCH + WALL);
    let system = System::in_memory(SystemSpec::new(cluster), clock.clone())?;
    let ticker = tokio::spawn(tick(clock.clone()));

    let start = clock.now();
    for planned in &planned {
        let node = system.cluster().node(&planned.spec.name);
        let node = node.context("a node is missing")?;
        for part in &planned.parts {
            node.inject_later(part.effect, planned.at + part.after, part.length);
        }
    }
    let last = planned.iter().map(|planned| planned.at).max();
    clock
        .sleep_until(start + last.unwrap_or_default() + AFTERWARDS)
        .await;

    let mut query = QueryClient::new(system.queries());
    let mut seen = Vec::with_capacity(planned.len());
    for planned in planned {
        let name = planned.spec.name.clone();
        let posted = system.cluster().ledger().of(&name);
        let gaps = query.list_gaps(v1::ListGapsRequest {
            node_name: name.clone(),
            order_by: "duration desc".into(),
            ..v1::ListGapsRequest::default()
        });
        let gaps = gaps.await.context(name.clone())?.into_inner().gaps;
        let node = query.get_node(v1::GetNodeRequest { name }).await?;
        seen.push(Seen {
            truth: longest_gap(posted, start + planned.at),
            planned,
            gaps,
            node: node.into_inner(),
        });
    }
    let fleet = query.get_fleet(v1::GetFleetRequest {}).await?.into_inner();
    ticker.abort();
    system.stop().await?;
    Ok((seen, fleet))
}

/// The longest gap between credited heartbeats that ended after `since`.
fn longest_gap(mut posted: Vec<Posted>, since: Duration) -> Duration {
    posted.retain(|posted| posted.credited);
    let pairs = posted.windows(2).filter(|pair| pair[1].at > since);
    pairs
        .map(|pair| pair[1].at - pair[0].at)
        .max()
        .unwrap_or_default()
}

/// A folder that no disk has to keep, where there is one.
fn in_memory_folder() -> anyhow::Result<TempDir> {
    let prefix = tempfile::Builder::new().prefix("faults-").to_owned();
    prefix
        .tempdir_in("/dev/shm")
        .or_else(|_| prefix.tempdir())
        .context("no folder for the machines")
}

/// Keeps virtual time from leaping.
async fn tick(clock: Clock) {
    loop {
        clock.sleep(STEP).await;
    }
}
