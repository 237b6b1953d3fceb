//! Gaps as the aggregator lists them.

use std::{collections::HashMap, time::SystemTime};

use nodegrace_proto::{
    prost_types,
    v1::{ListGapsRequest, query_client::QueryClient},
};

use super::{Findings, Found, NODES, Server};
use crate::bench::load::node_name;

/// Longer than any that is none.
const LONG: i64 = 12;

/// Every long gap.
pub(super) async fn gaps(server: &Server) -> anyhow::Result<Findings> {
    let mut query = QueryClient::connect(format!("http://{}", server.grpc)).await?;
    let numbers: HashMap<_, _> = (0..NODES)
        .map(|number| (node_name(number), number))
        .collect();
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListGapsRequest {
            min_duration: Some(prost_types::Duration {
                seconds: LONG,
                nanos: 0,
            }),
            page_size: 1000,
            page_token,
            ..ListGapsRequest::default()
        };
        let page = query.list_gaps(request).await?.into_inner();
        for gap in page.gaps {
            let node = numbers.get(&gap.node_name).copied().unwrap_or(u32::MAX);
            let start = gap.start_time.and_then(|start| start.try_into().ok());
            let from = start.map_or(f64::NAN, |start: SystemTime| {
                let since = start.duration_since(std::time::UNIX_EPOCH);
                since.unwrap_or_default().as_secs_f64()
            });
            let length = gap.duration.unwrap_or_default();
            let to = from + length.seconds as f64 + f64::from(length.nanos) / 1e9;
            found.push(Found { node, from, to });
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}
