//! What tests ask an aggregator.

use nodegrace_proto::v1::{self, query_client::QueryClient};
use tonic::transport::Channel;

/// Everything known of one node.
///
/// # Panics
/// When the aggregator does not answer: the test has lost its subject.
pub async fn node(aggregator: Channel, name: &str) -> v1::Node {
    QueryClient::new(aggregator)
        .get_node(v1::GetNodeRequest { name: name.into() })
        .await
        .unwrap_or_else(|status| panic!("GetNode {name}: {status}"))
        .into_inner()
}

/// The fleet's totals.
///
/// # Panics
/// When the aggregator does not answer.
pub async fn fleet(aggregator: Channel) -> v1::Fleet {
    QueryClient::new(aggregator)
        .get_fleet(v1::GetFleetRequest {})
        .await
        .unwrap_or_else(|status| panic!("GetFleet: {status}"))
        .into_inner()
}

/// The figures of one of a node's channels.
///
/// # Panics
/// When the answer does not have the channel.
pub fn channel(node: &v1::Node, channel: v1::Channel) -> &v1::ChannelFigures {
    node.channels
        .iter()
        .find(|figures| figures.channel() == channel)
        .unwrap_or_else(|| panic!("{} has no {channel:?}", node.name))
}
