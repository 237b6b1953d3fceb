//! The server: connections in memory, over TCP and over TLS, and the ways in which they can be made to fail.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{rt::TokioIo, server::conn::auto};
use nodegrace_clock::Clock;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    gate::{Gate, Gated},
    service::Service,
    store::Store,
};

/// Bytes that an in-memory connection holds each way: a socket's send buffer.
const PIPE: usize = 64 * 1024;

/// Pause after a connection could not be accepted, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How a server behaves towards those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Answers.
    Up,
    /// Refuses connections at once: it is stopped.
    Refusing,
    /// Takes connections and never answers.
    Silent,
}

/// A Kubernetes API server: cheap to clone, the same for everything that holds a clone.
#[derive(Clone, Debug)]
pub struct ApiServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: Arc<Service>,
    gate: Gate,
    life: Mutex<Life>,
    tasks: TaskTracker,
}

/// What a stop ends and a start begins anew.
#[derive(Debug)]
struct Life {
    /// Ends listeners and connections. Cancelled: the server is stopped.
    running: CancellationToken,
    /// Ends connections; a child of `running`.
    connections: CancellationToken,
    listeners: Vec<Listening>,
}

/// An address that comes back after a restart.
#[derive(Clone)]
struct Listening {
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} (tls: {})", self.address, self.tls.is_some())
    }
}

/// Spawns hyper's stream tasks where the server waits for them, and ends them with their connections.
#[derive(Clone)]
pub(super) struct Spawner {
    tasks: TaskTracker,
    connections: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let connections = self.connections.clone();
        self.tasks.spawn(async move {
            connections.run_until_cancelled(future).await;
        });
    }
}

impl ApiServer {
    /// A server on `store`, open to everybody, with streaming lists and the Lease API.
    pub fn new(store: Store, clock: Clock) -> Self {
        let running = CancellationToken::new();
        Self(Arc::new(Inner {
            service: Arc::new(Service::new(store, clock)),
            gate: Gate::default(),
            life: Mutex::new(Life {
                connections: running.child_token(),
                running,
                listeners: Vec::new(),
            }),
            tasks: TaskTracker::new(),
        }))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn service(&self) -> &Service {
        &self.0.service
    }

    /// The objects behind the server.
    pub fn store(&self) -> &Store {
        &self.0.service.store
    }

    /// Opens a connection in memory; refused while the server is stopped.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        if self.life().running.is_cancelled() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (client, server) = tokio::io::duplex(PIPE);
        self.serve(server, None);
        Ok(client)
    }

    /// Serves one connection of any kind, HTTP/1.1 or HTTP/2 as the client begins it. `certificate` is the client's, in DER, where TLS
    /// brought one.
    pub fn serve<Io>(&self, io: Io, certificate: Option<Vec<u8>>)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connections = self.life().connections.clone();
        let gated = Gated {
            io,
            gate: self.0.gate.clone(),
        };
        let connection = self.connection(gated, certificate, connections.clone());
        self.0.tasks.spawn(async move {
            connections.run_until_cancelled(connection).await;
        });
    }

    fn connection<Io>(
        &self,
        io: Io,
        certificate: Option<Vec<u8>>,
        connections: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<Io>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = self.0.service.clone();
        let certificate: Option<Arc<[u8]>> = certificate.map(Into::into);
        let spawner = Spawner {
            tasks: self.0.tasks.clone(),
            connections,
        };
        async move {
            let beside = spawner.clone();
            let answer = service_fn(move |request| {
                let (service, beside) = (service.clone(), beside.clone());
                let certificate = certificate.clone();
                async move {
                    let certificate = certificate.as_deref();
                    service.respond(request, certificate, &beside).await
                }
            });
            let served = auto::Builder::new(spawner)
                .serve_connection_with_upgrades(TokioIo::new(io), answer)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "api server connection ended");
            }
        }
    }

    /// Listens on a TCP address, with TLS when given a configuration; returns the address bound. The address comes back with
    /// [`ApiServer::start`].
    pub async fn listen(
        &self,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let listening = Listening { address, tls };
        self.accept(listener, listening.tls.clone());
        self.life().listeners.push(listening);
        Ok(address)
    }

    fn accept(&self, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
        let server = self.clone();
        let running = self.life().running.clone();
        let tls = tls.map(TlsAcceptor::from);
        let accepting = async move {
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => {
                        if let Err(error) = socket.set_nodelay(true) {
                            tracing::debug!(%error, "nodelay not set");
                        }
                        match &tls {
                            Some(tls) => server.serve_tls(socket, tls.clone()),
                            None => server.serve(socket, None),
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "api server could not accept");
                        server.service().clock.sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        self.0.tasks.spawn(async move {
            running.run_until_cancelled(accepting).await;
        });
    }

    fn serve_tls(&self, socket: tokio::net::TcpStream, tls: TlsAcceptor) {
        let server = self.clone();
        let connections = self.life().connections.clone();
        let gated = Gated {
            io: socket,
            gate: self.0.gate.clone(),
        };
        let ending = connections.clone();
        self.0.tasks.spawn(async move {
            let serving = async move {
                match tls.accept(gated).await {
                    Ok(stream) => {
                        let certificate = stream
                            .get_ref()
                            .1
                            .peer_certificates()
                            .and_then(|chain| chain.first())
                            .map(|certificate| certificate.to_vec());
                        server.connection(stream, certificate, connections).await;
                    }
                    Err(error) => tracing::debug!(%error, "tls handshake failed"),
                }
            };
            ending.run_until_cancelled(serving).await;
        });
    }

    /// Cuts every connection; listeners go on.
    pub fn cut_connections(&self) {
        let mut life = self.life();
        life.connections.cancel();
        life.connections = life.running.child_token();
    }

    /// Stops: listeners and connections are closed, the store stays.
    pub async fn stop(&self) {
        self.life().running.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Starts again after [`ApiServer::stop`], on the same addresses and the same store, with an empty watch cache: old revisions get
    /// 410.
    pub async fn start(&self) -> io::Result<()> {
        self.store().forget_changes();
        self.0.tasks.reopen();
        let listeners = {
            let mut life = self.life();
            life.running = CancellationToken::new();
            life.connections = life.running.child_token();
            life.listeners.clone()
        };
        for listening in listeners {
            self.accept(TcpListener::bind(listening.address).await?, listening.tls);
        }
        Ok(())
    }

    /// Falls silent: connections are accepted and nothing moves on any of them, until [`ApiServer::speak`].
    pub fn fall_silent(&self) {
        self.0.gate.close();
    }

    /// Ends the silence; what was underway goes on.
    pub fn speak(&self) {
        self.0.gate.open();
    }

    /// How the server looks to a client that would connect now.
    pub fn reach(&self) -> Reach {
        if self.life().running.is_cancelled() {
            Reach::Refusing
        } else if self.0.gate.is_closed() {
            Reach::Silent
        } else {
            Reach::Up
        }
    }
}
