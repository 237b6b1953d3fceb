//! The HTTP stack between a part of nodegrace and an API server (or a kubelet): one HTTP/2 connection with keepalive pings.
//!
//! kube's own default is HTTP/1.1 with a connection per watch and no keepalive: a dead API server would go unnoticed for
//! minutes, far beyond any grace period. Credentials, CA and impersonation come from kube's configuration as they are. There
//! is no retrying layer: a retry would hide what is measured.

mod pauses;
mod ping_timer;
mod token_file;
mod words;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, USER_AGENT},
    uri::Scheme,
};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self as client, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    client::{Body, ConfigExt as _},
    config::{KubeConfigOptions, Kubeconfig},
};
use nodegrace_clock::Clock;
use tower::{BoxError, ServiceBuilder};

use self::ping_timer::PingTimer;

pub use self::{
    pauses::Pauses,
    token_file::TokenFile,
    words::{flat, one_line, with_causes},
};

/// Timeouts of connections, in real time: they guard against dead peers, whatever clock their owner measures by.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To open a TCP connection. Default: 3 s.
    pub connect: Duration,
    /// Silence after which a connection is pinged. Default: 2 s.
    pub keepalive_interval: Duration,
    /// Time to answer a ping. Default: 2 s: together with the interval, a dead API server is noticed within 5 s.
    pub keepalive_timeout: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            keepalive_interval: Duration::from_secs(2),
            keepalive_timeout: Duration::from_secs(2),
        }
    }
}

/// Reads how to reach the API server: from `kubeconfig` if given; else as a pod, if this is one; else from `$KUBECONFIG` or
/// `~/.kube/config`. `context` picks a context of a kubeconfig; absent means its current one.
///
/// # Errors
/// When the file cannot be read or says nothing usable.
pub async fn configuration(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> anyhow::Result<kube::Config> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = kubeconfig {
        let file = Kubeconfig::read_from(path)
            .with_context(|| format!("kubeconfig {}", path.display()))?;
        return kube::Config::from_custom_kubeconfig(file, &options)
            .await
            .with_context(|| format!("kubeconfig {}", path.display()));
    }
    if context.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return kube::Config::incluster().context("in-cluster configuration");
    }
    kube::Config::from_kubeconfig(&options)
        .await
        .context("no --kubeconfig given and not in a pod, and the default kubeconfig is of no use")
}

/// A client of an API server. It connects when it is first used: an unreachable server is no error here.
///
/// An `https` server is spoken to in HTTP/2 or, where it offers only that, HTTP/1.1. An `http` server must take HTTP/2 with
/// prior knowledge. `user_agent` is how servers see the caller in their logs. Pings go with the beats of `clock`, where it has any.
///
/// # Errors
/// When the credentials, the CA or the proxy settings of `config` cannot be used.
pub fn connect(
    config: &kube::Config,
    user_agent: HeaderValue,
    timeouts: Timeouts,
    clock: &Clock,
) -> anyhow::Result<kube::Client> {
    let plain = config.cluster_url.scheme() == Some(&Scheme::HTTP);
    build(config, user_agent, timeouts, clock, plain)
}

/// A client of a kubelet: as [`connect`], but an `http` server, such as the kubelet's read-only port, is spoken to in
/// HTTP/1.1.
///
/// # Errors
/// As for [`connect`].
pub fn connect_kubelet(
    config: &kube::Config,
    user_agent: HeaderValue,
    timeouts: Timeouts,
    clock: &Clock,
) -> anyhow::Result<kube::Client> {
    build(config, user_agent, timeouts, clock, false)
}

fn build(
    config: &kube::Config,
    user_agent: HeaderValue,
    timeouts: Timeouts,
    clock: &Clock,
    http2_only: bool,
) -> anyhow::Result<kube::Client> {
    anyhow::ensure!(config.proxy_url.is_none(), "a proxy is not supported");
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeouts.connect));
    // For servers that offer no HTTP/2: a peer that is gone is noticed as fast. One that hangs is not, but by asking it now and
    // then, which is the asker's to do.
    tcp.set_keepalive(Some(timeouts.keepalive_interval));
    tcp.set_keepalive_interval(Some(timeouts.keepalive_interval));
    tcp.set_keepalive_retries(Some(1));

    let tls = config.rustls_client_config().context("TLS settings")?;
    let mut https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    if let Some(name) = config.tls_server_name.clone() {
        let name = name.try_into().context("tls-server-name")?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let https = https.enable_http1().enable_http2().wrap_connector(tcp);

    let http = Client::builder(TokioExecutor::new())
        .timer(PingTimer(clock.clone()))
        .pool_timer(PingTimer(clock.clone()))
        // A connection that only has watches open counts as idle. Forgotten after a while, as is usual, it would stay as long as
        // they do, beside another one for whatever is asked next.
        .pool_idle_timeout(None)
        .http2_only(http2_only)
        .http2_keep_alive_interval(timeouts.keepalive_interval)
        .http2_keep_alive_timeout(timeouts.keepalive_timeout)
        .build::<_, Body>(https);

    let mut config = config.clone();
    // kube prefers a token to a token file, and so does this.
    let token_file = config
        .auth_info
        .token_file
        .take()
        .filter(|_| config.auth_info.token.is_none());
    let token_file = token_file
        .map(|file| TokenFile::open(Path::new(&file)))
        .transpose()?;

    let answers = Arc::new(AtomicBool::new(false));
    let answered = Arc::clone(&answers);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().context("credentials")?)
        .layer(
            config
                .extra_headers_layer()
                .context("impersonation settings")?,
        )
        .map_request(move |mut request: Request<Body>| {
            request.headers_mut().insert(USER_AGENT, user_agent.clone());
            if let Some(token) = &token_file {
                request
                    .headers_mut()
                    .insert(AUTHORIZATION, token.authorization());
            }
            request
        })
        .map_response(move |answer| {
            answers.store(true, Ordering::Relaxed);
            answer
        })
        .map_err(move |error| explained(error, http2_only && !answered.load(Ordering::Relaxed)))
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace))
}

/// Says what an `http` server may lack that took the connection and has never answered: in which way HTTP/2 fails with a
/// server that does not speak it depends on who closes first, and none of them names the cause.
fn explained(error: client::Error, never_answered: bool) -> BoxError {
    if never_answered && !error.is_connect() {
        let error = one_line(&error);
        return format!("an http API server must speak HTTP/2 with prior knowledge: {error}")
            .into();
    }
    error.into()
}

/// Whether a request failed because the caller has no valid credentials to show.
pub fn lacks_credentials(error: &kube::Error) -> bool {
    match error {
        kube::Error::Auth(_) => true,
        kube::Error::Service(error) => error.is::<kube::client::AuthError>(),
        _ => false,
    }
}

/// What a request failed with, on one line and without kube's words around it.
pub fn failure(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            let words = if status.message.is_empty() {
                &status.reason
            } else {
                &status.message
            };
            format!("{words} ({})", status.code)
        }
        kube::Error::Service(error) => one_line(error.as_ref()),
        kube::Error::ReadEvents(error) => one_line(error),
        error => one_line(error),
    }
}

/// Makes ring the process's TLS cryptography, for every part that asks rustls for its default. Does nothing when there is
/// one already.
pub fn install_crypto() {
    let _: Result<(), Arc<_>> = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests;
