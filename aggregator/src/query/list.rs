//! `ListNodes`: a page of nodes in an order.

use std::sync::Arc;

use nodegrace_proto::v1;
use prost::Message;
use tonic::Status;

use super::{
    filter::Filter,
    node::{self, Shape},
    order::{Order, Ranking},
    page::{self, Listed, MAX_PAGE_BYTES, Orders, Walk},
};
use crate::aggregator::Parts;

/// The page that `request` asks for.
pub(super) async fn nodes(
    parts: &Parts,
    orders: &Orders,
    request: &v1::ListNodesRequest,
) -> Result<v1::ListNodesResponse, Status> {
    let size = page::page_size(request.page_size)?;
    let order = Order::parse(&request.order_by).map_err(invalid)?;
    let filter = Filter::parse(&request.filter).map_err(invalid)?;
    let shape = Shape::of(request.view)?;
    let fingerprint = page::fingerprint(&[&request.order_by, &request.filter]);
    let now = parts.timeline.now();

    let walk = if request.page_token.is_empty() {
        Walk::new(ordered(parts, &order, &filter).await)
    } else {
        orders.resume(&request.page_token, fingerprint, now)?
    };
    let (mut nodes, mut taken, mut bytes) = (Vec::new(), 0, 0);
    let register = &parts.register;
    for name in walk.rest().take(size) {
        if bytes > MAX_PAGE_BYTES {
            break;
        }
        taken += 1;
        let node = register.node(name, |known| {
            let figures = known.figures(now);
            node::message(&figures, known.beside, &parts.timeline, shape)
        });
        bytes += node.as_ref().map_or(0, Message::encoded_len);
        nodes.extend(node);
    }
    Ok(v1::ListNodesResponse {
        nodes,
        next_page_token: orders.next_token(&walk, taken, fingerprint, now),
        total_size: i32::try_from(walk.total()).unwrap_or(i32::MAX),
    })
}

/// All nodes that match, in order; equals by name.
async fn ordered(parts: &Parts, order: &Order, filter: &Filter) -> Listed {
    let register = &parts.register;
    let roster = register.roster();
    let mut ranking = Ranking::new(order, roster.names().len());
    let now = parts.timeline.now();
    register
        .glance(&roster, |number, node| {
            let value = |field| node::value(node, field, now);
            if filter.matches(&value) {
                ranking.take(&value, number as u32);
            }
        })
        .await;
    Listed::new(Arc::clone(roster.names()), ranking.finish())
}

/// The status for an argument that makes no sense; the error names the field.
pub(super) fn invalid(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}
