//! What a system is made of.

use std::path::PathBuf;

use nodegrace_aggregator::Config as AggregatorConfig;
use nodegrace_core::ControllerSettings;
use nodegrace_sim_cluster::ClusterSpec;

/// What a system is made of.
#[derive(Clone, Debug)]
pub struct SystemSpec {
    /// The simulated cluster.
    pub cluster: ClusterSpec,
    /// The aggregators, all of them behind one name.
    pub aggregators: Vec<AggregatorConfig>,
    /// Whether the aggregators watch the cluster's Nodes and `EndpointSlices`.
    pub watch_cluster: bool,
    /// Whether the agents read the API server as their own nodes, and may do nothing else there. In memory only.
    pub own_node: bool,
    /// Directory with the spool of each node's agent. Absent: agents keep what is not acknowledged in memory.
    pub spools: Option<PathBuf>,
}

impl SystemSpec {
    /// A cluster with one aggregator, in memory, that is told the grace and monitor period its controller really has.
    pub fn new(cluster: ClusterSpec) -> Self {
        let mut aggregator = AggregatorConfig::default();
        aggregator.fleet.controller = ControllerSettings::default()
            .with_periods(cluster.rule.grace_period, cluster.rule.monitor_period);
        Self {
            cluster,
            aggregators: vec![aggregator],
            watch_cluster: false,
            own_node: false,
            spools: None,
        }
    }
}
