//! `/metrics`: what Prometheus scrapes.
//!
//! A scrape is computed from a clone of the fleet on a thread of its own, like every question about all nodes: agents' streams
//! go on meanwhile, and all series are of one moment. Nothing is kept between scrapes.

mod cluster;
mod fleet;
mod nodes;
mod own;
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
use nodegrace_core::{Fleet, NodeHistory, State as NodeState, infer_fleet_grace};
pub use nodegrace_exposition::Format;
use nodegrace_exposition::{Exposition, Figures, Kind};
use tokio::{sync::Semaphore, task::JoinError};

pub use self::shown::MetricsNodes;
use crate::{
    Aggregator,
    aggregator::Parts,
    aside,
    query::{cluster_watch, coverage, states},
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
    let Ok(place) = scrapes.places.acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // A scraper that goes ends no computation: its place is free when that is done.
    let of_process = move |out: &mut Exposition| {
        let _place = place;
        for (name, kind, help, value) in Figures::now().families() {
            out.single(name, kind, help, value);
        }
    };
    match scrapes.aggregator.exposition(format, of_process).await {
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
        self.exposition(format, |_| ()).await
    }

    /// All series of the aggregator's, and what `more` writes.
    async fn exposition(
        &self,
        format: Format,
        more: impl FnOnce(&mut Exposition) + Send + 'static,
    ) -> Result<String, JoinError> {
        let parts = Arc::clone(&self.parts);
        let fleet = parts.register.fleet();
        aside::compute(move || {
            let mut out = Exposition::new(format);
            write(&mut out, &fleet, &parts);
            more(&mut out);
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
    let mut states = states(&figures, coverage.as_ref());
    if coverage.is_some() {
        states.entry(NodeState::NoAgent).or_default();
    }
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
    cluster::write(out, &cluster_watch(&parts.cluster));
    own::write(out, parts);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt as _;
    use nodegrace_clock::Clock;
    use tokio::runtime::Builder;

    use super::*;
    use crate::Config;

    #[test]
    fn a_scrape_that_is_cut_off_keeps_its_place_until_it_is_computed() {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let aggregator = Aggregator::new(Config::default(), Clock::real()).unwrap();
            let scrapes = Scrapes {
                aggregator,
                places: Arc::new(Semaphore::new(AT_ONCE)),
            };
            let (release, released) = mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || released.recv());

            let cut_off = scrape(State(scrapes.clone()), HeaderMap::new()).now_or_never();
            assert!(cut_off.is_none(), "the only thread is busy");
            assert_eq!(scrapes.places.available_permits(), AT_ONCE - 1);

            release.send(()).unwrap();
            busy.await.unwrap().unwrap();
            let all = scrapes.places.acquire_many(AT_ONCE as u32).await;
            drop(all.expect("it is computed at last"));
        });
    }
}
