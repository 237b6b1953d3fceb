//! A connection of something that runs on a node: nothing passes while the node's network is gone or its machine stands still.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;
use nodegrace_clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::node::SimNode;
use crate::api::{Gate, Gated};

/// The near end of a connection from a node to somewhere else.
pub struct OnNode<Io> {
    io: Gated<Io>,
    clock: Clock,
    /// While the machine stands still: its end.
    still: Option<BoxFuture<'static, ()>>,
}

impl<Io> OnNode<Io> {
    /// A connection from `node`, opened during its machine's current boot.
    pub fn new(io: Io, node: &SimNode) -> Self {
        let gate: Gate = node.network().clone();
        Self {
            io: Gated { io, gate },
            clock: node.machine_clock(),
            still: None,
        }
    }

    fn poll_moving(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(still) = &mut self.still {
                ready!(still.as_mut().poll(context));
                self.still = None;
            }
            let Some(until) = self.clock.stands_still_until() else {
                return Poll::Ready(());
            };
            let clock = self.clock.clone();
            self.still = Some(Box::pin(async move { clock.sleep_until(until).await }));
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for OnNode<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_moving(context));
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for OnNode<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_moving(context));
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_moving(context));
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io.io).poll_shutdown(context)
    }
}
