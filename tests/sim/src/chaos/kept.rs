//! What the aggregator has: the rows of its database, and what it answers.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use anyhow::Context as _;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use rusqlite::{Connection, OpenFlags};

/// A heartbeat as a row of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The kubelet's stamp, in nanoseconds since the Unix epoch.
    pub(super) stamp_ns: i64,
    /// Revision of the object that carried it.
    pub(super) revision: u64,
    /// True for what a run of the agent found when it began.
    pub(super) baseline: bool,
}

/// What is kept of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The rows of the Lease and of the status.
    pub(super) rows: [Vec<Row>; 2],
    /// The heartbeats counted on the Lease and on the status, as the aggregator answers.
    pub(super) counted: [u64; 2],
    /// Heartbeats that the node's agents say they had to drop.
    pub(super) dropped: u64,
    /// Records recognised as sent again.
    pub(super) duplicates: u64,
    /// Records that the aggregator believes an earlier run of it forgot.
    pub(super) forgotten: u64,
}

impl Kept {
    /// Heartbeats of a channel that are rows.
    pub(super) fn heartbeats(&self, channel: usize) -> u64 {
        let rows = self.rows[channel].iter();
        rows.filter(|row| !row.baseline).count() as u64
    }

    /// Whether what is counted and what is in rows are equally many.
    pub(super) fn agrees(&self) -> bool {
        (0..2).all(|channel| self.heartbeats(channel) == self.counted[channel])
    }
}

/// Reads everything that is kept, by node, and the fleet's own account.
///
/// # Errors
/// When the database cannot be read or the aggregator does not answer.
pub(super) async fn read(
    data_dir: &Path,
    address: SocketAddr,
) -> anyhow::Result<(BTreeMap<String, Kept>, v1::History)> {
    let mut kept = BTreeMap::<String, Kept>::new();
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
    let mut client = QueryClient::new(channel.connect().await?);
    let request = v1::ListNodesRequest {
        page_size: 1000,
        ..v1::ListNodesRequest::default()
    };
    let nodes = client.list_nodes(request).await?.into_inner().nodes;
    for node in nodes {
        let known = kept.entry(node.name).or_default();
        for figures in &node.channels {
            known.counted[index(figures.channel())] = figures.heartbeats;
        }
        known.dropped = node.losses.map_or(0, |losses| losses.dropped_heartbeats);
        let observation = node.observation.unwrap_or_default();
        known.duplicates = observation.duplicate_records;
        known.forgotten = observation.forgotten_records;
    }
    let fleet = client.get_fleet(v1::GetFleetRequest {}).await?.into_inner();
    for (node, channel, row) in rows(&data_dir.join("history.db"))? {
        kept.entry(node).or_default().rows[channel].push(row);
    }
    Ok((kept, fleet.history.unwrap_or_default()))
}

fn rows(database: &Path) -> anyhow::Result<Vec<(String, usize, Row)>> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut query = connection.prepare(
        "SELECT node, channel, stamp_ns, resource_version, baseline FROM heartbeat
        JOIN agent ON agent.id = heartbeat.agent ORDER BY heartbeat.id",
    )?;
    let rows = query.query_map([], |row| {
        let version: String = row.get(3)?;
        Ok((
            row.get(0)?,
            row.get::<_, i32>(1)?,
            row.get(2)?,
            version,
            row.get(4)?,
        ))
    })?;
    rows.map(|row| {
        let (node, channel, stamp_ns, version, baseline) = row?;
        let channel = index(channel.try_into().unwrap_or_default());
        let row = Row {
            stamp_ns,
            revision: version.parse().context("a revision")?,
            baseline,
        };
        Ok((node, channel, row))
    })
    .collect()
}

/// Where a channel's rows are.
const fn index(channel: v1::Channel) -> usize {
    match channel {
        v1::Channel::NodeStatus => 1,
        _ => 0,
    }
}
