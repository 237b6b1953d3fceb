//! The HTTP server: the kubelet's probes and the page's files, which are open to everybody, and behind the guard what shows something.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;

use super::{
    crowd::Crowd,
    drain::drained,
    guard::Door,
    incoming::{Peer, Socket},
    steady::Steady,
};
use crate::{Aggregator, metrics, places::Places};

/// How long a peer may take for the head of a request, and how long it may pause before the next. Real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest head of a request in bytes, and most headers in it: browsers send a dozen with some KiB of cookies, and a token of a
/// large organisation's has some KiB as well.
const MOST_HEAD_BYTES: usize = 32 << 10;
const MOST_HEADERS: usize = 64;

/// Connections open at once: a kubelet has one for a moment every few seconds, a browser six.
const MOST_CONNECTIONS: usize = 256;
/// Of these, connections of one address: no single peer keeps the kubelet out, and a proxy has enough.
const MOST_CONNECTIONS_OF_ONE: usize = 128;

impl Aggregator {
    /// Serves the page with its API, `/metrics`, `/livez` (200 while the process runs) and `/readyz` (200 while it takes requests, 503
    /// once it drains) on `listener` until `shutdown`, through TLS where the configuration has it; returns within 5 s of the signal.
    pub async fn serve_http(&self, listener: TcpListener, shutdown: CancellationToken) {
        // In all, the crowd sees to it.
        let places = Places::new(usize::MAX, MOST_CONNECTIONS_OF_ONE);
        let mut incoming = self.incoming(listener, super::Tls::http, places);
        let routes = routes(shutdown.clone())
            .merge(metrics::routes(self.clone()))
            .merge(self.page(shutdown.clone()));
        let routes = self.guarded(Door::Http, routes);
        let mut connections = Crowd::new(MOST_CONNECTIONS);
        let serve = async {
            loop {
                tokio::select! {
                    connection = incoming.next() => {
                        let (socket, peer) = connection;
                        let socket = Steady::new(socket, Arc::clone(&self.parts));
                        connections.spawn(converse(socket, peer, routes.clone(), shutdown.clone()));
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
async fn converse(socket: Steady<Socket>, peer: Peer, routes: Router, shutdown: CancellationToken) {
    let routes = MapRequest::new(routes, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert::<Peer>(peer.clone());
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MOST_HEAD_BYTES)
        .max_headers(MOST_HEADERS)
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
