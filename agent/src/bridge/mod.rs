//! The bridge to the container runtime: `nodegrace-agent cri-bridge`, a process of its own beside the agent's.
//!
//! Whoever opens the runtime's socket is root on the node. So the agent does not: this process has the socket and does
//! nothing else, and the agent asks it by the same few calls as it would ask the runtime. What comes through are counts,
//! states, about the bytes of images, the runtime's name and how long each call takes; no name, label, identity or reference, and
//! no word of the runtime's about an error. Nothing that is asked reaches the runtime but that it was asked: every
//! question of a kind is the same one.

mod args;
mod bare;
mod error;
mod line;
mod pace;
mod runtime;
mod service;
mod socket;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, path::Path};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::info;

pub use self::args::BridgeArgs;
use self::{
    runtime::Runtime,
    service::{Bridge, MOST_CALLS},
    socket::Listener,
};

/// Requests at once on one connection: the agent has one, and one more for a moment after it has given one up.
const MOST_REQUESTS: u32 = 2;

/// Headers of a request in bytes, with 32 more for each as HTTP/2 counts them: the agent sends half a dozen short ones.
const MOST_HEADER_BYTES: u32 = 8 << 10;

/// Serves what `args` says until `shutdown`, and returns at once: whoever still waits for an answer is being stopped as well.
///
/// # Errors
/// When the socket cannot be made, or the server ends by itself.
pub async fn bridge(
    args: &BridgeArgs,
    clock: Clock,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = listen(&args.listen).await?;
    info!(version = env!("CARGO_PKG_VERSION"), socket = %args.listen.display(), "bridge started");
    let (turns, asked) = mpsc::channel(MOST_CALLS);
    let runtime = Runtime::new(args.cri_socket.clone(), clock.clone(), args.cri_timeout);
    let bridge = Bridge::new(turns, clock);
    tokio::select! {
        ended = serve(listener, bridge) => ended?,
        ended = runtime.answer(asked) => match ended {},
        () = shutdown.cancelled() => {
            info!("bridge stopped");
            return Ok(());
        }
    }
    anyhow::bail!("the bridge's server ended by itself")
}

async fn listen(path: &Path) -> anyhow::Result<Listener> {
    let listener = Listener::bind(path).await;
    listener.with_context(|| format!("cannot listen on {}", path.display()))
}

async fn serve(listener: Listener, bridge: Bridge) -> anyhow::Result<()> {
    let (runtime, images) = bridge.services();
    Server::builder()
        .max_concurrent_streams(MOST_REQUESTS)
        .http2_max_header_list_size(MOST_HEADER_BYTES)
        .add_service(runtime)
        .add_service(images)
        .serve_with_incoming(listener.connections())
        .await
        .context("the bridge's server failed")
}

/// What never comes back.
type Never = Infallible;
