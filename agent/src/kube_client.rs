//! How the agent reaches an API server and its kubelet: the shared stack under the agent's name and with its timeouts.

use anyhow::Context as _;
use http::{HeaderName, HeaderValue, Request};
use kube::client::Body;
use nodegrace_clock::Clock;
pub(crate) use nodegrace_kube::{TokenFile, failure, lacks_credentials};
pub use nodegrace_kube::{configuration, install_crypto};
use tower::util::MapRequest;

use crate::config::Timeouts;

/// How servers see the agent in their logs.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("nodegrace-agent/", env!("CARGO_PKG_VERSION")));
/// Says as whom a request is to be taken.
const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");

/// A client of an API server; see [`nodegrace_kube::connect`].
///
/// # Errors
/// When the credentials, the CA or the proxy settings of `config` cannot be used.
pub fn connect(
    config: &kube::Config,
    timeouts: &Timeouts,
    clock: &Clock,
) -> anyhow::Result<kube::Client> {
    nodegrace_kube::connect(config, AGENT, timeouts.connections(), clock)
}

/// A client of a kubelet; see [`nodegrace_kube::connect_kubelet`].
pub(crate) fn connect_kubelet(
    config: &kube::Config,
    timeouts: &Timeouts,
    clock: &Clock,
) -> anyhow::Result<kube::Client> {
    nodegrace_kube::connect_kubelet(config, AGENT, timeouts.connections(), clock)
}

/// A client that asks as the node `node`. It names the user and nothing else: with a group or a uid besides, constrained
/// impersonation of the own node does not apply.
pub(crate) fn as_node(client: kube::Client, node: &str) -> anyhow::Result<kube::Client> {
    let user = HeaderValue::try_from(format!("system:node:{node}")).context("the node's name")?;
    let named = move |mut request: Request<Body>| {
        request.headers_mut().insert(IMPERSONATE_USER, user.clone());
        request
    };
    let sending = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move { client.send(request).await }
    });
    // No request leaves its namespace to the client.
    Ok(kube::Client::new(
        MapRequest::new(sending, named),
        "default",
    ))
}
