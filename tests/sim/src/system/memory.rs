//! How the parts of a system reach each other over pipes in memory: the same bytes as over TCP, but time can stand still.

use std::{
    io,
    pin::Pin,
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
use nodegrace_sim_cluster::{ApiServer, Cluster};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::mpsc,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Bytes a pipe holds before its writer waits, as a socket's buffer would.
const PIPE_BYTES: usize = 64 << 10;

/// The ends that callers connect to.
pub(super) struct Links {
    api_server: ApiServer,
    /// Connections on their way to the aggregator. Unbounded: one entry a connection, and every caller here is ours.
    aggregator: mpsc::UnboundedSender<DuplexStream>,
}

impl Links {
    /// The links, and the connections that will arrive at the aggregator.
    pub(super) fn open(
        cluster: &Cluster,
    ) -> (Self, impl Stream<Item = io::Result<DuplexStream>> + use<>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let links = Self {
            api_server: cluster.server().clone(),
            aggregator: sender,
        };
        let incoming = tokio_stream::StreamExt::map(UnboundedReceiverStream::new(receiver), Ok);
        (links, incoming)
    }

    /// A connection of its own to the API server.
    pub(super) fn api_server(&self) -> kube::Client {
        let server = self.api_server.clone();
        let connector = service_fn(move |_: http::Uri| {
            let connected = server.connect().map(|pipe| TokioIo::new(Pipe(pipe)));
            std::future::ready(connected)
        });
        let http = Client::builder(TokioExecutor::new())
            .http2_only(true)
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

    /// A connection of its own to the aggregator.
    pub(super) fn aggregator(&self) -> Channel {
        let incoming = self.aggregator.clone();
        let connector = service_fn(move |_: http::Uri| {
            let (client, server) = tokio::io::duplex(PIPE_BYTES);
            let sent = incoming.send(server);
            let connected = sent
                .map(|()| TokioIo::new(client))
                .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused));
            std::future::ready(connected)
        });
        Endpoint::from_static("http://aggregator").connect_with_connector_lazy(connector)
    }
}

/// A pipe that hyper's client takes for a connection.
struct Pipe(DuplexStream);

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
