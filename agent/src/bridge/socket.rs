//! The bridge's own socket, for its user and group, and the few connections there may be to it.

use std::{
    fs, io,
    os::unix::fs::FileTypeExt as _,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, stream};
use rustix::{fs::Mode, process::umask};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tonic::transport::server::Connected;

/// Connections at once; the next one waits. The agent has one, and one more for a moment after it was restarted.
const MOST_CONNECTIONS: usize = 4;

/// A socket that is listened on.
#[derive(Debug)]
pub(super) struct Listener(UnixListener);

/// A connection, and its place among those there may be.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Makes the socket, in place of one that an earlier run left.
    ///
    /// # Errors
    /// When it cannot be made, or something else is there than a socket on which nobody listens.
    pub(super) async fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(there) if there.file_type().is_socket() => remove_left(path).await?,
            Ok(_) => return Err(io::Error::other("there is something else than a socket")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // It has its mode from the beginning: a later change could be of what somebody has put in its place.
        let before = umask(Mode::RWXO | Mode::XGRP | Mode::XUSR);
        let listener = UnixListener::bind(path);
        umask(before);
        listener.map(Self)
    }

    /// What comes, without an end.
    pub(super) fn connections(self) -> impl Stream<Item = io::Result<Connection>> {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        stream::unfold((self.0, places), async |(listener, places)| {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            let accepted = listener.accept().await.map(|(stream, _)| Connection {
                stream,
                _place: place,
            });
            Some((accepted, (listener, places)))
        })
    }
}

/// Removes a socket that was left. One on which somebody listens is somebody else's, such as the runtime's own; and what
/// cannot be told is taken for one.
async fn remove_left(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("somebody listens there")),
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
