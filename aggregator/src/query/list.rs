//! `ListNodes`: a page of nodes in an order.

use nodegrace_proto::v1;
use tonic::Status;

use super::{
    filter::Filter,
    node::{self, Shape},
    order::Order,
    page::{self, Names, Orders},
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
    let now = parts.clock.now();

    let (names, total, next_page_token) = if request.page_token.is_empty() {
        let names = ordered(parts, &order, &filter).await;
        let total = names.len();
        let (page, next) = orders.first_page(names, size, fingerprint, now);
        (page, total, next)
    } else {
        orders.next_page(&request.page_token, size, fingerprint, now)?
    };
    let mut nodes = Vec::with_capacity(names.len());
    let register = &parts.register;
    register
        .visit(&names, |known| {
            let figures = known.figures(now);
            nodes.push(node::message(
                &figures,
                known.beside,
                register.origin(),
                shape,
            ));
        })
        .await;
    Ok(v1::ListNodesResponse {
        nodes,
        next_page_token,
        total_size: i32::try_from(total).unwrap_or(i32::MAX),
    })
}

/// The names of all nodes that match, in order; equals by name.
async fn ordered(parts: &Parts, order: &Order, filter: &Filter) -> Names {
    let names = parts.register.names();
    let mut matching = Vec::with_capacity(names.len());
    let now = parts.clock.now();
    parts
        .register
        .visit(&names, |known| {
            let figures = known.figures(now);
            let value = |field| node::value(&figures, known.beside, field);
            if filter.matches(&value) {
                matching.push((order.key(&value), figures.name.clone()));
            }
        })
        .await;
    matching.sort_by(|(one, one_name), (other, other_name)| {
        order
            .compare(one, other)
            .then_with(|| one_name.cmp(other_name))
    });
    matching.into_iter().map(|(_, name)| name).collect()
}

/// The status for an argument that makes no sense; the error names the field.
pub(super) fn invalid(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}
