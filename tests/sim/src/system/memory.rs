//! How the parts of a system reach each other over pipes in memory: the same bytes as over TCP, but time can stand still.

mod name;
mod pipe;

use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use kube::client::Body;
use nodegrace_sim_cluster::{ApiServer, Cluster};
use tower::service_fn;

pub(super) use self::name::Name;
use self::pipe::Pipe;

/// The ends that callers connect to: cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Links {
    api_server: ApiServer,
    /// The aggregators.
    pub(super) name: Name,
}

impl Links {
    /// Links to a cluster, and to aggregators of which there is none yet.
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self {
            api_server: cluster.server().clone(),
            name: Name::default(),
        }
    }

    /// A connection of its own to the API server.
    pub(super) fn api_server(&self) -> kube::Client {
        let server = self.api_server.clone();
        let connector = service_fn(move |_: http::Uri| {
            let connected = server.connect().map(|pipe| TokioIo::new(Pipe(pipe)));
            std::future::ready(connected)
        });
        let http = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build::<_, Body>(connector);
        // kube writes paths only; the host of a pipe can be any.
        let service = tower::util::MapRequest::new(http, |mut request: http::Request<Body>| {
            if let Some(path) = request.uri().path_and_query() {
                *request.uri_mut() = http::Uri::builder()
                    .scheme("http")
                    .authority("api-server")
                    .path_and_query(path.clone())
                    .build()
                    .expect("a valid path stays valid behind a host");
            }
            request
        });
        kube::Client::new(service, "default")
    }
}
