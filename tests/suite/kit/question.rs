//! What tests ask an aggregator.

use nodegrace_proto::v1::{self, query_client::QueryClient};
use tonic::{Status, transport::Channel};

/// The most that is answered at once.
const PAGE: i32 = 1000;

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
    ask_fleet(aggregator)
        .await
        .unwrap_or_else(|status| panic!("GetFleet: {status}"))
}

/// The fleet's totals, if it answers.
///
/// # Errors
/// What it says instead, or that it is not there.
pub async fn ask_fleet(aggregator: Channel) -> Result<v1::Fleet, Status> {
    let mut client = QueryClient::new(aggregator);
    let answer = client.get_fleet(v1::GetFleetRequest {}).await?;
    Ok(answer.into_inner())
}

/// Every node in full, by name.
///
/// # Panics
/// When the aggregator does not answer.
pub async fn nodes(aggregator: Channel) -> Vec<v1::Node> {
    ask_nodes(aggregator)
        .await
        .unwrap_or_else(|status| panic!("ListNodes: {status}"))
}

/// Every node in full, by name, if it answers.
///
/// # Errors
/// What it says instead, or that it is not there.
pub async fn ask_nodes(aggregator: Channel) -> Result<Vec<v1::Node>, Status> {
    let request = v1::ListNodesRequest {
        page_size: PAGE,
        order_by: "name".to_owned(),
        view: v1::NodeView::Full.into(),
        ..v1::ListNodesRequest::default()
    };
    let answer = QueryClient::new(aggregator).list_nodes(request).await?;
    Ok(answer.into_inner().nodes)
}

/// The longest gaps, the longest first.
///
/// # Panics
/// When the aggregator does not answer.
pub async fn gaps(aggregator: Channel) -> Vec<v1::Gap> {
    ask_gaps(aggregator)
        .await
        .unwrap_or_else(|status| panic!("ListGaps: {status}"))
}

/// The longest gaps, the longest first, if it answers.
///
/// # Errors
/// What it says instead, or that it is not there.
pub async fn ask_gaps(aggregator: Channel) -> Result<Vec<v1::Gap>, Status> {
    let request = v1::ListGapsRequest {
        page_size: PAGE,
        ..v1::ListGapsRequest::default()
    };
    let answer = QueryClient::new(aggregator).list_gaps(request).await?;
    Ok(answer.into_inner().gaps)
}

/// What does not hang on when a node's reports came, and over which streams: the same from every aggregator that had them all.
///
/// # Panics
/// When the answer has no observation: it always has.
pub fn lasting(node: v1::Node) -> v1::Node {
    let observation = node.observation.expect("it is always there");
    v1::Node {
        state: v1::State::Unspecified.into(),
        state_reason: String::new(),
        running_gap: None,
        observation: Some(v1::Observation {
            since_time: None,
            duplicate_records: 0,
            report_age: None,
            connected: false,
            ..observation
        }),
        ..node
    }
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
