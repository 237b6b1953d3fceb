//! Asks the kubelet's own HTTP server at its own pace, so that no sample waits for it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::{AsyncBufReadExt as _, AsyncReadExt as _};
use http::Request;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{Failure, KubeletMetrics, KubeletSettings};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Missing, Reading, kubelet_config, kubelet_metrics::Scrape, runtime_socket::SHORTEST_INTERVAL,
    slot::Slot,
};
use crate::{
    condition::Condition, config::Config, journal::Journal, kube_client, moment::Moment, wire,
};

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
            self.clock.rest_until(next).await;
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
            next = self
                .clock
                .on_beat(self.clock.now().max(next + self.interval));
        }
    }

    async fn in_time<T>(&self, asking: impl Future<Output = Reading<T>>) -> Reading<T> {
        let silence = || {
            Missing::Unanswered(
                Failure::Timeout,
                format!("no answer within {} s", self.deadline.as_secs_f64()),
            )
        };
        timeout(self.deadline, asking)
            .await
            .unwrap_or_else(|_| Err(silence()))
    }
}

/// Reads /metrics line by line: the text is never held as a whole.
async fn scrape(client: &kube::Client, clock: &Clock) -> Reading<Scrape> {
    let asked = clock.now();
    let body = client
        .request_stream(get("/metrics"))
        .await
        .map_err(|error| refused(&error))?;
    let mut scrape = Scrape::new(asked, clock.now());
    let mut lines = futures::io::BufReader::new(Box::pin(body).take(LARGEST_METRICS));
    let mut line = String::new();
    loop {
        line.clear();
        match lines.read_line(&mut line).await {
            Ok(0) => return Ok(scrape),
            Ok(_) => scrape.take(&line),
            Err(error) => {
                return Err(Missing::Unanswered(
                    Failure::Connection,
                    wire::one_line(&error),
                ));
            }
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
    let failure = match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => Failure::Forbidden,
        kube::Error::Api(_) => Failure::ServerError,
        error if kube_client::lacks_credentials(error) => Failure::Forbidden,
        _ => Failure::Connection,
    };
    Missing::Unanswered(failure, kube_client::failure(error))
}

/// Logs a change of how a source goes.
fn report<T>(path: &str, reading: &Reading<T>, condition: &mut Condition) {
    match reading {
        Ok(_) if condition.works() => info!(path, "the kubelet tells again"),
        Err(Missing::Failed(error) | Missing::Absent(error) | Missing::Unanswered(_, error))
            if condition.fails(error) =>
        {
            warn!(path, error, "the kubelet does not tell");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use http_body_util::Full;
    use hyper::body::Bytes;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::journal::BatchLimits;

    const METRICS: &str = include_str!("../../tests/written/kubelet-metrics-1.txt");
    const CONFIGZ: &str =
        r#"{"kubeletconfig":{"nodeStatusUpdateFrequency":"10s","nodeLeaseDurationSeconds":40}}"#;

    /// Lets a kubelet that answers like this be asked for so many seconds.
    async fn ask(
        seconds: u64,
        answer: fn(&str) -> (u16, &'static str),
    ) -> (KubeletServer, Arc<Journal>) {
        let kubelet = service_fn(move |request: Request<Body>| {
            let (code, text) = answer(request.uri().path());
            let body = Full::new(Bytes::from_static(text.as_bytes()));
            async move { Response::builder().status(code).body(body) }
        });
        let client = kube::Client::new(kubelet, "default");
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        let journal = Arc::new(Journal::for_test(&clock));
        let server = KubeletServer::new(
            Some(client.clone()),
            &Config::new("a"),
            clock.clone(),
            Arc::clone(&journal),
        );
        let deadline = clock.now() + Duration::from_secs(seconds);
        tokio::select! {
            never = server.rounds(&client) => match never {},
            () = clock.sleep_until(deadline) => {}
        }
        (server, journal)
    }

    fn settings(journal: &Journal) -> Option<KubeletSettings> {
        let limits = BatchLimits {
            records: 1,
            bytes: 1,
        };
        let mut reader = journal.connect("a").unwrap();
        journal.next_batch(&mut reader, limits).kubelet_settings
    }

    #[tokio::test(start_paused = true)]
    async fn metrics_go_to_samples_and_settings_to_the_journal() {
        let (server, journal) = ask(25, |path| match path {
            "/metrics" => (200, METRICS),
            _ => (200, CONFIGZ),
        })
        .await;
        let metrics = server.metrics().take(Duration::ZERO).reading.unwrap();
        assert_eq!(metrics.running_pods, Some(12));
        assert_eq!(
            metrics.runtime_operations[0].calls, 0,
            "nothing happened between two scrapes"
        );
        assert_eq!(server.config().take(Duration::ZERO).reading, Ok(()));
        assert!(settings(&journal).is_some_and(|settings| settings.node_lease_duration.is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_kubelet_that_answers_with_an_error_is_told_from_one_that_does_not_answer() {
        let failure = async |code| {
            let (server, _) = match code {
                401 => ask(5, |_| (401, "Unauthorized")).await,
                _ => ask(5, |_| (503, "no")).await,
            };
            let missing = server.metrics().take(Duration::ZERO).reading.unwrap_err();
            missing.failure()
        };
        assert_eq!(failure(401).await, Failure::Forbidden);
        assert_eq!(failure(503).await, Failure::ServerError);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kubelet_that_forbids_its_settings_still_tells_its_metrics() {
        let (server, journal) = ask(25, |path| match path {
            "/metrics" => (200, METRICS),
            _ => (
                403,
                "Forbidden (user=agent, verb=get, resource=nodes, subresource=proxy)",
            ),
        })
        .await;
        assert!(server.metrics().take(Duration::ZERO).reading.is_ok());
        let Err(Missing::Unanswered(Failure::Forbidden, reason)) =
            server.config().take(Duration::ZERO).reading
        else {
            panic!("it is forbidden");
        };
        assert!(reason.contains("403"), "{reason}");
        assert!(settings(&journal).is_none());
    }
}
