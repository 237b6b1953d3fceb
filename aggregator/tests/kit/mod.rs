//! The kit of the tests: an aggregator in virtual time, agents that report to it and people who ask it, over duplex streams.

mod agent;
pub mod api_server;

use std::{
    io,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use nodegrace_aggregator::{Aggregator, Config, StoreConfig};
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use serde_json::Value;
use tokio::{io::DuplexStream, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use tower::ServiceExt as _;

pub use agent::Agent;

/// An answer over HTTP.
pub struct Answer {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }
}

/// A running aggregator.
pub struct World {
    pub clock: Clock,
    pub shutdown: CancellationToken,
    pub aggregator: Aggregator,
    page: axum::Router,
    connections: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    server: JoinHandle<anyhow::Result<()>>,
}

impl World {
    /// An aggregator with the defaults: a grace period of 50 s, a monitor period of 5 s.
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        Self::start(config, a_clock())
    }

    /// An aggregator that keeps its history in `directory`.
    pub fn on_disk(directory: &Path) -> Self {
        Self::with(Self::durable(directory))
    }

    pub fn durable(directory: &Path) -> Config {
        Config {
            store: Some(StoreConfig::new(directory)),
            ..Config::default()
        }
    }

    /// Kills the aggregator as SIGKILL would, and starts it again with what is in `directory`, at the same moment.
    pub async fn crash(self, directory: &Path) -> Self {
        self.crash_into(Self::durable(directory)).await
    }

    /// As [`World::crash`], started again with another configuration.
    pub async fn crash_into(self, config: Config) -> Self {
        self.server.abort();
        let _ = self.server.await;
        Self::start(config, self.clock)
    }

    /// Stops the aggregator in peace, and starts it again with what is in `directory`.
    pub async fn restart(self, directory: &Path) -> Self {
        let clock = self.clock.clone();
        self.stop().await.expect("a clean end");
        Self::start(Self::durable(directory), clock)
    }

    /// An aggregator on this clock.
    pub fn start(config: Config, clock: Clock) -> Self {
        let shutdown = CancellationToken::new();
        let (connections, incoming) = mpsc::unbounded_channel();
        let aggregator = Aggregator::new(config, clock.clone()).expect("valid settings");
        let (serving, stop) = (aggregator.clone(), shutdown.clone());
        let page = aggregator.page(shutdown.clone());
        let server = tokio::spawn(async move {
            let incoming = UnboundedReceiverStream::new(incoming);
            serving.serve_grpc(incoming, stop).await
        });
        Self {
            clock,
            shutdown,
            aggregator,
            page,
            connections,
            server,
        }
    }

    /// A connection of its own.
    pub fn channel(&self) -> Channel {
        let connections = self.connections.clone();
        // A small window, so that a test can be a slow reader.
        let endpoint =
            Endpoint::from_static("http://aggregator").initial_stream_window_size(64 << 10);
        endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
            let (client, server) = tokio::io::duplex(64 << 10);
            let sent = connections.send(Ok(server));
            async move {
                sent.map_err(io::Error::other)?;
                Ok::<_, io::Error>(TokioIo::new(client))
            }
        }))
    }

    pub fn query(&self) -> QueryClient<Channel> {
        QueryClient::new(self.channel())
    }

    pub async fn node(&self, name: &str) -> v1::Node {
        let request = v1::GetNodeRequest {
            name: name.to_owned(),
        };
        self.query()
            .get_node(request)
            .await
            .expect("a known node")
            .into_inner()
    }

    pub async fn gaps(&self) -> Vec<v1::Gap> {
        let request = v1::ListGapsRequest {
            page_size: 1000,
            ..v1::ListGapsRequest::default()
        };
        let answer = self.query().list_gaps(request).await;
        answer.expect("gaps").into_inner().gaps
    }

    pub async fn fleet(&self) -> v1::Fleet {
        let answer = self.query().get_fleet(v1::GetFleetRequest {}).await;
        answer.expect("a fleet").into_inner()
    }

    /// What the page's server answers to a GET, with these headers.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = hyper::Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(axum::body::Body::empty()).expect("a request"))
            .await
    }

    /// What the page's server answers to this request.
    pub async fn ask(&self, request: hyper::Request<axum::body::Body>) -> Answer {
        let answer = self.page.clone().oneshot(request).await;
        let (head, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).expect("text"),
        }
    }

    /// The JSON at `path`, which must be there.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// An agent of the node `name` with an open stream.
    pub async fn agent(&self, name: &str) -> Agent {
        self.try_agent(name).await.expect("an open stream")
    }

    /// So many agents whose latest sample is large, so that their nodes in full are more than any buffer on the way holds.
    pub async fn crowd(&self, count: u64) -> Vec<Agent> {
        let mut agents = Vec::new();
        for number in 0..count {
            let mut agent = self.agent(&format!("node-{number}")).await;
            let batch = agent.large_sample();
            agent.send(batch).await.expect("an ack");
            agents.push(agent);
        }
        agents
    }

    pub async fn try_agent(&self, name: &str) -> Result<Agent, Status> {
        self.try_agent_with(name, None).await
    }

    /// An agent that shows a token.
    pub async fn try_agent_with(&self, name: &str, token: Option<&str>) -> Result<Agent, Status> {
        Agent::connect(self, name, token).await
    }

    /// Lets `duration` pass.
    pub async fn pass(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// Tells the aggregator to stop and waits for it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.server.await.expect("no panic")
    }
}

/// A clock that shows a day in 2027.
pub fn a_clock() -> Clock {
    Clock::scaled(1.0, UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
