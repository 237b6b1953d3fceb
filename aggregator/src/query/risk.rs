//! What flips would take along before they come: a node's blast radius, and the Services on endangered nodes.

use std::sync::Arc;

use nodegrace_core::{
    State,
    cluster::{Service, Share},
};
use nodegrace_proto::v1;
use tonic::Status;

use super::{page, place::Place};
use crate::{
    aggregator::Parts,
    cluster::{ClusterState, Phase, Progress},
};

/// Services told of one node.
const MOST_SERVICES: usize = 100;
/// Nodes told of one Service.
const MOST_NODES: usize = 20;

/// What would go with a node. Absent: it is not known.
pub(super) fn blast_radius(cluster: &ClusterState, node: &str) -> Option<v1::BlastRadius> {
    was_listed(&cluster.slices()).ok()?;
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
    was_listed(&parts.cluster.slices())?;
    let now = parts.timeline.now();
    let mut nodes = Vec::new();
    let roster = parts.register.roster();
    parts
        .register
        .glance(&roster, |number, node| {
            let state = node.standing.state(node.config, now);
            if matches!(state, State::Near | State::Flipping | State::Overdue) {
                nodes.push(Arc::clone(&roster.names()[number]));
            }
        })
        .await;
    let services = parts.cluster.read().endangered(nodes.iter());
    // Their order is that of the hardest hit; as a place it is the share in thousandths, how many, and the name.
    let mut page = page::Collector::new(size, after);
    for one in services {
        let share = i64::from(one.endangered) * 1000 / i64::from(one.ready.max(1));
        let name = one.service.to_string().into();
        let place = Place::new(share, true, (!i64::from(one.endangered), 0), name);
        page.take(place, || one);
    }
    let (services, next) = page.page();
    let services = services.into_values().map(|one| v1::ServiceAtRisk {
        share: Some(message(&one.service, one.endangered, one.ready)),
        node_names: one
            .nodes
            .iter()
            .take(MOST_NODES)
            .map(ToString::to_string)
            .collect(),
    });
    Ok(v1::ListServicesAtRiskResponse {
        services: services.collect(),
        next_page_token: next.map_or_else(String::new, |place| place.token(fingerprint)),
        endangered_nodes: nodes.len() as u32,
    })
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
/// `FAILED_PRECONDITION` where it is off, `UNAVAILABLE` with the reason until it has listed everything once.
pub(super) fn was_listed(watch: &Progress) -> Result<(), Status> {
    match watch.phase {
        Phase::Off => Err(Status::failed_precondition(
            "the cluster is not watched; see --watch-cluster",
        )),
        Phase::Listing => Err(Status::unavailable(because(
            "the cluster is not listed yet",
            watch,
        ))),
        Phase::Complete | Phase::Behind => Ok(()),
    }
}

/// What is doubtful about what is known of flips and of addresses, in words. Empty: nothing.
pub(super) fn doubts(cluster: &ClusterState) -> String {
    let (nodes, slices) = (cluster.nodes(), cluster.slices());
    match (slices.phase, nodes.phase) {
        (Phase::Off, _) => {
            "the cluster is not watched (--watch-cluster): only flips that agents saw are told, and no addresses"
                .to_owned()
        }
        (Phase::Listing, _) => because(
            "the EndpointSlices are not listed: only what an earlier run kept of addresses is told",
            &slices,
        ),
        (Phase::Behind, _) => because(
            "the watch of EndpointSlices is broken: the latest changes are missing",
            &slices,
        ),
        (Phase::Complete, Phase::Complete) => String::new(),
        (Phase::Complete, _) => because(
            "the watch of Nodes is not up to date: the latest flips may be missing",
            &nodes,
        ),
    }
}

/// What is wrong with a watch, and why, where that is known.
fn because(what: &str, watch: &Progress) -> String {
    if watch.trouble.is_empty() {
        return what.to_owned();
    }
    format!("{what} ({})", watch.trouble)
}
