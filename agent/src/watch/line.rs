//! The line to the API server, and what kube's client does not tell of its answers: which HTTP version they came over, for that
//! decides how a server that hangs is noticed, and how long it wants to be left alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Request, Version, header::RETRY_AFTER};
use kube::client::Body;
use tower::service_fn;

/// A client that remembers how it was answered last.
pub(super) struct Line {
    pub(super) client: kube::Client,
    last: Arc<Answer>,
}

/// What is remembered of the last answer.
#[derive(Debug, Default)]
struct Answer {
    pinged: AtomicBool,
    /// In seconds.
    retry_after: AtomicU64,
}

impl Line {
    pub(super) fn new(client: kube::Client) -> Self {
        let last = Arc::new(Answer::default());
        let noted = Arc::clone(&last);
        let noting = service_fn(move |request: Request<Body>| {
            let (client, noted) = (client.clone(), Arc::clone(&noted));
            async move {
                noted.retry_after.store(0, Ordering::Relaxed);
                let answer = client.send(request).await?;
                let is_pinged = answer.version() == Version::HTTP_2;
                noted.pinged.store(is_pinged, Ordering::Relaxed);
                let seconds = retry_after(answer.headers());
                noted.retry_after.store(seconds, Ordering::Relaxed);
                Ok::<_, kube::Error>(answer)
            }
        });
        Self {
            // No request leaves its namespace to the client.
            client: kube::Client::new(noting, "default"),
            last,
        }
    }

    /// Whether the connection is pinged while it is silent. HTTP/1.1 has no ping.
    pub(super) fn is_pinged(&self) -> bool {
        self.last.pinged.load(Ordering::Relaxed)
    }

    /// How long the server wants to be left alone, by the header of its last answer. The filters of an API server that is overloaded
    /// or about to stop say it there alone, beside a plain text. Zero: it does not say, or there was no answer.
    pub(super) fn retry_after(&self) -> Duration {
        Duration::from_secs(self.last.retry_after.load(Ordering::Relaxed))
    }
}

/// Seconds of `Retry-After`. API servers give no date there (`k8s.io/apiserver`, `maxinflight.go` and `with_retry_after.go`).
fn retry_after(headers: &HeaderMap) -> u64 {
    let said = headers.get(RETRY_AFTER).and_then(|said| said.to_str().ok());
    said.and_then(|said| said.trim().parse().ok()).unwrap_or(0)
}
