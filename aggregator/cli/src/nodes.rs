//! Nodes as they are asked for: page by page, in the aggregator's order.

use std::collections::HashSet;

use nodegrace_proto::v1;
use tonic::Status;

use crate::{
    failure::{Failure, refused},
    reach::Queries,
};

/// Names of nodes.
pub type Names = HashSet<String>;

/// Which nodes are wanted, and how.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The API's `order_by`.
    pub order_by: String,
    /// The API's `filter`.
    pub filter: String,
    /// Only these. Absent: whatever their names are.
    pub names: Option<Names>,
    /// Most nodes to return. Absent: all.
    pub limit: Option<usize>,
}

/// Most nodes that are asked for at once: the API's own limit.
const PAGE: usize = 1000;

/// The nodes that are wanted, in order, and how many there are in all.
///
/// # Errors
/// When the aggregator refuses, with what to do about it.
pub async fn list(
    queries: &mut Queries,
    wanted: &Wanted,
) -> Result<v1::ListNodesResponse, Failure> {
    match walk(queries, wanted).await? {
        Walk::Done(list) => Ok(list),
        // A slow walk, or an aggregator that was restarted. A walk that begins anew has a token of its own.
        Walk::Expired(_) => match walk(queries, wanted).await? {
            Walk::Done(list) => Ok(list),
            Walk::Expired(status) => Err(Failure::Failed(anyhow::anyhow!(
                "the nodes could not be listed to their end: {}",
                status.message()
            ))),
        },
    }
}

/// How a walk through the pages ended.
enum Walk {
    /// With all that is wanted.
    Done(v1::ListNodesResponse),
    /// With a token that the aggregator had given and does not know any more.
    Expired(Status),
}

async fn walk(queries: &mut Queries, wanted: &Wanted) -> Result<Walk, Failure> {
    let mut all = v1::ListNodesResponse::default();
    let mut page_token = String::new();
    let limit = wanted.limit.unwrap_or(usize::MAX);
    let chosen = |node: &v1::Node| {
        let names = wanted.names.as_ref();
        names.is_none_or(|names| names.contains(&node.name))
    };
    loop {
        // What is chosen by name comes from anywhere in the list.
        let page_size = match wanted.names {
            Some(_) => PAGE,
            None => PAGE.min(limit - all.nodes.len()),
        };
        let request = v1::ListNodesRequest {
            page_size: i32::try_from(page_size).unwrap_or(i32::MAX),
            page_token: page_token.clone(),
            order_by: wanted.order_by.clone(),
            filter: wanted.filter.clone(),
            view: v1::NodeView::Basic.into(),
        };
        let page = match queries.list_nodes(request).await {
            Ok(page) => page.into_inner(),
            Err(status) if status.message().starts_with("page_token: ") => {
                return Ok(Walk::Expired(status));
            }
            Err(status) => return Err(refused("ListNodes", &status)),
        };
        all.total_size = page.total_size;
        all.nodes.extend(page.nodes.into_iter().filter(chosen));
        page_token = page.next_page_token;
        if page_token.is_empty() || (wanted.names.is_none() && all.nodes.len() >= limit) {
            break;
        }
    }
    if wanted.names.is_some() {
        all.total_size = i32::try_from(all.nodes.len()).unwrap_or(i32::MAX);
    }
    all.nodes.truncate(limit);
    Ok(Walk::Done(all))
}
