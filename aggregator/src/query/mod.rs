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
use self::{compute::Computer, page::Orders, watch::Watch};
#[cfg(test)]
pub(crate) use self::{
    field::{Field, Value},
    node::status,
};
use crate::{
    Limits,
    aggregator::Parts,
    places::{Full, Places},
    serve::Peer,
};

/// Largest request in bytes: filters and tokens are bounded far below.
pub(crate) const MAX_MESSAGE_SIZE: usize = 64 << 10;

/// What all who ask share, whichever door they came through: the page's tokens are good over gRPC, and one limit is for all.
#[derive(Debug)]
pub(crate) struct Desk {
    orders: Orders,
    computer: Computer,
    watches: Places<Option<IpAddr>>,
}

impl Desk {
    /// The desk of the run with this number.
    pub(crate) fn new(limits: &Limits, run: u64) -> Self {
        Self {
            orders: Orders::new(run),
            computer: Computer::new(),
            watches: Places::new(limits.watches, limits.watches_of_one),
        }
    }
}

/// The `nodegrace.v1.Query` service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    parts: Arc<Parts>,
    shutdown: CancellationToken,
}

impl Service {
    /// A service that ends its streams at `shutdown`.
    pub(crate) const fn new(parts: Arc<Parts>, shutdown: CancellationToken) -> Self {
        Self { parts, shutdown }
    }
}

#[tonic::async_trait]
impl Query for Service {
    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        list::nodes(&self.parts, &self.parts.desk.orders, &request.into_inner())
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
        node::get(&self.parts, &name).map(Response::new)
    }

    async fn get_node_course(
        &self,
        request: Request<v1::GetNodeCourseRequest>,
    ) -> Result<Response<v1::NodeCourse>, Status> {
        let name = request.into_inner().node_name;
        if name.is_empty() {
            return Err(Status::invalid_argument("node_name: is missing"));
        }
        let Parts {
            register, timeline, ..
        } = &*self.parts;
        register
            .node(&name, |known| node::course(known.beside, timeline))
            .map(Response::new)
            .ok_or_else(|| unknown_node(&name))
    }

    type WatchNodesStream = BoxStream<'static, Result<v1::WatchNodesResponse, Status>>;

    async fn watch_nodes(
        &self,
        request: Request<v1::WatchNodesRequest>,
    ) -> Result<Response<Self::WatchNodesStream>, Status> {
        let peer = request.extensions().get::<Peer>();
        let place = self
            .parts
            .desk
            .watches
            .take(peer.map(|peer| peer.address.ip()));
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
        fleet::totals(&self.parts, &self.parts.desk.computer)
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
        what_if::simulate_grace(
            &self.parts,
            &self.parts.desk.computer,
            &request.into_inner(),
        )
        .await
        .map(Response::new)
    }

    async fn recommend(
        &self,
        request: Request<v1::RecommendRequest>,
    ) -> Result<Response<v1::RecommendResponse>, Status> {
        recommend::recommendation(
            &self.parts,
            &self.parts.desk.computer,
            &request.into_inner(),
        )
        .await
        .map(Response::new)
    }
}

fn unknown_node(name: &str) -> Status {
    Status::not_found(format!("no agent has reported for a node {name:?}"))
}
