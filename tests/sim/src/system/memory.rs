//! How the parts of a system reach each other over pipes in memory: the same bytes as over TCP, but time can stand still.

use std::{
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::Stream;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo},
};
use kube::client::Body;
use nodegrace_agent::Timeouts;
use nodegrace_sim_cluster::{
    ApiServer, Cluster,
    kubelet::{MachineTimer, OnNode, SimNode},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::mpsc,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Bytes a pipe holds before its writer waits, as a socket's buffer would.
const PIPE_BYTES: usize = 64 << 10;

/// The ends that callers connect to: cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Links {
    api_server: ApiServer,
    aggregator: Arc<Mutex<Listener>>,
}

/// The end that the aggregator listens on.
#[derive(Debug)]
struct Listener {
    /// Connections on their way. Unbounded: one entry a connection, and every caller here is ours.
    arriving: mpsc::UnboundedSender<DuplexStream>,
    /// Cancelled when the aggregator is gone: its connections break then, whoever still holds their ends.
    gone: CancellationToken,
}

impl Listener {
    fn new() -> (Self, mpsc::UnboundedReceiver<DuplexStream>) {
        let (arriving, receiver) = mpsc::unbounded_channel();
        let listener = Self {
            arriving,
            gone: CancellationToken::new(),
        };
        (listener, receiver)
    }

    /// Opens a connection: two pipes with a wire between them that can be cut.
    fn connect(&self) -> io::Result<DuplexStream> {
        let (client, mut near) = tokio::io::duplex(PIPE_BYTES);
        let (mut far, server) = tokio::io::duplex(PIPE_BYTES);
        self.arriving
            .send(server)
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let gone = self.gone.clone();
        tokio::spawn(async move {
            // Whatever ends the wire, both sides see the end of their pipe.
            let wire = tokio::io::copy_bidirectional(&mut near, &mut far);
            gone.run_until_cancelled(wire).await
        });
        Ok(client)
    }
}

impl Links {
    /// Links to an aggregator that does not listen yet.
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self {
            api_server: cluster.server().clone(),
            aggregator: Arc::new(Mutex::new(Listener::new().0)),
        }
    }

    /// The connections that arrive at the aggregator from now on. Those to an earlier one break.
    pub(super) fn listen(&self) -> impl Stream<Item = io::Result<DuplexStream>> + use<> {
        let (listener, receiver) = Listener::new();
        mem::replace(&mut *self.listener(), listener).gone.cancel();
        tokio_stream::StreamExt::map(UnboundedReceiverStream::new(receiver), Ok)
    }

    /// Breaks every connection to the aggregator and refuses new ones until it listens again.
    pub(super) fn break_aggregator(&self) {
        mem::replace(&mut *self.listener(), Listener::new().0)
            .gone
            .cancel();
    }

    fn listener(&self) -> MutexGuard<'_, Listener> {
        self.aggregator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of its own from a node to the API server, kept alive as an agent's is.
    pub(super) fn api_server(&self, node: &SimNode) -> kube::Client {
        let (server, node) = (self.api_server.clone(), node.clone());
        let timer = MachineTimer::new(node.machine_clock());
        let connector = service_fn(move |_: http::Uri| {
            let connected = server.connect();
            let connected = connected.map(|pipe| TokioIo::new(Pipe(OnNode::new(pipe, &node))));
            std::future::ready(connected)
        });
        let timeouts = Timeouts::default();
        let http = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .timer(timer)
            .http2_keep_alive_interval(timeouts.keepalive_interval)
            .http2_keep_alive_timeout(timeouts.keepalive_timeout)
            .http2_keep_alive_while_idle(true)
            .build::<_, Body>(connector);
        // kube writes paths only; the host of a pipe can be any.
        let service = tower::util::MapRequest::new(http, |mut request: http::Request<Body>| {
            if let Some(path) = request.uri().path_and_query() {
                *request.uri_mut() = http::Uri::builder()
                    .scheme("http")
                    .authority("api-server")
                    .path_and_query(path.clone())
                    .build()
                    .expect("a valid path stays valid behind a host");
            }
            request
        });
        kube::Client::new(service, "default")
    }

    /// A connection of its own from a node to the aggregator.
    pub(super) fn aggregator_from(&self, node: &SimNode) -> Channel {
        let (links, node) = (self.clone(), node.clone());
        let connector = service_fn(move |_: http::Uri| {
            let connected = links.listener().connect();
            let connected = connected.map(|pipe| TokioIo::new(OnNode::new(pipe, &node)));
            std::future::ready(connected)
        });
        Endpoint::from_static("http://aggregator").connect_with_connector_lazy(connector)
    }

    /// A connection of its own to the aggregator.
    pub(super) fn aggregator(&self) -> Channel {
        let links = self.clone();
        let connector = service_fn(move |_: http::Uri| {
            std::future::ready(links.listener().connect().map(TokioIo::new))
        });
        Endpoint::from_static("http://aggregator").connect_with_connector_lazy(connector)
    }
}

/// A pipe that hyper's client takes for a connection.
struct Pipe(OnNode<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
