//! The HTTP server: the kubelet's probes, and the page.

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{crowd::Crowd, drain::drained, incoming::Socket};
use crate::Aggregator;

/// How long a peer may take for the head of a request, and how long it may pause before the next. Real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections open at once: a kubelet has one for a moment every few seconds.
const MOST_CONNECTIONS: usize = 256;

impl Aggregator {
    /// Serves the page with its API, `/livez` (200 while the process runs) and `/readyz` (200 while it takes requests, 503 once it drains) on
    /// `listener` until `shutdown`, through TLS where the configuration has it; returns within 5 s of the signal.
    pub async fn serve_http(&self, listener: TcpListener, shutdown: CancellationToken) {
        let mut incoming = self.incoming(listener, super::Tls::http);
        let routes = routes(shutdown.clone()).merge(self.page(shutdown.clone()));
        let mut connections = Crowd::new(MOST_CONNECTIONS);
        let serve = async {
            loop {
                tokio::select! {
                    (socket, _) = incoming.next() => {
                        connections.spawn(converse(socket, routes.clone(), shutdown.clone()));
                    }
                    Some(()) = connections.join_next() => {}
                    () = shutdown.cancelled() => break,
                }
            }
            // New connections are refused from here on.
            drop(incoming);
            while connections.join_next().await.is_some() {}
            Ok::<_, Infallible>(())
        };
        let Ok(()) = drained(serve, &shutdown).await;
    }
}

/// Answers what a peer asks until it goes, or keeps silent, or the server stops.
async fn converse(socket: Socket, routes: Router, shutdown: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

fn routes(shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(shutdown)
}

async fn ready(State(shutdown): State<CancellationToken>) -> (StatusCode, &'static str) {
    if shutdown.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
