//! `/metrics`: what Prometheus scrapes.
//!
//! A scrape is computed from a clone of the fleet on a thread of its own, like every question about all nodes: agents' streams
//! go on meanwhile, and all series are of one moment. Nothing is kept between scrapes.

mod exposition;
mod fleet;
mod nodes;
mod own;
mod process;
mod shown;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use nodegrace_core::{Fleet, NodeHistory, infer_fleet_grace};
use tokio::{sync::Semaphore, task::JoinError};

use self::exposition::{Exposition, Kind};
pub use self::{exposition::Format, shown::MetricsNodes};
use crate::{
    Aggregator,
    aggregator::Parts,
    query::{coverage, states},
};

/// Scrapes at once: a pair of Prometheus servers, and a person who looks. The next waits for one of them.
const AT_ONCE: usize = 3;

/// Where scrapes are answered.
#[derive(Clone, Debug)]
struct Scrapes {
    aggregator: Aggregator,
    places: Arc<Semaphore>,
}

/// The route `/metrics`.
pub(crate) fn routes(aggregator: Aggregator) -> Router {
    let scrapes = Scrapes {
        aggregator,
        places: Arc::new(Semaphore::new(AT_ONCE)),
    };
    Router::new()
        .route("/metrics", get(scrape))
        .with_state(scrapes)
}

async fn scrape(State(scrapes): State<Scrapes>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let Ok(_place) = scrapes.places.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match scrapes.aggregator.exposition(format, true).await {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a scrape was not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Aggregator {
    /// What `/metrics` answers, without the process's own figures.
    ///
    /// # Errors
    /// When the computation panicked.
    pub async fn metrics(&self, format: Format) -> Result<String, JoinError> {
        self.exposition(format, false).await
    }

    async fn exposition(&self, format: Format, process: bool) -> Result<String, JoinError> {
        let parts = Arc::clone(&self.parts);
        let fleet = parts.register.fleet();
        tokio::task::spawn_blocking(move || {
            let mut out = Exposition::new(format);
            write(&mut out, &fleet, &parts);
            if process {
                own::write_process(&mut out);
            }
            out.finish()
        })
        .await
    }
}

fn write(out: &mut Exposition, fleet: &Fleet, parts: &Parts) {
    let now = parts.timeline.now();
    let figures = fleet.figures(now);
    let inferred = infer_fleet_grace(fleet);
    let nodes = parts.config.metrics_nodes.of(fleet, now);
    let coverage = coverage(parts, fleet, now);
    let states = states(&figures, coverage.as_ref());
    let controller = &fleet.config().controller;
    fleet::write(out, &figures, &states, controller, inferred.as_ref());
    for (name, help, value) in [
        (
            "nodegrace_metrics_nodes_shown",
            "Nodes that have series of their own; see --metrics-nodes.",
            nodes.len(),
        ),
        (
            "nodegrace_metrics_nodes_known",
            "Nodes known, with series of their own or without.",
            fleet.histories().len(),
        ),
        (
            "nodegrace_node_history_bytes",
            "Memory that the histories of all nodes take.",
            fleet.histories().map(NodeHistory::bytes).sum(),
        ),
    ] {
        out.single(name, Kind::Gauge, help, Some(value as f64));
    }
    nodes::write(out, &nodes);
    own::write(out, parts);
}
