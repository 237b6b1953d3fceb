//! The way to an aggregator: an address, or a port-forward through the API server; TLS where the aggregator speaks it; and what
//! the user shows to it.

mod address;
mod kubernetes;
mod pod;
mod tls;
mod token;

use std::{error::Error, io, sync::Arc, time::Duration};

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use nodegrace_proto::v1::query_client::QueryClient;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use self::{address::Address, pod::Pod};
pub use self::{kubernetes::Kubernetes, token::Bearer};
use crate::args::ReachArgs;

/// A client of an aggregator, which shows the user's token if there is one.
pub type Queries = QueryClient<InterceptedService<Channel, Bearer>>;

/// A client of the aggregator behind `channel`.
pub fn queries(channel: Channel, bearer: Bearer) -> Queries {
    // An answer of many nodes is larger than the 4 MiB that clients take unless told otherwise; pages stay far below this.
    QueryClient::with_interceptor(channel, bearer).max_decoding_message_size(64 << 20)
}

/// Connects to the aggregator.
///
/// # Errors
/// Says which step failed, and what to do about it.
pub async fn reach(args: &ReachArgs) -> anyhow::Result<Queries> {
    let way = Way::find(args).await?;
    let bearer = token::bearer(args, way.trust())?;
    let place = way.place();
    let timeout = args.request_timeout;
    // The connector below goes its own way: this names the authority in requests, and nothing else.
    let endpoint = Endpoint::from_static("http://nodegrace-aggregator").timeout(timeout);
    let connect = tower::service_fn(move |_| {
        let way = way.clone();
        async move { way.open(timeout).await.map(TokioIo::new) }
    });
    let channel = endpoint.connect_with_connector(connect).await;
    let channel = channel.map_err(|error| {
        anyhow::anyhow!("cannot reach the aggregator {place}: {}", innermost(&error))
    })?;
    Ok(queries(channel, bearer))
}

/// What lies beneath "transport error", which says nothing.
fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The way to an aggregator.
#[derive(Clone)]
struct Way {
    end: End,
    tls: Option<Tls>,
}

#[derive(Clone)]
enum End {
    Address(Address),
    Pod(Box<Pod>),
}

/// How the aggregator's certificate is judged.
#[derive(Clone)]
struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    checked: bool,
}

/// Who can read what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// The aggregator alone: its certificate was checked, or it is on this machine.
    Private,
    /// Whoever is on the way.
    Open,
    /// Whoever answered: its certificate was not checked.
    Unchecked,
}

/// Any stream of bytes.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Way {
    async fn find(args: &ReachArgs) -> anyhow::Result<Self> {
        let Some(address) = &args.address else {
            return Self::through_cluster(args).await;
        };
        let address = Address::parse(address)?;
        let checked = !args.insecure_skip_tls_verify;
        let tls = address
            .encrypted
            .then(|| Tls::new(args, &address.host, checked))
            .transpose()?;
        Ok(Self {
            end: End::Address(address),
            tls,
        })
    }

    async fn through_cluster(args: &ReachArgs) -> anyhow::Result<Self> {
        let kubernetes = Kubernetes::open(args).await.context(
            "no aggregator to ask: give --kubeconfig FILE (or --context NAME) to reach it by a port-forward, or --address HOST:PORT",
        )?;
        let pod = Pod::find(&kubernetes, args).await?;
        // The API server has said which pod that is, as for `kubectl port-forward`: without --ca its word is enough.
        let checked = args.ca.is_some();
        let name = format!("nodegrace.{}.svc", args.namespace);
        let tls = pod
            .encrypted()
            .then(|| Tls::new(args, &name, checked))
            .transpose()?;
        Ok(Self {
            end: End::Pod(Box::new(pod)),
            tls,
        })
    }

    fn trust(&self) -> Trust {
        let private = match (&self.end, &self.tls) {
            (_, Some(tls)) => tls.checked,
            (End::Address(address), None) => address.is_loopback(),
            // The tunnel ends at the node's kubelet, whose certificate many API servers do not check.
            (End::Pod(_), None) => false,
        };
        match (private, &self.tls) {
            (true, _) => Trust::Private,
            (false, Some(_)) => Trust::Unchecked,
            (false, None) => Trust::Open,
        }
    }

    fn place(&self) -> String {
        match &self.end {
            End::Address(address) => format!("at {address} (--address)"),
            End::Pod(pod) => format!("through a port-forward to {pod}"),
        }
    }

    /// A connection, within `timeout`.
    async fn open(&self, timeout: Duration) -> io::Result<Box<dyn Stream>> {
        let opened = tokio::time::timeout(timeout, self.connection()).await;
        opened.unwrap_or_else(|_| {
            let problem = format!(
                "no connection within {}",
                humantime::format_duration(timeout)
            );
            Err(io::Error::new(io::ErrorKind::TimedOut, problem))
        })
    }

    async fn connection(&self) -> io::Result<Box<dyn Stream>> {
        let plain: Box<dyn Stream> = match &self.end {
            End::Address(Address { host, port, .. }) => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                Box::new(socket)
            }
            End::Pod(pod) => pod.forward().await.map_err(io::Error::other)?,
        };
        let Some(tls) = &self.tls else {
            return Ok(plain);
        };
        let stream = TlsConnector::from(Arc::clone(&tls.config)).connect(tls.name.clone(), plain);
        Ok(Box::new(stream.await?))
    }
}

impl Tls {
    fn new(args: &ReachArgs, host: &str, checked: bool) -> anyhow::Result<Self> {
        let name = args.server_name.as_deref().unwrap_or(host).to_owned();
        Ok(Self {
            config: Arc::new(tls::config(args.ca.as_deref(), checked)?),
            name: ServerName::try_from(name.clone()).with_context(|| {
                format!("no certificate can be for {name:?}; see --server-name")
            })?,
            checked,
        })
    }
}
