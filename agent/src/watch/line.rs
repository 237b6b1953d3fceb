//! The line to the API server: which HTTP version it speaks, for that decides how a server that hangs is noticed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{Request, Version};
use kube::client::Body;
use tower::service_fn;

/// A client that remembers over which HTTP version it was answered last.
pub(super) struct Line {
    pub(super) client: kube::Client,
    pinged: Arc<AtomicBool>,
}

impl Line {
    pub(super) fn new(client: kube::Client) -> Self {
        let pinged = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&pinged);
        let noting = service_fn(move |request: Request<Body>| {
            let (client, noted) = (client.clone(), Arc::clone(&noted));
            async move {
                let answer = client.send(request).await?;
                noted.store(answer.version() == Version::HTTP_2, Ordering::Relaxed);
                Ok::<_, kube::Error>(answer)
            }
        });
        Self {
            // No request leaves its namespace to the client.
            client: kube::Client::new(noting, "default"),
            pinged,
        }
    }

    /// Whether the connection is pinged while it is silent. HTTP/1.1 has no ping.
    pub(super) fn is_pinged(&self) -> bool {
        self.pinged.load(Ordering::Relaxed)
    }
}
