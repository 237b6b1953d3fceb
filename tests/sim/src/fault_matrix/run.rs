//! One run: a cluster of planned nodes in virtual time, with real agents and a real aggregator, asked as a user would.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{
    ClusterSpec, Pace,
    kubelet::{Effect, Posted},
};
use tempfile::TempDir;

use super::{case::Planned, fault::Part};
use crate::{System, SystemSpec};

/// A day in 2026, so that stamps look like stamps.
const WALL: Duration = Duration::from_secs(1_795_000_000);
/// Time from the last fault to the questions: the longest lasts two minutes and a half, and then the heartbeat is judged.
const AFTERWARDS: Duration = Duration::from_secs(240);
/// How often machines are rendered: an agent looks every second while a heartbeat is late.
const PACE: Pace = Pace {
    calm: Duration::from_secs(5),
    troubled: Duration::from_millis(250),
};
/// Seconds from a heartbeat until the next is due.
const DUE: f64 = 10.4;
/// Share of the lateness that a fault must last into to be one of two that made a heartbeat late.
const MET: f64 = 0.2;
/// Longest step of virtual time. Bytes in sockets are under way while time stands still, and arrive at the next step.
const STEP: Duration = Duration::from_millis(5);

/// What was observed of a node.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// What was planned for it.
    pub(super) planned: Planned,
    /// Its longest gap that ended after its fault began, as an ideal controller sees it.
    pub(super) truth: Truth,
    /// Its long gaps as listed, the longest first.
    pub(super) gaps: Vec<v1::Gap>,
    /// The node as told.
    pub(super) node: v1::Node,
}

/// When the API server is down, from the start of the cluster on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    /// Its beginning.
    pub(super) at: Duration,
    /// How long until it is up again.
    pub(super) length: Duration,
}

/// Runs planned nodes, and asks for each of them and for the fleet.
///
/// # Errors
/// When a part does not start, or an answer does not come.
pub(super) async fn run(
    planned: Vec<Planned>,
    outage: Option<Outage>,
    seed: u64,
) -> anyhow::Result<(Vec<Observed>, v1::Fleet)> {
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
    if let Some(Outage { at, length }) = outage {
        clock.sleep_until(start + at).await;
        system.cluster().server().stop().await;
        clock.sleep(length).await;
        system.cluster().server().start().await?;
    }
    let last = planned.iter().map(|planned| planned.at).max();
    clock
        .sleep_until(start + last.unwrap_or_default() + AFTERWARDS)
        .await;

    let mut query = QueryClient::new(system.queries());
    let mut observed = Vec::with_capacity(planned.len());
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
        observed.push(Observed {
            truth: Truth::of(&posted, start + planned.at),
            planned,
            gaps,
            node: node.into_inner(),
        });
    }
    let fleet = query.get_fleet(v1::GetFleetRequest {}).await?.into_inner();
    ticker.abort();
    system.stop().await?;
    Ok((observed, fleet))
}

/// A gap as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Truth {
    /// From one heartbeat that the controller credits to the next.
    pub(super) length: Duration,
    /// Its beginning and its end, from the fault on; the beginning may lie before it.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Heartbeats within it that the controller did not credit.
    pub(super) uncredited: usize,
}

impl Truth {
    /// The longest gap that ended after `since`.
    fn of(posted: &[Posted], since: Duration) -> Self {
        let credited: Vec<&Posted> = posted.iter().filter(|posted| posted.credited).collect();
        let pairs = credited.windows(2).filter(|pair| pair[1].at > since);
        let Some(longest) = pairs.max_by_key(|pair| pair[1].at - pair[0].at) else {
            return Self::default();
        };
        let (from, to) = (longest[0].at, longest[1].at);
        let after = |at: Duration| at.as_secs_f64() - since.as_secs_f64();
        let within = posted.iter().filter(|one| from < one.at && one.at < to);
        Self {
            length: to - from,
            from: after(from),
            to: after(to),
            uncredited: within.filter(|one| !one.credited).count(),
        }
    }

    /// Whether a part of what was planned made the gap longer.
    pub(super) fn met(&self, part: &Part) -> bool {
        let begins = part.after.as_secs_f64();
        if matches!(part.effect, Effect::ClockStep(_)) {
            return self.uncredited > 0 && begins < self.to;
        }
        // Until the next heartbeat is due nothing makes it late.
        let (from, to) = (self.from + DUE, self.to);
        let ends = begins + part.length.as_secs_f64();
        ends.min(to) - begins.max(from) >= MET * (to - from)
    }
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
