//! What people and programs ask. Nothing in here changes anything.

mod cause;
mod cluster;
mod compute;
mod explain;
mod field;
mod filter;
mod fleet;
mod flips;
mod gaps;
mod list;
mod node;
mod order;
mod page;
mod place;
mod recommend;
mod risk;
mod watch;
mod what_if;

use std::{net::IpAddr, sync::Arc};

use futures::{StreamExt as _, stream::BoxStream};
use nodegrace_proto::v1::{self, query_server::Query};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

pub(crate) use self::{
    cluster::watch as cluster_watch,
    filter::Filter,
    fleet::{coverage, states},
    node::{channel, state as node_state, value as node_value},
};
use self::{compute::Computer, node::Shape, page::Orders, watch::Watch};
use crate::{
    aggregator::Parts,
    places::{Full, Places},
    serve::Peer,
};

/// Largest request in bytes: filters and tokens are bounded far below.
pub(crate) const MAX_MESSAGE_SIZE: usize = 64 << 10;

/// The `nodegrace.v1.Query` service.
#[derive(Debug)]
pub(crate) struct Service {
    parts: Arc<Parts>,
    orders: Orders,
    computer: Computer,
    watches: Places<Option<IpAddr>>,
    shutdown: CancellationToken,
}

impl Service {
    /// A service that ends its streams at `shutdown`.
    pub(crate) fn new(parts: Arc<Parts>, shutdown: CancellationToken) -> Self {
        Self {
            computer: Computer::new(),
            orders: Orders::new(parts.timeline.run()),
            watches: Places::new(
                parts.config.limits.watches,
                parts.config.limits.watches_of_one,
            ),
            parts,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl Query for Service {
    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        list::nodes(&self.parts, &self.orders, &request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_node(
        &self,
        request: Request<v1::GetNodeRequest>,
    ) -> Result<Response<v1::Node>, Status> {
        let name = request.into_inner().name;
        if name.is_empty() {
            return Err(Status::invalid_argument("name: is missing"));
        }
        let Parts {
            register, timeline, ..
        } = &*self.parts;
        register
            .node(&name, |known| {
                let figures = known.figures(timeline.now());
                node::message(&figures, known.beside, timeline, Shape::Full)
            })
            .map(|node| v1::Node {
                blast_radius: risk::blast_radius(&self.parts.cluster, &name),
                ..node
            })
            .map(Response::new)
            .ok_or_else(|| unknown_node(&name))
    }

    type WatchNodesStream = BoxStream<'static, Result<v1::WatchNodesResponse, Status>>;

    async fn watch_nodes(
        &self,
        request: Request<v1::WatchNodesRequest>,
    ) -> Result<Response<Self::WatchNodesStream>, Status> {
        let peer = request.extensions().get::<Peer>();
        let place = self.watches.take(peer.map(|peer| peer.address.ip()));
        let place = place.map_err(|full| match full {
            Full::All => Status::resource_exhausted("too many watches are open"),
            Full::OfOne => Status::resource_exhausted("too many watches of one address are open"),
        })?;
        let watch = Watch::new(
            Arc::clone(&self.parts),
            &request.into_inner(),
            place,
            self.shutdown.clone(),
        )?;
        Ok(Response::new(watch.steps().boxed()))
    }

    async fn list_gaps(
        &self,
        request: Request<v1::ListGapsRequest>,
    ) -> Result<Response<v1::ListGapsResponse>, Status> {
        gaps::list(&self.parts, &request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_fleet(
        &self,
        _: Request<v1::GetFleetRequest>,
    ) -> Result<Response<v1::Fleet>, Status> {
        fleet::totals(&self.parts, &self.computer)
            .await
            .map(Response::new)
    }

    async fn list_flips(
        &self,
        request: Request<v1::ListFlipsRequest>,
    ) -> Result<Response<v1::ListFlipsResponse>, Status> {
        flips::list(&self.parts, &request.into_inner()).map(Response::new)
    }

    async fn explain_endpoint(
        &self,
        request: Request<v1::ExplainEndpointRequest>,
    ) -> Result<Response<v1::ExplainEndpointResponse>, Status> {
        explain::story(&self.parts, &request.into_inner()).map(Response::new)
    }

    async fn list_services_at_risk(
        &self,
        request: Request<v1::ListServicesAtRiskRequest>,
    ) -> Result<Response<v1::ListServicesAtRiskResponse>, Status> {
        risk::list(&self.parts, &request.into_inner())
            .await
            .map(Response::new)
    }

    async fn simulate_grace(
        &self,
        request: Request<v1::SimulateGraceRequest>,
    ) -> Result<Response<v1::SimulateGraceResponse>, Status> {
        what_if::simulate_grace(&self.parts, &self.computer, &request.into_inner())
            .await
            .map(Response::new)
    }

    async fn recommend(
        &self,
        request: Request<v1::RecommendRequest>,
    ) -> Result<Response<v1::RecommendResponse>, Status> {
        recommend::recommendation(&self.parts, &self.computer, &request.into_inner())
            .await
            .map(Response::new)
    }
}

fn unknown_node(name: &str) -> Status {
    Status::not_found(format!("no agent has reported for a node {name:?}"))
}
