//! Connections as they come: accepted, and through TLS where there is some.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::either::Either;

use super::crowd::Crowd;
use crate::{
    aggregator::Parts,
    places::{Place, Places},
    seldom::Seldom,
};

/// How long a TLS handshake may take. Real time: this is about the network. It takes two round trips and some milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes under way at once: thousands of agents that come back together get theirs in turn, and so many take some 30 MiB.
const MOST_HANDSHAKES: usize = 1024;

/// Pause after a connection could not be accepted, mostly for want of file descriptors. Real time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener and what is between its peers and their first request.
pub(super) struct Incoming {
    listener: TcpListener,
    parts: Arc<Parts>,
    places: Places<IpAddr>,
    /// The TLS settings of now. Absent: there is no TLS.
    tls: Option<Box<dyn Fn() -> Arc<ServerConfig> + Send>>,
    handshakes: Crowd<Result<Connection, (SocketAddr, io::Error)>>,
    failed: Seldom,
    pushed_out: Seldom,
}

/// What bytes can be read from and written to, encrypted or not.
pub(super) type Socket = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection and who is at its other end.
pub(super) type Connection = (Socket, Peer);

/// Who is at the other end, as far as the connection tells.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// The certificates it showed, its own first; they were valid when it connected. Empty: it showed none.
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
    /// Its place among those who are connected, as long as anything knows of it.
    _place: Option<Arc<Place<IpAddr>>>,
}

impl Peer {
    /// Somebody of whom no more is known than the address.
    #[cfg(test)]
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            address,
            certificates: Arc::default(),
            _place: None,
        }
    }

    /// True when it is on this machine, or in the same pod.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

impl Incoming {
    /// What comes to `listener`, through the TLS settings that `tls` gives for each handshake, as far as there are `places`.
    pub(super) fn new(
        listener: TcpListener,
        tls: Option<Box<dyn Fn() -> Arc<ServerConfig> + Send>>,
        places: Places<IpAddr>,
        parts: &Arc<Parts>,
    ) -> Self {
        let clock = &parts.clock;
        Self {
            listener,
            parts: Arc::clone(parts),
            places,
            tls,
            handshakes: Crowd::new(MOST_HANDSHAKES),
            failed: Seldom::new(clock.clone()),
            pushed_out: Seldom::new(clock.clone()),
        }
    }

    /// The next connection that is ready to be served.
    pub(super) async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, address)) => {
                        if let Some(plain) = self.open(socket, address) {
                            return plain;
                        }
                    }
                    Err(error) => refused(&error).await,
                },
                Some(outcome) = self.handshakes.join_next() => match outcome {
                    Ok(connection) => return connection,
                    Err((peer, error)) => {
                        tracing::debug!(%peer, %error, "TLS handshake failed");
                        if let Some(times) = self.failed.happens() {
                            tracing::warn!(%peer, %error, times, "TLS handshakes fail, this was the last of them");
                        }
                    }
                },
            }
        }
    }

    /// All of them, without an end.
    pub(super) fn stream(self) -> impl Stream<Item = Connection> + Send {
        stream::unfold(self, async |mut incoming| {
            Some((incoming.next().await, incoming))
        })
    }

    /// Begins with a connection. Returned at once where there is no TLS.
    fn open(&mut self, socket: TcpStream, address: SocketAddr) -> Option<Connection> {
        let place = match self.places.take(address.ip().to_canonical()) {
            Ok(place) => Some(Arc::new(place)),
            Err(full) => {
                if let Some(times) = self.parts.refused.connections.count() {
                    tracing::warn!(%address, ?full, times, "too many connections, this was the last that was closed");
                }
                return None;
            }
        };
        // Acks are small and wait for nothing.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a socket keeps its delay");
        }
        let Some(tls) = &self.tls else {
            let certificates = Arc::default();
            let peer = Peer {
                address,
                certificates,
                _place: place,
            };
            return Some((Either::Left(socket), peer));
        };
        let tls = TlsAcceptor::from(tls());
        let pushed_out = self.handshakes.spawn(async move {
            let stream = timeout(HANDSHAKE, tls.accept(socket)).await;
            let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let stream = stream.map_err(|error| (address, error))?;
            let certificates = stream.get_ref().1.peer_certificates();
            let certificates = certificates.unwrap_or_default().to_vec().into();
            let peer = Peer {
                address,
                certificates,
                _place: place,
            };
            Ok((Either::Right(Box::new(stream)), peer))
        });
        if pushed_out && let Some(times) = self.pushed_out.happens() {
            tracing::warn!(times, "too many TLS handshakes at once, the oldest are cut");
        }
        None
    }
}

/// Takes note that a connection could not be accepted: its peer has gone again, or this process is short of something.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "cannot accept connections");
    #[allow(clippy::disallowed_methods, reason = "sockets live in real time")]
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
