//! What the aggregator is to do, as meant.

/// Everything an aggregator can be told.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The controller's settings, the thresholds of the verdicts, and how much is kept of each node.
    pub fleet: nodegrace_core::Config,
    /// What clients may ask of it at once.
    pub limits: Limits,
}

/// Bounds on what clients can make the aggregator hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes kept. Each takes some 30 KiB.
    pub nodes: usize,
    /// Agents' streams open at once.
    pub report_streams: usize,
    /// Watches open at once.
    pub watches: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The largest cluster that was ever shown had 130,000 nodes; Kubernetes promises 5,000.
            nodes: 150_000,
            // Each node's agent has one, and a second while it reconnects before the end of the first is noticed.
            report_streams: 300_000,
            // People's terminals and a few programs. Each looks at every change.
            watches: 256,
        }
    }
}
