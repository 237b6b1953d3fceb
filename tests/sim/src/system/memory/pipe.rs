//! Pipes between two parts: one that can break, and one that hyper takes for a connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// Bytes a pipe holds before its writer waits, as a socket's buffer would.
const PIPE_BYTES: usize = 64 << 10;

/// The end that a server listens on.
#[derive(Debug)]
pub(super) struct Listener {
    /// Connections on their way. Unbounded: one entry a connection, and every caller here is ours.
    arriving: mpsc::UnboundedSender<DuplexStream>,
    /// Cancelled when the server is gone: its connections break then, whoever still holds their ends.
    gone: CancellationToken,
}

impl Listener {
    /// A listener, and the connections that arrive there.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<DuplexStream>) {
        let (arriving, receiver) = mpsc::unbounded_channel();
        let listener = Self {
            arriving,
            gone: CancellationToken::new(),
        };
        (listener, receiver)
    }

    /// Opens a connection: two pipes with a wire between them that can be cut.
    pub(super) fn connect(&self) -> io::Result<DuplexStream> {
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

impl Drop for Listener {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// A pipe that hyper's client takes for a connection.
pub(super) struct Pipe<S>(pub(super) S);

impl<S> Connection for Pipe<S> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Pipe<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pipe<S> {
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
