//! The HTTP server: the kubelet's probes.

use std::future::IntoFuture as _;

use anyhow::Context as _;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::drain::drained;
use crate::Aggregator;

impl Aggregator {
    /// Serves `/livez` (200 while the process runs) and `/readyz` (200 while it takes requests, 503 once it drains) on
    /// `listener` until `shutdown`; returns within 5 s of the signal.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let server = axum::serve(listener, routes(shutdown.clone()))
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        drained(server.into_future(), &shutdown)
            .await
            .context("the HTTP server failed")
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
