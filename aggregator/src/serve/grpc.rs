//! The gRPC server: ingest, query, reflection and health.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::{Stream, StreamExt as _};
use nodegrace_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        ingest_server::{IngestServer, SERVICE_NAME as INGEST},
        query_server::{QueryServer, SERVICE_NAME as QUERY},
    },
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::Connected},
};
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tower::util::MapResponseLayer;

use super::{
    Tls,
    drain::{drained, end_streams},
    guard::Door,
    handled::CountLayer,
    incoming::Incoming,
    prompt::Prompt,
    slow::Readers,
};
use crate::{Aggregator, ingest, places::Places, query};

/// How often a silent connection is asked for a sign of life, and how long the answer may take. A dead agent's stream so ends
/// within 20 s, well before its reports count as stale. Real time: this is about the network.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests at once on one connection: an agent needs one, a person's tools a handful.
const MAX_CONCURRENT_REQUESTS: u32 = 128;

/// Headers of a request in bytes, with 32 more for each as HTTP/2 counts them: a token of a large organisation's has some KiB.
const MAX_HEADER_BYTES: u32 = 32 << 10;

/// Requests that a client may open and cancel before they are looked at; with one more its connection ends. A client that changes
/// its mind does so once.
const MAX_RAPID_RESETS: usize = 32;

/// Requests that may be cancelled here because they break the protocol; with one more their connection ends.
const MAX_PROTOCOL_ERRORS: usize = 32;

/// Names health answers for, besides the whole server's empty one.
const SERVICES: [&str; 2] = [INGEST, QUERY];

impl Aggregator {
    /// As [`Aggregator::serve_grpc`], on what comes to a listener, through TLS where the configuration has it.
    pub async fn listen_grpc(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let limits = &self.parts.config.limits;
        let places = Places::new(limits.connections, limits.connections_of_one);
        let incoming = self.incoming(listener, Tls::grpc, places).stream();
        let incoming = incoming.map(|connection| Ok::<_, Infallible>(Prompt::new(connection)));
        self.serve_grpc(incoming, shutdown).await
    }

    /// What comes to a listener, with the settings that `port` picks where there is TLS.
    pub(super) fn incoming(
        &self,
        listener: TcpListener,
        port: fn(&Tls) -> Arc<ServerConfig>,
        places: Places<IpAddr>,
    ) -> Incoming {
        let tls = self.parts.config.tls.clone();
        let tls = tls.map(|tls| Box::new(move || port(&tls)) as Box<_>);
        Incoming::new(listener, tls, places, &self.parts)
    }

    /// Serves agents and queries on every connection of `incoming` until `shutdown`, and meanwhile lets the fleet's time pass.
    ///
    /// Returns within 5 s of the signal, whatever clients do.
    pub async fn serve_grpc<IO, E>(
        &self,
        incoming: impl Stream<Item = Result<IO, E>>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let health = HealthReporter::new();
        report_health(&health, ServingStatus::Serving).await;
        let stop = async {
            shutdown.cancelled().await;
            report_health(&health, ServingStatus::NotServing).await;
        };
        let routes = self.routes(&health, &shutdown)?.into_axum_router();
        let readers = Readers::default();
        let (pace, end) = (readers.clone(), end_streams(shutdown.clone()));
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(MAX_CONCURRENT_REQUESTS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_max_pending_accept_reset_streams(Some(MAX_RAPID_RESETS))
            .http2_max_local_error_reset_streams(Some(MAX_PROTOCOL_ERRORS))
            // Around everything else: what a client got is what counts.
            .layer(CountLayer(Arc::clone(&self.parts.handled)))
            .layer(MapResponseLayer::new(move |response| {
                end(pace.pace(response))
            }))
            .add_routes(Routes::from(self.guarded(Door::Grpc, routes)))
            .serve_with_incoming_shutdown(incoming, stop);
        let stopping = shutdown.clone();
        // Boxed: a server is too much for the stack of whoever waits.
        let serve = Box::pin(async move {
            tokio::select! {
                outcome = drained(server, &stopping) => outcome.context("the gRPC server failed"),
                never = self.keep_time() => match never {},
                never = self.watch_cluster() => match never {},
                never = readers.watch() => match never {},
            }
        });
        self.keep_while(serve).await
    }

    fn routes(
        &self,
        health: &HealthReporter,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Routes> {
        let ingest = IngestServer::new(ingest::Service::new(
            Arc::clone(&self.parts),
            shutdown.clone(),
        ))
        .max_decoding_message_size(ingest::MAX_MESSAGE_SIZE);
        let query = QueryServer::new(query::Service::new(
            Arc::clone(&self.parts),
            shutdown.clone(),
        ))
        .max_decoding_message_size(query::MAX_MESSAGE_SIZE);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let health = HealthService::from_health_reporter(health.clone());
        Ok(Routes::new(ingest)
            .add_service(query)
            .add_service(HealthServer::new(health))
            // grpcurl 1.8 and Python's client speak v1alpha, newer tools v1.
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?))
    }
}

/// The empty name stands for the whole server.
async fn report_health(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES.into_iter().chain([""]) {
        health.set_service_status(service, status).await;
    }
}
