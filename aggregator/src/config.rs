//! What the aggregator is to do, as meant.

use std::{path::PathBuf, time::Duration};

use crate::{AgentAuth, ApiServer, MetricsNodes, QueryAuth, Tls};

/// Everything an aggregator can be told.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The controller's settings, the thresholds of the verdicts, and how much is kept of each node.
    pub fleet: nodegrace_core::Config,
    /// What clients may ask of it at once.
    pub limits: Limits,
    /// Where history is kept. Absent: in memory only, and a restart forgets it.
    pub store: Option<StoreConfig>,
    /// How connections are encrypted. Absent: they are not.
    pub tls: Option<Tls>,
    /// How agents show which node they are on. Default: they need not.
    pub agent_auth: AgentAuth,
    /// Who may query, and see what the HTTP port shows. Default: everybody.
    pub query_auth: QueryAuth,
    /// Which nodes have series of their own at `/metrics`.
    pub metrics_nodes: MetricsNodes,
    /// The API server whose Nodes and `EndpointSlices` are watched. Absent: none is, and flips are those that agents see.
    pub cluster: Option<ApiServer>,
    /// How much of that cluster is kept.
    pub cluster_bounds: nodegrace_core::cluster::ClusterBounds,
}

/// Where history is kept, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The data directory; made when it is missing.
    pub directory: PathBuf,
    /// Long gaps and flips are kept for so long.
    pub retain_for: Duration,
    /// Single heartbeats are kept for so long; zero: not at all.
    pub retain_heartbeats: Duration,
    /// When the database is larger, its oldest heartbeats go, and after the last of them its oldest gaps and flips.
    pub max_bytes: u64,
}

impl StoreConfig {
    /// A store in `directory` with the usual bounds.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            // A quarter, so that a change of settings can be compared with the time before it.
            retain_for: Duration::from_secs(90 * 24 * 3600),
            // What happened just now, for whoever is called for it: a row takes some 80 bytes, 5,000 nodes some 150 MB.
            retain_heartbeats: Duration::from_secs(3600),
            // 5,000 nodes take some 150 MB for their snapshots and the log; a million gaps some 150 MB.
            max_bytes: 1 << 30,
        }
    }
}

/// What may be behind one address: a whole cluster of the largest size that Kubernetes promises, whose agents reach another network
/// through one translator of addresses, twice, because they all come back together.
const BEHIND_ONE_ADDRESS: usize = 10_000;

/// Bounds on what clients can make the aggregator hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes kept. Each takes some 30 KiB.
    pub nodes: usize,
    /// Agents' streams open at once.
    pub report_streams: usize,
    /// Of these, streams for one node, where agents show theirs, and else of one address.
    pub report_streams_of_one: StreamsOfOne,
    /// Watches open at once.
    pub watches: usize,
    /// Of these, watches of one address.
    pub watches_of_one: usize,
    /// Connections to the gRPC port open at once.
    pub connections: usize,
    /// Of these, connections of one address.
    pub connections_of_one: usize,
}

/// Streams open at once that come from one agent, or seem to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamsOfOne {
    /// With proof of being on one node.
    pub node: usize,
    /// From one address, without any proof.
    pub address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The largest cluster that was ever shown had 130,000 nodes; Kubernetes promises 5,000.
            nodes: 150_000,
            // Each node's agent has one, and a second while it reconnects before the end of the first is noticed.
            report_streams: 300_000,
            report_streams_of_one: StreamsOfOne {
                // One, and others of which the end was not noticed yet: an agent that crashes again and again.
                node: 16,
                address: BEHIND_ONE_ADDRESS,
            },
            // People's terminals and a few programs. Each looks at every change.
            watches: 256,
            // A port-forward of several people's, and a few more.
            watches_of_one: 64,
            connections: 320_000,
            connections_of_one: BEHIND_ONE_ADDRESS,
        }
    }
}
