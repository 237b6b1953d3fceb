//! Peers that take an answer slowly, or never.
//!
//! What HTTP answers is whole in memory until its reader has taken it, and the reader's connection is one of few. gRPC's
//! answers are paced by `slow.rs`; here it is the connection that is looked at, and ended when too little of what is said
//! goes out.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::aggregator::Parts;

/// How long a reader may take for [`PIECE`], or for what is left when it is less. Real time: this is about the reader's
/// network. The same as for gRPC.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that have to go out in that time: a reader that takes a byte now and then makes no progress either.
const PIECE: usize = 64 << 10;

/// A connection that is ended when its peer does not take what it asked for.
pub(super) struct Steady<Io> {
    io: Io,
    parts: Arc<Parts>,
    /// Absent: nothing waits to go out.
    stalled: Option<Stalled>,
}

/// What waits for the peer.
struct Stalled {
    limit: Pin<Box<Sleep>>,
    /// Bytes that went out since.
    written: usize,
}

impl<Io> Steady<Io> {
    /// Looks after what is written to `io`.
    pub(super) fn new(io: Io, parts: Arc<Parts>) -> Self {
        Self {
            io,
            parts,
            stalled: None,
        }
    }

    /// What is to be made of a step: one that has to wait for the peer may do so for some time.
    fn step<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
        written: impl FnOnce(&T) -> Progress,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(outcome) = outcome {
            match (&mut self.stalled, outcome.as_ref().map(written)) {
                (Some(stalled), Ok(Progress::Bytes(bytes))) => {
                    stalled.written += bytes;
                    if stalled.written >= PIECE {
                        self.stalled = None;
                    }
                }
                (_, Ok(Progress::All) | Err(_)) => self.stalled = None,
                (None, Ok(Progress::Bytes(_))) => {}
            }
            return Poll::Ready(outcome);
        }
        let stalled = self.stalled.get_or_insert_with(|| {
            #[allow(clippy::disallowed_methods, reason = "peers live in real time")]
            let limit = Box::pin(tokio::time::sleep(PATIENCE));
            Stalled { limit, written: 0 }
        });
        ready!(stalled.limit.as_mut().poll(context));
        if let Some(times) = self.parts.refused.slow_readers.count() {
            tracing::warn!(
                times,
                "an answer was read too slowly, its connection was ended"
            );
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// What went out in one step.
enum Progress {
    Bytes(usize),
    /// Nothing waits any more.
    All,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Steady<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Steady<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(context, bytes);
        self.step(context, outcome, |bytes| Progress::Bytes(*bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.step(context, outcome, |bytes| Progress::Bytes(*bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(context);
        self.step(context, outcome, |()| Progress::All)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_shutdown(context);
        self.step(context, outcome, |()| Progress::All)
    }
}

#[cfg(test)]
mod tests {
    use nodegrace_clock::Clock;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
        time::{advance, timeout},
    };

    use super::*;
    use crate::{Aggregator, Config};

    /// A connection in memory that holds a quarter of a piece: the peer's end, and ours.
    fn connection() -> (DuplexStream, Steady<DuplexStream>) {
        let (peer, ours) = tokio::io::duplex(PIECE / 4);
        let aggregator = Aggregator::new(Config::default(), Clock::real()).unwrap();
        (peer, Steady::new(ours, aggregator.parts))
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut_and_counted() {
        let (_peer, mut ours) = connection();
        let error = ours.write_all(&vec![7; PIECE]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(ours.parts.refused.slow_readers.total(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_a_byte_now_and_then_is_cut() {
        let (mut peer, mut ours) = connection();
        let writing = tokio::spawn(async move { ours.write_all(&vec![7; PIECE]).await });
        while !writing.is_finished() {
            advance(Duration::from_secs(5)).await;
            let _ = timeout(Duration::from_millis(1), peer.read_u8()).await;
        }
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_slow_but_goes_on_gets_everything() {
        let (mut peer, mut ours) = connection();
        let writing = tokio::spawn(async move {
            ours.write_all(&vec![7; 4 * PIECE]).await?;
            ours.flush().await?;
            ours.shutdown().await
        });
        let (mut piece, mut bytes) = (vec![0; PIECE / 4], 0);
        loop {
            // A piece takes 16 s.
            advance(PATIENCE / 5).await;
            match peer.read(&mut piece).await.unwrap() {
                0 => break,
                some => bytes += some,
            }
        }
        assert_eq!(bytes, 4 * PIECE);
        writing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_waits_may_be_silent() {
        let (mut peer, mut ours) = connection();
        ours.write_all(b"answer").await.unwrap();
        ours.flush().await.unwrap();
        advance(100 * PATIENCE).await;
        peer.write_u8(7).await.unwrap();
        assert_eq!(ours.read_u8().await.unwrap(), 7);
    }
}
