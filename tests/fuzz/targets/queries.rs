//! What may be asked for: the filter, the order and the page tokens of the lists, and the candidates of the what-if.
//!
//! An answer that is given, and its next pages, hold every node that matches once.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use nodegrace_aggregator::fuzzing::Unserved;
use nodegrace_fuzz::{clock, parts, stream, virtual_time};
use nodegrace_proto::v1::{
    ListGapsRequest, ListNodesRequest, RecommendRequest, SimulateGraceRequest, query_server::Query,
};
use prost::Message as _;
use tonic::Request;

/// Nodes that are asked about.
const NODES: [&str; 3] = ["a", "pool-1", "pool-2"];

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    virtual_time().block_on(async {
        let mut aggregator = Unserved::new(clock()).expect("sound settings");
        for node in NODES {
            let report = stream::report(node).encode_to_vec();
            aggregator.take(&report, true).expect("a sound report");
        }
        ask(aggregator.queries(), *kind, rest).await;
    });
});

async fn ask(queries: &impl Query, kind: u8, input: &[u8]) {
    match kind % 4 {
        0 => list_nodes(queries, input).await,
        1 => {
            if let Ok(request) = ListGapsRequest::decode(input) {
                let _ = queries.list_gaps(Request::new(request)).await;
            }
        }
        2 => {
            if let Ok(request) = SimulateGraceRequest::decode(input) {
                let _ = queries.simulate_grace(Request::new(request)).await;
            }
        }
        _ => {
            if let Ok(request) = RecommendRequest::decode(input) {
                let _ = queries.recommend(Request::new(request)).await;
            }
        }
    }
}

/// The filter, the order and the token are texts, one after the other.
async fn list_nodes(queries: &impl Query, input: &[u8]) {
    let mut texts = parts(input).map(|part| String::from_utf8_lossy(part).into_owned());
    let mut request = ListNodesRequest {
        filter: texts.next().unwrap_or_default(),
        order_by: texts.next().unwrap_or_default(),
        page_token: texts.next().unwrap_or_default(),
        page_size: 1,
        ..ListNodesRequest::default()
    };
    let mut seen = BTreeSet::new();
    loop {
        let Ok(page) = queries.list_nodes(Request::new(request.clone())).await else {
            // It was taken with the page before.
            assert!(seen.is_empty(), "page {}", seen.len());
            return;
        };
        let page = page.into_inner();
        for node in page.nodes {
            assert!(seen.insert(node.name), "shown twice");
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            assert_eq!(seen.len(), page.total_size as usize);
            return;
        }
    }
}
