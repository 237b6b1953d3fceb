//! Peers that open a connection and say nothing.
//!
//! Once both sides have spoken, pings find out whether a peer is there. Until then nobody looks: a connection that never says
//! anything would stay as long as the process.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use tonic::transport::server::Connected;

use super::incoming::Peer;

/// How long a peer may take for its first words. Real time: this is about the network. As long as for a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes with which every HTTP/2 client begins (RFC 9113, section 3.4); with these read, pings take over.
const FIRST_WORDS: usize = 24;

/// A connection that is cut when its peer does not say its first words in time.
#[derive(Debug)]
pub(super) struct Prompt<Io> {
    io: Io,
    peer: Peer,
    /// Absent: they were said.
    awaited: Option<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    bytes: usize,
    limit: Pin<Box<Sleep>>,
}

impl<Io> Prompt<Io> {
    /// Gives the peer at the other end of `io` its time from now on.
    pub(super) fn new((io, peer): (Io, Peer)) -> Self {
        #[allow(clippy::disallowed_methods, reason = "peers live in real time")]
        let limit = Box::pin(tokio::time::sleep(PATIENCE));
        let bytes = FIRST_WORDS;
        Self {
            io,
            peer,
            awaited: Some(Awaited { bytes, limit }),
        }
    }
}

impl<Io> Connected for Prompt<Io> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Prompt<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.io).poll_read(context, buffer);
        if let Some(awaited) = &mut this.awaited {
            if outcome.is_pending() {
                ready!(awaited.limit.as_mut().poll(context));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            awaited.bytes = awaited.bytes.saturating_sub(buffer.filled().len() - before);
            if awaited.bytes == 0 {
                this.awaited = None;
            }
        }
        outcome
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Prompt<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
        time::advance,
    };

    use super::*;

    /// A connection in memory: the peer's end, and ours.
    fn connection() -> (DuplexStream, Prompt<DuplexStream>) {
        let (peer, ours) = tokio::io::duplex(64);
        let known = Peer::at(([127, 0, 0, 1], 1).into());
        (peer, Prompt::new((ours, known)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_or_dribbles_is_cut() {
        for said in [0, FIRST_WORDS - 1] {
            let (mut peer, mut ours) = connection();
            peer.write_all(&vec![b'P'; said]).await.unwrap();
            let mut words = Vec::new();
            let error = ours.read_to_end(&mut words).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "after {said} bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_has_said_its_first_words_may_be_silent() {
        let (mut peer, mut ours) = connection();
        peer.write_all(&[b'P'; FIRST_WORDS]).await.unwrap();
        ours.read_exact(&mut [0; FIRST_WORDS]).await.unwrap();
        let later = tokio::spawn(async move { ours.read_u8().await });
        advance(100 * PATIENCE).await;
        peer.write_u8(7).await.unwrap();
        assert_eq!(later.await.unwrap().unwrap(), 7);
    }
}
