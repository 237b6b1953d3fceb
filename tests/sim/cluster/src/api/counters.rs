//! What was asked, by whom and how much it weighed: the base of every figure on the agents' cost.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Requests that the log keeps; the oldest go first.
const LOG: usize = 10_000;

/// One request as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// When it was answered, on the cluster's monotonic clock.
    pub at: Duration,
    /// RBAC verb, or the HTTP method in lower case for paths without objects.
    pub verb: String,
    /// Path and query as sent.
    pub path: String,
    /// The client's user agent; empty when it said none.
    pub user_agent: String,
    /// Whose it was.
    pub user: String,
    /// In whose name it was to be taken. Absent: in its own.
    pub impersonated: Option<String>,
    /// HTTP status of the answer.
    pub code: u16,
}

/// Sums over requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests.
    pub requests: u64,
    /// Bytes of the bodies sent back, watches included as they flow.
    pub bytes: u64,
}

/// By verb, resource (or path) and user agent.
pub type CostKey = (String, String, String);

/// The counters of one server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) log: VecDeque<Logged>,
    pub(super) costs: BTreeMap<CostKey, Cost>,
}

impl Counters {
    pub(super) fn book(&mut self, logged: Logged, key: &CostKey) {
        self.costs.entry(key.clone()).or_default().requests += 1;
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(logged);
    }

    pub(super) fn weigh(&mut self, key: &CostKey, bytes: u64) {
        self.costs.entry(key.clone()).or_default().bytes += bytes;
    }
}
