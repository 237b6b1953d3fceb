//! An aggregator that is sent everything twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use nodegrace_aggregator::fuzzing::Unserved;
use nodegrace_clock::Clock;
use nodegrace_core::Applied;
use nodegrace_proto::{
    prost_types::{self, Timestamp},
    v1::{
        AgentInstance, Channel, GetNodeRequest, Heartbeat, Node, ReportBatch, query_server::Query,
    },
};
use prost::Message as _;
use tonic::{Code, Request};

use crate::{START, figures};

/// Time between two messages.
const BETWEEN: Duration = Duration::from_secs(1);
/// Records of the largest message that is taken, as in the aggregator's sessions.
const MOST_RECORDS: usize = 1024;
/// Instances of agents of one node whose numbers an aggregator surely remembers.
const REMEMBERED: usize = 8;

/// An aggregator, and what it acknowledged.
pub struct Replayed {
    aggregator: Unserved,
    /// For each node, its agents with the highest number acknowledged.
    nodes: BTreeMap<String, BTreeMap<Agent, u64>>,
    /// Agents whose stream is open, with their nodes.
    open: BTreeSet<(String, Agent)>,
}

/// Boot id and start of an agent.
type Agent = (String, i64, i32);

impl Replayed {
    /// One that knows nothing.
    ///
    /// # Panics
    /// When the default settings are refused.
    pub fn new(clock: Clock) -> Self {
        Self {
            aggregator: Unserved::new(clock).expect("sound settings"),
            nodes: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }

    /// Takes a message, and takes it again; none when it is refused.
    ///
    /// # Panics
    /// When the aggregator breaks its word.
    pub async fn take(&mut self, wire: &[u8]) -> Option<Applied> {
        tokio::time::advance(BETWEEN).await;
        let batch = ReportBatch::decode(wire).ok()?;
        let (records, agent) = (records(&batch), batch.agent?);
        if records > MOST_RECORDS {
            return None;
        }
        let start = agent.start_monotonic.unwrap_or_default();
        let agent = (agent.boot_id, start.seconds, start.nanos);
        let stream = (batch.node_name.clone(), agent.clone());
        let opens = !self.open.contains(&stream);
        let applied = self.aggregator.take(wire, opens).ok()?;
        // What an earlier run left says nothing of now.
        if !batch.replay {
            self.open.insert(stream);
        }
        assert!(applied.accepted + applied.duplicates <= records as u64);

        let agents = self.nodes.entry(batch.node_name.clone()).or_default();
        let many = agents.len() >= REMEMBERED;
        let acknowledged = agents.entry(agent).or_default();
        if applied.accepted > 0 && !many {
            assert!(
                *acknowledged < applied.acknowledged,
                "kept anew what was acknowledged up to {acknowledged}: {applied:?}"
            );
        }
        // What comes too late is acknowledged without being kept.
        if !applied.overtaken {
            *acknowledged = applied.acknowledged.max(*acknowledged);
        }

        let before = self.node(&batch.node_name).await;
        let again = self.aggregator.take(wire, false).expect("taken before");
        assert_eq!(again.accepted, 0, "accepted twice");
        assert!(again.acknowledged >= applied.acknowledged);
        assert!(again.long_gaps.is_empty() && again.flips.is_empty());
        let after = self.node(&batch.node_name).await;
        assert_eq!(counts(&before), counts(&after), "counted twice");
        Some(applied)
    }

    /// Ends every stream.
    pub fn disconnect(&mut self) {
        self.aggregator.disconnect();
        self.open.clear();
    }

    /// What answers questions.
    pub fn queries(&self) -> &impl Query {
        self.aggregator.queries()
    }

    /// Checks the figures of every node, and that a restart keeps them.
    ///
    /// # Panics
    /// When it finds a figure that is no number, or one that a restart changes.
    pub async fn check_nodes(&mut self) {
        // After a restart no agent is connected.
        self.disconnect();
        for name in self.nodes.keys() {
            let node = self.node(name).await;
            figures::check_node(&node);
            let snapshot = self
                .aggregator
                .snapshot(name)
                .expect("a node that is known");
            self.aggregator
                .restore(name, &snapshot)
                .expect("its own snapshot");
            let restored = self.node(name).await;
            assert_eq!(restored, node, "a restart changes it");
        }
    }

    async fn node(&self, name: &str) -> Node {
        let request = GetNodeRequest {
            name: name.to_owned(),
        };
        match self.queries().get_node(Request::new(request)).await {
            Ok(node) => node.into_inner(),
            // What is said by an agent that was replaced brings no node about.
            Err(status) if status.code() == Code::NotFound => Node::default(),
            Err(status) => panic!("{status}"),
        }
    }
}

/// Records in a batch.
pub fn records(batch: &ReportBatch) -> usize {
    batch.heartbeats.len()
        + batch.blind_spells.len()
        + batch.ready_changes.len()
        + batch.samples.len()
}

/// What is counted of a node, duplicates aside.
fn counts(node: &Node) -> (u64, Vec<u64>, u64, u64) {
    let heartbeats = node.channels.iter().map(|channel| channel.heartbeats);
    let spells = node.observation.as_ref().map_or(0, |of| of.blind_spells);
    let gaps = node.gap.as_ref().map_or(0, |gap| gap.count);
    (gaps, heartbeats.collect(), node.flips_seen, spells)
}

/// A sound report of a node: what its agent found, then gaps after a renewal and after status posts, a long one among them.
pub fn report(node: &str) -> ReportBatch {
    let at = |seconds: u64| {
        let time = START + Duration::from_secs(seconds);
        Timestamp {
            seconds: time.as_secs().cast_signed(),
            nanos: 0,
        }
    };
    let monotonic = |seconds: u64| prost_types::Duration {
        seconds: seconds.cast_signed(),
        nanos: 0,
    };
    let heartbeat = |(number, channel, seconds): (u64, Channel, u64)| Heartbeat {
        sequence_number: number,
        channel: channel.into(),
        stamp_time: Some(at(seconds)),
        arrival_monotonic: Some(monotonic(seconds)),
        arrival_time: Some(at(seconds)),
        resource_version: number.to_string(),
        baseline: number == 1,
        ..Heartbeat::default()
    };
    ReportBatch {
        node_name: node.to_owned(),
        agent: Some(AgentInstance {
            boot_id: "boot".to_owned(),
            start_time: Some(at(100)),
            start_monotonic: Some(monotonic(100)),
            version: "1".to_owned(),
        }),
        first_sequence_number: 1,
        sent_monotonic: Some(monotonic(180)),
        sent_time: Some(at(180)),
        heartbeats: [
            (1, Channel::Lease, 100),
            (2, Channel::Lease, 110),
            (3, Channel::NodeStatus, 112),
            (4, Channel::NodeStatus, 116),
            (5, Channel::NodeStatus, 161),
            (6, Channel::Lease, 171),
        ]
        .map(heartbeat)
        .into(),
        ..ReportBatch::default()
    }
}
