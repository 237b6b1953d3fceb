//! An aggregator whose answers are fixed, behind a pipe in memory or a socket.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures::{Stream, stream};
use hyper_util::rt::TokioIo;
use nodegrace_proto::v1::{
    self,
    query_server::{Query, QueryServer},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server},
};

use super::{answers, endpoints};

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Every page of nodes.
    pub nodes: Vec<v1::ListNodesRequest>,
    /// Every page of gaps.
    pub gaps: Vec<v1::ListGapsRequest>,
    /// Every page of flips.
    pub flips: Vec<v1::ListFlipsRequest>,
    /// Every story.
    pub stories: Vec<v1::ExplainEndpointRequest>,
    /// Every what-if.
    pub what_ifs: Vec<v1::SimulateGraceRequest>,
    /// Every token that was shown.
    pub tokens: Vec<String>,
    /// How many questions there were.
    pub questions: usize,
}

/// Fixed answers.
#[derive(Clone)]
pub struct Fixed {
    pub nodes: Vec<v1::Node>,
    pub gaps: Vec<v1::Gap>,
    pub flips: Vec<v1::Flip>,
    pub story: v1::ExplainEndpointResponse,
    pub services: Vec<v1::ServiceAtRisk>,
    pub fleet: v1::Fleet,
    pub what_if: v1::SimulateGraceResponse,
    pub recommendation: v1::RecommendResponse,
    /// Answers every question instead.
    pub refusal: Option<Status>,
    /// Answers the questions of these numbers instead; the first is 0.
    pub refusals: Vec<(usize, Status)>,
    /// Gaps that are not listed any more.
    pub dropped_gaps: u64,
    /// What was asked so far.
    pub asked: Arc<Mutex<Asked>>,
    /// Nodes, or flips, of a page at most.
    pub page: usize,
}

impl Default for Fixed {
    fn default() -> Self {
        Self {
            nodes: answers::nodes(),
            gaps: answers::gaps(),
            flips: endpoints::flips(),
            story: endpoints::story(),
            services: endpoints::services(),
            fleet: answers::fleet(),
            what_if: answers::what_if(),
            recommendation: answers::recommendation(),
            refusal: None,
            refusals: Vec::new(),
            dropped_gaps: 0,
            asked: Arc::default(),
            page: 1000,
        }
    }
}

impl Fixed {
    /// An aggregator that answers nothing else.
    pub fn refusing(status: Status) -> Self {
        Self {
            refusal: Some(status),
            ..Self::default()
        }
    }

    /// A connection to it in memory.
    pub fn channel(&self) -> Channel {
        let service = QueryServer::new(self.clone());
        let endpoint = Endpoint::from_static("http://aggregator");
        endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
            let (client, server) = tokio::io::duplex(1 << 16);
            let incoming = stream::iter([Ok::<_, io::Error>(server)]);
            let server = Server::builder().add_service(service.clone());
            tokio::spawn(server.serve_with_incoming(incoming));
            async { Ok::<_, io::Error>(TokioIo::new(client)) }
        }))
    }

    /// Serves it on a free port of this machine.
    pub async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let server = Server::builder().add_service(QueryServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    /// What was asked so far.
    pub fn asked(&self) -> Asked {
        self.asked.lock().expect("no panic").clone()
    }

    fn note<T>(&self, request: &Request<T>, note: impl FnOnce(&mut Asked)) -> Result<(), Status> {
        let mut asked = self.asked.lock().expect("no panic");
        let token = request.metadata().get("authorization");
        let token = token.and_then(|token| token.to_str().ok());
        asked.tokens.extend(token.map(str::to_owned));
        note(&mut asked);
        let number = asked.questions;
        asked.questions += 1;
        let mut refusals = self.refusals.iter();
        let own = refusals.find(|(refused, _)| *refused == number);
        let refusal = own.map(|(_, status)| status).or(self.refusal.as_ref());
        refusal.cloned().map_or(Ok(()), Err)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Query for Fixed {
    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Answer<v1::ListNodesResponse> {
        self.note(&request, |asked| {
            asked.nodes.push(request.get_ref().clone());
        })?;
        let request = request.into_inner();
        let from = request.page_token.parse().unwrap_or(0);
        let size = self
            .page
            .min(usize::try_from(request.page_size).unwrap_or(0));
        let nodes: Vec<_> = self.nodes.iter().skip(from).take(size).cloned().collect();
        let next = from + nodes.len();
        Ok(Response::new(v1::ListNodesResponse {
            next_page_token: if next < self.nodes.len() {
                next.to_string()
            } else {
                String::new()
            },
            nodes,
            total_size: i32::try_from(self.nodes.len()).expect("few"),
        }))
    }

    async fn get_node(&self, request: Request<v1::GetNodeRequest>) -> Answer<v1::Node> {
        self.note(&request, |_| ())?;
        let name = &request.get_ref().name;
        let node = self.nodes.iter().find(|node| node.name == *name).cloned();
        node.map(Response::new)
            .ok_or_else(|| Status::not_found(format!("no agent has reported for a node {name:?}")))
    }

    async fn get_node_course(
        &self,
        _: Request<v1::GetNodeCourseRequest>,
    ) -> Answer<v1::NodeCourse> {
        Err(Status::unimplemented("nobody asks"))
    }

    type WatchNodesStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchNodesResponse, Status>> + Send>>;

    async fn watch_nodes(
        &self,
        _: Request<v1::WatchNodesRequest>,
    ) -> Answer<Self::WatchNodesStream> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn list_gaps(
        &self,
        request: Request<v1::ListGapsRequest>,
    ) -> Answer<v1::ListGapsResponse> {
        self.note(&request, |asked| asked.gaps.push(request.get_ref().clone()))?;
        let node = &request.get_ref().node_name;
        let is_bare = |known: &v1::Node| known.name == *node && known.state() == v1::State::NoAgent;
        if self.nodes.iter().any(is_bare) {
            return Err(Status::not_found("no agent has reported for it"));
        }
        let chosen = |gap: &&v1::Gap| node.is_empty() || gap.node_name == *node;
        Ok(Response::new(v1::ListGapsResponse {
            gaps: self.gaps.iter().filter(chosen).cloned().collect(),
            dropped_gaps: self.dropped_gaps,
            ..v1::ListGapsResponse::default()
        }))
    }

    async fn get_fleet(&self, request: Request<v1::GetFleetRequest>) -> Answer<v1::Fleet> {
        self.note(&request, |_| ())?;
        Ok(Response::new(self.fleet.clone()))
    }

    async fn simulate_grace(
        &self,
        request: Request<v1::SimulateGraceRequest>,
    ) -> Answer<v1::SimulateGraceResponse> {
        self.note(&request, |asked| {
            asked.what_ifs.push(request.get_ref().clone());
        })?;
        Ok(Response::new(self.what_if.clone()))
    }

    async fn recommend(
        &self,
        request: Request<v1::RecommendRequest>,
    ) -> Answer<v1::RecommendResponse> {
        self.note(&request, |_| ())?;
        Ok(Response::new(self.recommendation.clone()))
    }

    async fn list_flips(
        &self,
        request: Request<v1::ListFlipsRequest>,
    ) -> Answer<v1::ListFlipsResponse> {
        self.note(&request, |asked| {
            asked.flips.push(request.get_ref().clone());
        })?;
        let request = request.into_inner();
        let chosen = |flip: &&v1::Flip| {
            (request.node_name.is_empty() || flip.node_name == request.node_name)
                && (request.kind == 0 || flip.kind == request.kind)
        };
        let from = request.page_token.parse().unwrap_or(0);
        let rest = self.flips.iter().filter(chosen).skip(from);
        let (flips, left): (Vec<_>, Vec<_>) = rest
            .cloned()
            .enumerate()
            .partition(|(place, _)| *place < self.page);
        Ok(Response::new(v1::ListFlipsResponse {
            next_page_token: if left.is_empty() {
                String::new()
            } else {
                (from + flips.len()).to_string()
            },
            flips: flips.into_iter().map(|(_, flip)| flip).collect(),
            ..v1::ListFlipsResponse::default()
        }))
    }

    async fn explain_endpoint(
        &self,
        request: Request<v1::ExplainEndpointRequest>,
    ) -> Answer<v1::ExplainEndpointResponse> {
        self.note(&request, |asked| {
            asked.stories.push(request.get_ref().clone());
        })?;
        Ok(Response::new(self.story.clone()))
    }

    async fn list_services_at_risk(
        &self,
        request: Request<v1::ListServicesAtRiskRequest>,
    ) -> Answer<v1::ListServicesAtRiskResponse> {
        self.note(&request, |_| ())?;
        Ok(Response::new(v1::ListServicesAtRiskResponse {
            services: self.services.clone(),
            next_page_token: String::new(),
            endangered_nodes: 5,
        }))
    }
}
