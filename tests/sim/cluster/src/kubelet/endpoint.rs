//! The kubelets' own HTTP servers, all behind one listener: `/NODE/metrics`, `/NODE/configz`, `/NODE/healthz`; or one by itself, as
//! it is on its node: `/metrics`.

use std::{collections::BTreeMap, fmt, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header, header::AUTHORIZATION};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use nodegrace_clock::Clock;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{effect::Effect, machine::Kubelet, node::SimNode, spec::NodeSpec};

/// How often a request to a stopped kubelet looks whether the kubelet goes on.
const PAUSED_PACE: Duration = Duration::from_millis(200);

/// The servers of some kubelets: cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct KubeletEndpoint {
    clock: Clock,
    nodes: Arc<BTreeMap<String, SimNode>>,
    /// The only one, whose name paths do not begin with, and who may read it.
    only: Option<(String, Guard)>,
}

/// Whom a kubelet answers: it asks the API server whether the holder of a token may `get` a resource such as `nodes/metrics`.
#[derive(Clone)]
pub struct Guard(Arc<Question>);

/// Whether the holder of a token may `get` a resource.
type Question = dyn Fn(&str, &str) -> bool + Send + Sync;

impl Guard {
    /// Answers those for whom `may`, given their token and the resource, is true.
    pub fn new(may: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }

    /// Whether to answer a request for this path; if not, why.
    fn judge(&self, request: &Request<Incoming>, path: &str) -> Result<(), StatusCode> {
        let shown = request.headers().get(AUTHORIZATION);
        let token = shown
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(StatusCode::UNAUTHORIZED)?;
        let may = (self.0)(token, &format!("nodes/{path}"));
        may.then_some(()).ok_or(StatusCode::FORBIDDEN)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Guard")
    }
}

impl KubeletEndpoint {
    pub(crate) fn new(clock: Clock, nodes: &[SimNode]) -> Self {
        let nodes = nodes
            .iter()
            .map(|node| (node.spec().name.clone(), node.clone()));
        Self {
            clock,
            nodes: Arc::new(nodes.collect()),
            only: None,
        }
    }

    /// The server of one kubelet by itself, which answers whom its guard lets.
    pub(crate) fn of(clock: Clock, node: &SimNode, guard: Guard) -> Self {
        let mut endpoint = Self::new(clock, std::slice::from_ref(node));
        endpoint.only = Some((node.spec().name.clone(), guard));
        endpoint
    }

    /// Serves until the future is dropped, with TLS when given a configuration.
    pub(crate) async fn run(self, listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) {
        let tls = tls.map(TlsAcceptor::from);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match (accepted, tls.clone()) {
                    (Ok((socket, _)), None) => {
                        connections.spawn(self.clone().serve(socket));
                    }
                    (Ok((socket, _)), Some(tls)) => {
                        let endpoint = self.clone();
                        connections.spawn(async move {
                            match tls.accept(socket).await {
                                Ok(stream) => endpoint.serve(stream).await,
                                Err(error) => tracing::debug!(%error, "tls handshake with a kubelet failed"),
                            }
                        });
                    }
                    (Err(error), _) => {
                        tracing::warn!(%error, "kubelet endpoint could not accept");
                        self.clock.sleep(PAUSED_PACE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let answer = service_fn(move |request| {
            let endpoint = self.clone();
            async move { endpoint.answer(&request).await }
        });
        let served = auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(io), answer)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "kubelet connection ended");
        }
    }

    /// Answers as the node's kubelet would: late while it is stopped, not at all while it is gone (the connection is dropped).
    async fn answer(&self, request: &Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let whole = request.uri().path().trim_start_matches('/');
        let (name, path) = match (&self.only, whole.split_once('/')) {
            (Some((name, _)), _) => (name.as_str(), Some(whole)),
            (None, Some((name, path))) => (name, Some(path)),
            (None, None) => (whole, None),
        };
        if let (Some((_, guard)), Some(path)) = (&self.only, path)
            && let Err(code) = guard.judge(request, path)
        {
            return Ok(text(code, String::new()));
        }
        let Some(node) = self.nodes.get(name) else {
            return Ok(text(StatusCode::NOT_FOUND, "no such node\n".to_owned()));
        };
        while node.lock().is_paused() {
            if node.lock().is_gone() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            self.clock.sleep(PAUSED_PACE).await;
        }
        Ok(match path {
            Some("metrics") => text(StatusCode::OK, node.metrics()),
            Some("healthz") => text(StatusCode::OK, "ok".to_owned()),
            Some("configz") => {
                let mut answer = text(StatusCode::OK, configz(node.spec()).to_string());
                answer.headers_mut().insert(
                    header::CONTENT_TYPE,
                    header::HeaderValue::from_static("application/json"),
                );
                answer
            }
            _ => text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
        })
    }
}

impl Kubelet {
    fn is_paused(&self) -> bool {
        self.trouble.effects().any(Effect::holds_kubelet)
    }

    fn is_gone(&self) -> bool {
        self.trouble.effects().any(Effect::ends_kubelet)
    }
}

fn text(code: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

/// The settings as `/configz` shows them: Go's durations as text.
fn configz(spec: &NodeSpec) -> Value {
    let go = |duration: Duration| {
        let seconds = duration.as_secs();
        match (seconds / 60, seconds % 60) {
            (0, seconds) => format!("{seconds}s"),
            (minutes, seconds) => format!("{minutes}m{seconds}s"),
        }
    };
    json!({
        "kubeletconfig": {
            "nodeStatusUpdateFrequency": go(spec.status_update_frequency),
            "nodeStatusReportFrequency": go(spec.status_report_frequency),
            "nodeLeaseDurationSeconds": spec.lease_duration.unwrap_or(Duration::from_secs(40)).as_secs(),
            "nodeStatusMaxImages": spec.status_max_images,
            "maxPods": 110,
            "runtimeRequestTimeout": "2m0s",
            "serializeImagePulls": true,
            "imageGCHighThresholdPercent": 85,
            "imageGCLowThresholdPercent": 80,
            "imageMinimumGCAge": "2m0s",
            "kubeReserved": {"cpu": "100m", "memory": "256Mi"},
            "systemReserved": {"cpu": "100m"},
        }
    })
}
