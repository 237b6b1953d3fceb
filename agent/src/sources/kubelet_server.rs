//! Asks the kubelet's own HTTP server at its own pace, so that no sample waits for it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::{AsyncBufReadExt as _, AsyncReadExt as _};
use http::Request;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{KubeletMetrics, KubeletSettings};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Missing, Reading, kubelet_config, kubelet_metrics::Scrape, runtime_socket::SHORTEST_INTERVAL,
    slot::Slot,
};
use crate::{condition::Condition, config::Config, journal::Journal, moment::Moment, wire};

/// Most bytes of /metrics that are read; a kubelet with 500 pods writes about 2 MiB.
const LARGEST_METRICS: u64 = 32 << 20;
/// How often /configz is read once it was: a kubelet has to be restarted to change it.
const CONFIG_INTERVAL: Duration = Duration::from_secs(300);

/// The source that is the kubelet's server, if its URL is given.
pub(crate) struct KubeletServer {
    client: Option<kube::Client>,
    deadline: Duration,
    interval: Duration,
    clock: Clock,
    journal: Arc<Journal>,
    metrics: Arc<Slot<KubeletMetrics>>,
    config: Arc<Slot<()>>,
}

impl KubeletServer {
    pub(crate) fn new(
        client: Option<kube::Client>,
        config: &Config,
        clock: Clock,
        journal: Arc<Journal>,
    ) -> Self {
        let reason = if client.is_some() {
            "not asked yet"
        } else {
            "no --kubelet-url given"
        };
        Self {
            client,
            deadline: config.timeouts.request,
            interval: config.sample_interval.max(SHORTEST_INTERVAL),
            clock,
            journal,
            metrics: Arc::new(Slot::empty(reason)),
            config: Arc::new(Slot::empty(reason)),
        }
    }

    /// Where the readings of /metrics are left.
    pub(super) fn metrics(&self) -> Arc<Slot<KubeletMetrics>> {
        Arc::clone(&self.metrics)
    }

    /// Where it is noted how reading /configz went; the settings go to the journal.
    pub(super) fn config(&self) -> Arc<Slot<()>> {
        Arc::clone(&self.config)
    }

    /// Asks again and again until `shutdown`.
    pub(crate) async fn ask(self, shutdown: CancellationToken) {
        let Some(client) = &self.client else {
            shutdown.cancelled().await;
            return;
        };
        let _: Option<Infallible> = shutdown.run_until_cancelled(self.rounds(client)).await;
    }

    async fn rounds(&self, client: &kube::Client) -> Infallible {
        let mut before = None;
        let mut config_due = Duration::ZERO;
        let (mut metrics, mut config) = (Condition::default(), Condition::default());
        let mut next = self.clock.now();
        loop {
            self.clock.sleep_until(next).await;
            let start = self.clock.now();
            self.metrics.wait("/metrics", start);
            let scrape = self.in_time(scrape(client, &self.clock)).await;
            let reading = scrape.map(|scrape| {
                let since = scrape.since(before.as_ref(), Moment::now(&self.clock));
                before = Some(scrape);
                since
            });
            report("/metrics", &reading, &mut metrics);
            self.metrics
                .put(reading, self.clock.now().saturating_sub(start));

            let start = self.clock.now();
            if start >= config_due {
                self.config.wait("/configz", start);
                let reading = self.in_time(settings(client)).await;
                report("/configz", &reading, &mut config);
                if reading.is_ok() {
                    config_due = start + CONFIG_INTERVAL;
                }
                let reading = reading.map(|settings| self.journal.configured(settings));
                self.config
                    .put(reading, self.clock.now().saturating_sub(start));
            }
            next = self.clock.now().max(next + self.interval);
        }
    }

    async fn in_time<T>(&self, asking: impl Future<Output = Reading<T>>) -> Reading<T> {
        let silence = || {
            Missing::Failed(format!(
                "no answer within {} s",
                self.deadline.as_secs_f64()
            ))
        };
        timeout(self.deadline, asking)
            .await
            .unwrap_or_else(|_| Err(silence()))
    }
}

/// Reads /metrics line by line: the text is never held as a whole.
async fn scrape(client: &kube::Client, clock: &Clock) -> Reading<Scrape> {
    let body = client
        .request_stream(get("/metrics"))
        .await
        .map_err(|error| refused(&error))?;
    let mut scrape = Scrape::new(clock.now());
    let mut lines = futures::io::BufReader::new(Box::pin(body).take(LARGEST_METRICS));
    let mut line = String::new();
    loop {
        line.clear();
        match lines.read_line(&mut line).await {
            Ok(0) => return Ok(scrape),
            Ok(_) => scrape.take(&line),
            Err(error) => return Err(Missing::Failed(wire::one_line(&error))),
        }
    }
}

async fn settings(client: &kube::Client) -> Reading<KubeletSettings> {
    let text = client
        .request_text(get("/configz"))
        .await
        .map_err(|error| refused(&error))?;
    kubelet_config::parse(&text)
}

fn get(path: &'static str) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = http::Uri::from_static(path);
    request
}

fn refused(error: &kube::Error) -> Missing {
    Missing::Failed(match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => wire::one_line(error),
    })
}

/// Logs a change of how a source goes.
fn report<T>(path: &str, reading: &Reading<T>, condition: &mut Condition) {
    match reading {
        Ok(_) if condition.works() => info!(path, "the kubelet tells again"),
        Err(Missing::Failed(error) | Missing::Absent(error)) if condition.fails(error) => {
            warn!(path, error, "the kubelet does not tell");
        }
        _ => {}
    }
}
