//! What flips would take along before they come: a node's blast radius, and the Services on endangered nodes.

use nodegrace_core::{
    State,
    cluster::{Service, Share},
};
use nodegrace_proto::v1;
use tonic::Status;

use super::{page, place::Place};
use crate::{
    aggregator::Parts,
    cluster::{ClusterState, Phase},
};

/// Services told of one node.
const MOST_SERVICES: usize = 100;
/// Nodes told of one Service.
const MOST_NODES: usize = 20;

/// What would go with a node. Absent: it is not known.
pub(super) fn blast_radius(cluster: &ClusterState, node: &str) -> Option<v1::BlastRadius> {
    was_listed(cluster.slices().phase).ok()?;
    let shares = cluster.read().blast(node);
    let all_of = |share: &&Share| share.loses >= share.ready;
    Some(v1::BlastRadius {
        total_services: shares.len() as u32,
        addresses: shares.iter().map(|share| share.loses).sum(),
        without_any_left: shares.iter().filter(all_of).count() as u32,
        services: shares
            .iter()
            .take(MOST_SERVICES)
            .map(|share| message(&share.service, share.loses, share.ready))
            .collect(),
    })
}

/// The page of endangered Services that `request` asks for.
pub(super) async fn list(
    parts: &Parts,
    request: &v1::ListServicesAtRiskRequest,
) -> Result<v1::ListServicesAtRiskResponse, Status> {
    let size = page::page_size(request.page_size)?;
    let fingerprint = page::fingerprint(&["services at risk"]);
    let after = Place::after(&request.page_token, fingerprint)?;
    was_listed(parts.cluster.slices().phase)?;
    let now = parts.timeline.now();
    let mut nodes = Vec::new();
    parts
        .register
        .visit(&parts.register.names(), |known| {
            let state = known.figures(now).verdict.state;
            if matches!(state, State::Near | State::Flipping | State::Overdue) {
                nodes.push(known.history.name().clone());
            }
        })
        .await;
    let services = parts.cluster.read().endangered(nodes.iter());
    // Their order is that of the hardest hit; as a place it is the share in thousandths, how many, and the name.
    let mut listed: Vec<_> = services
        .iter()
        .map(|one| {
            let share = i64::from(one.endangered) * 1000 / i64::from(one.ready.max(1));
            let name = one.service.to_string().into();
            (
                Place::new(share, true, (!i64::from(one.endangered), 0), name),
                one,
            )
        })
        .filter(|(place, _)| after.as_ref().is_none_or(|after| place > after))
        .collect();
    listed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut listed = listed.into_iter().peekable();
    let mut response = v1::ListServicesAtRiskResponse {
        endangered_nodes: nodes.len() as u32,
        ..Default::default()
    };
    let mut last = None;
    while response.services.len() < size
        && let Some((place, one)) = listed.next()
    {
        response.services.push(v1::ServiceAtRisk {
            share: Some(message(&one.service, one.endangered, one.ready)),
            node_names: one
                .nodes
                .iter()
                .take(MOST_NODES)
                .map(ToString::to_string)
                .collect(),
        });
        last = Some(place);
    }
    if listed.peek().is_some() {
        response.next_page_token = last
            .map(|place| place.token(fingerprint))
            .unwrap_or_default();
    }
    Ok(response)
}

fn message(service: &Service, loses: u32, ready: u32) -> v1::ServiceShare {
    v1::ServiceShare {
        namespace: service.namespace.to_string(),
        service: service.name.to_string(),
        loses,
        ready,
    }
}

/// Whether what a watch says can be told.
///
/// # Errors
/// `FAILED_PRECONDITION` where it is off, `UNAVAILABLE` until it has listed everything once.
pub(super) fn was_listed(phase: Phase) -> Result<(), Status> {
    match phase {
        Phase::Off => Err(Status::failed_precondition(
            "the cluster is not watched; see --watch-cluster",
        )),
        Phase::Listing => Err(Status::unavailable("the cluster is not listed yet")),
        Phase::Complete | Phase::Behind => Ok(()),
    }
}
