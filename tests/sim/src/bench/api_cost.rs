//! What agents ask of the API server, by the simulated one's own count: at their start, and from hour to hour.

use std::{collections::BTreeMap, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{ClusterSpec, api::Cost, kubelet};

use super::table::Table;
use crate::{System, SystemSpec, pace};

/// Nodes, of all kinds of trouble.
const NODES: usize = 20;
/// Until then an agent starts: it lists, opens its watches and reads its kubelet's settings.
const START: Duration = Duration::from_secs(120);
/// What an agent that polled would ask for: both objects as often as they can change.
const POLLED: f64 = 2.0 * 3600.0 / 10.0;

/// Requests and bytes by verb, resource and user agent.
type Costs = BTreeMap<(String, String, String), Cost>;

/// Prints the table. Time is virtual: hours pass in seconds.
///
/// # Errors
/// When a part of the system fails.
pub(super) fn run(quick: bool) -> anyhow::Result<()> {
    let hours = if quick { 1 } else { 6 };
    let table = pace::runtime()?.block_on(measure(hours))?;
    table.print();
    Ok(())
}

async fn measure(hours: u32) -> anyhow::Result<Table> {
    let clock = Clock::scaled(1.0, Clock::real().wall());
    let mut nodes = kubelet::fleet(NODES, 1);
    for node in &mut nodes {
        // A quiet cluster: whoever is in trouble has more to tell.
        *node = kubelet::NodeSpec::new(node.name.clone(), kubelet::Kind::Healthy, node.seed);
    }
    let system = System::in_memory(SystemSpec::new(ClusterSpec::new(nodes, 1)), clock.clone())?;
    clock.sleep(START).await;
    let started = costs(&system);
    clock.sleep(Duration::from_secs(3600) * hours).await;
    let ended = costs(&system);
    system.stop().await?;
    anyhow::ensure!(!ended.is_empty(), "the API server counted nothing");

    let mut table = Table::new(
        format!(
            "What an agent asks of the API server, {NODES} agents for {hours} h of simulated time"
        ),
        [
            "verb",
            "of",
            "requests at start",
            "KiB at start",
            "requests an hour",
            "KiB an hour",
        ],
    );
    let per_node = |number: u64| number as f64 / NODES as f64;
    let per_hour = |now: u64, before: u64| per_node(now - before) / f64::from(hours);
    let (mut requests, mut bytes, mut polled) = (0.0, 0.0, 0.0);
    for (key, cost) in &ended {
        let (verb, resource, _) = key;
        let before = started.get(key).copied().unwrap_or_default();
        let of_hour = per_hour(cost.requests, before.requests);
        requests += of_hour;
        bytes += per_hour(cost.bytes, before.bytes);
        if verb.as_str() != "watch" {
            polled += of_hour;
        }
        table.row([
            verb.clone(),
            resource.clone(),
            format!("{:.2}", per_node(before.requests)),
            format!("{:.1}", per_node(before.bytes) / 1024.0),
            format!("{of_hour:.2}"),
            format!("{:.1}", per_hour(cost.bytes, before.bytes) / 1024.0),
        ]);
    }
    table.note(format!(
        "All of it: {requests:.2} requests and {:.1} KiB per node and hour; for 5,000 nodes {:.2} requests and {:.0} KiB a second. Of each \
         watched object every change comes whole: a Lease every 10 s, a Node with each status, so bytes grow with the size of the Node.",
        bytes / 1024.0,
        requests * 5000.0 / 3600.0,
        bytes * 5000.0 / 3600.0 / 1024.0,
    ));
    table.goal(
        "Requests other than watches, per node and hour",
        format!("{polled:.2}"),
        format!("0: nothing is polled (polling both objects every 10 s: {POLLED:.0})"),
        polled < 0.5,
        "Bound by how long a watch lasts: each is opened again when the API server ends it.",
    );
    Ok(table)
}

/// What agents cost so far: nobody else in this system asks the API server over a connection.
fn costs(system: &System) -> Costs {
    system.cluster().server().costs().into_iter().collect()
}
