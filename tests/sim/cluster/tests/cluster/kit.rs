//! What the tests share: a clock, clusters of a node or a few, and an HTTP client that shows whole answers and watch lines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{
    ApiServer, Cluster, ClusterSpec,
    controller::Rule,
    kubelet::{Kind, NodeSpec},
};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

/// The controller of the recordings.
pub(crate) const RECORDED_RULE: Rule = Rule {
    grace_period: Duration::from_secs(40),
    monitor_period: Duration::from_secs(5),
    startup_grace_period: Duration::from_secs(60),
    pass: Duration::from_millis(2),
    reads_lease_live: false,
};

/// When the recordings were made.
pub(crate) fn recorded_day() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_486_660)
}

/// A clock at the pace of tokio's.
pub(crate) fn clock() -> Clock {
    Clock::scaled(1.0, recorded_day())
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A cluster of one node called `real-node`, as in the recordings, with two pods.
pub(crate) fn one_node(kind: Kind, clock: &Clock) -> Cluster {
    let mut node = NodeSpec::new("real-node", kind, 7);
    node.status_report_frequency = node.status_update_frequency;
    let mut spec = ClusterSpec::new(vec![node], 1);
    spec.rule = RECORDED_RULE;
    spec.pods_per_node = 2;
    Cluster::start(spec, clock).unwrap()
}

/// An HTTP client on one connection.
pub(crate) enum Client {
    One(conn::http1::SendRequest<Full<Bytes>>),
    Two(conn::http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// HTTP/1.1 in memory.
    pub(crate) async fn connect(server: &ApiServer) -> Self {
        Self::http1(server.connect().unwrap()).await
    }

    pub(crate) async fn http1(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = conn::http1::handshake(TokioIo::new(io)).await.unwrap();
        tokio::spawn(connection);
        Self::One(sender)
    }

    /// HTTP/2 by prior knowledge.
    pub(crate) async fn http2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self::Two(sender)
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        }
    }

    /// Status and JSON of an answer.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let media = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = request(method, path)
            .header("content-type", media)
            .body(Full::from(
                body.map_or_else(String::new, |body| body.to_string()),
            ))
            .unwrap();
        let answer = self.send(request).await.unwrap();
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// The text of an answer.
    pub(crate) async fn text(&mut self, path: &str) -> String {
        let answer = self
            .send(request("GET", path).body(Full::default()).unwrap())
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None).await
    }

    /// Starts a watch.
    pub(crate) async fn watch(&mut self, path: &str) -> Lines {
        let request = request("GET", path).body(Full::default()).unwrap();
        let answer = self.send(request).await.unwrap();
        assert_eq!(
            answer.status(),
            200,
            "a watch begins with 200 whatever comes"
        );
        Lines {
            body: answer.into_body(),
            waiting: Vec::new(),
        }
    }
}

fn request(method: &str, path: &str) -> http::request::Builder {
    // HTTP/2 needs an authority; HTTP/1.1 does not mind one.
    Request::builder()
        .method(method)
        .uri(format!("http://api.simulated{path}"))
        .header("user-agent", "kit/1.0")
}

/// The lines of a watch.
pub(crate) struct Lines {
    body: Incoming,
    waiting: Vec<u8>,
}

impl Lines {
    /// The next event; none at the end of the stream or when the connection broke.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.ok()?;
            self.waiting.extend_from_slice(&frame.into_data().ok()?);
        }
    }

    /// The next event within some time.
    pub(crate) async fn within(&mut self, time: Duration) -> Option<Value> {
        tokio::time::timeout(time, self.next()).await.ok().flatten()
    }
}

/// A recorded JSON document.
pub(crate) fn fixture(name: &str) -> Value {
    fixtures(name).remove(0)
}

/// Recorded JSON documents, one after the other.
pub(crate) fn fixtures(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::Deserializer::from_str(&text)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap()
}
