//! How the agent reaches an API server and its kubelet: the shared stack under the agent's name and with its timeouts.

use http::HeaderValue;
pub(crate) use nodegrace_kube::{TokenFile, failure, lacks_credentials};
pub use nodegrace_kube::{configuration, install_crypto};

use crate::config::Timeouts;

/// How servers see the agent in their logs.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("nodegrace-agent/", env!("CARGO_PKG_VERSION")));

/// A client of an API server; see [`nodegrace_kube::connect`].
///
/// # Errors
/// When the credentials, the CA or the proxy settings of `config` cannot be used.
pub fn connect(config: &kube::Config, timeouts: &Timeouts) -> anyhow::Result<kube::Client> {
    nodegrace_kube::connect(config, AGENT, timeouts.connections())
}

/// A client of a kubelet; see [`nodegrace_kube::connect_kubelet`].
pub(crate) fn connect_kubelet(
    config: &kube::Config,
    timeouts: &Timeouts,
) -> anyhow::Result<kube::Client> {
    nodegrace_kube::connect_kubelet(config, AGENT, timeouts.connections())
}
