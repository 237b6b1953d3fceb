//! Answers `GET /metrics`, one scrape to a connection.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use http::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use nodegrace_clock::Clock;
use nodegrace_exposition::Figures;
use nodegrace_spool::Class;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    families::{Kept, Present, families},
    format::Format,
};
use crate::{journal::Journal, rhythm::Rhythm};

/// Connections at once: a pair of Prometheus servers, a person who looks, and some to spare. The next waits for one to end.
const AT_ONCE: usize = 8;
/// Longest life of a connection, in real time: a scraper asks at once, and reads some KiB.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes of a request's head at most.
const MAX_HEAD: usize = 16 << 10;

/// The server of the agent's own metrics.
pub(crate) struct Server {
    listener: TcpListener,
    scrape: Arc<Scrape>,
}

/// What a scrape is made of.
pub(crate) struct Scrape {
    /// Holds what was counted.
    pub(crate) journal: Arc<Journal>,
    /// How the heartbeats come.
    pub(crate) rhythm: watch::Receiver<Rhythm>,
    /// The node.
    pub(crate) node: String,
    /// The clock that heartbeats are timed by.
    pub(crate) clock: Clock,
    /// Whether there are aggregators, for whom records are kept.
    pub(crate) reports: bool,
}

impl Server {
    /// Listens at `address`.
    ///
    /// # Errors
    /// When that is not to be had.
    pub(crate) async fn bind(address: SocketAddr, scrape: Scrape) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("--metrics-listen {address}"))?;
        let address = listener.local_addr().context("--metrics-listen")?;
        info!(%address, "serves metrics");
        let scrape = Arc::new(scrape);
        Ok(Self { listener, scrape })
    }

    /// Answers until `shutdown`.
    pub(crate) async fn serve(self, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let has_place = connections.len() < AT_ONCE;
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if has_place => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, Arc::clone(&self.scrape)));
                    }
                    Err(error) => {
                        warn!(%error, "a connection for metrics was not accepted");
                        // The process has no descriptor left, perhaps: more haste frees none.
                        #[allow(clippy::disallowed_methods, reason = "sockets live in real time")]
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }
}

async fn connection(stream: TcpStream, scrape: Arc<Scrape>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let scrape = Arc::clone(&scrape);
        async move { Ok::<_, Infallible>(scrape.answer(&request)) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    match timeout(LONGEST, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a scrape broke off"),
        Err(_) => debug!("a scrape took too long"),
    }
}

impl Scrape {
    pub(super) fn answer<T>(&self, request: &Request<T>) -> Response<Full<Bytes>> {
        let refuse = |status: StatusCode| {
            let mut response = Response::new(Full::default());
            *response.status_mut() = status;
            response
        };
        if request.uri().path() != "/metrics" {
            return refuse(StatusCode::NOT_FOUND);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refuse(StatusCode::METHOD_NOT_ALLOWED);
        }
        let accept = request.headers().get(ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        let format = Format::accepted(accept.unwrap_or_default());
        let body = self.write(format);
        let response = Response::builder()
            .header(CONTENT_TYPE, format.content_type())
            .body(Full::from(body));
        response.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn write(&self, format: Format) -> Vec<u8> {
        let awaited = self.rhythm.borrow().awaited();
        let running_gap = awaited.map(|awaited| self.clock.now().saturating_sub(awaited.since));
        let mut records = Vec::new();
        if self.reports {
            let ledger = self.journal.ledger();
            for (kind, class) in [
                ("heartbeat", Class::Heartbeat),
                ("sample", Class::Sample),
                ("other", Class::Other),
            ] {
                let kept = Kept {
                    held: ledger[class].held,
                    lost: ledger[class].dropped + ledger[class].lost,
                };
                records.push((kind, kept));
            }
        }
        let present = Present {
            node: &self.node,
            running_gap,
            records,
            process: Figures::now(),
        };
        format.write(&families(&self.journal.tally().read(), &present))
    }
}
