//! The way to a container runtime: the socket of its CRI, to which a connection is made when it is first used, and again
//! when it has to be.

use std::{io, path::PathBuf};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Largest answer that is read: the limit of the kubelet's own client.
pub(crate) const LARGEST_ANSWER: usize = 16 << 20;

/// Metadata with which the bridge says how long the runtime took for a call, in whole microseconds. It stands with answers and
/// with failures, and with everything that the runtime was asked for; without the bridge there is none.
pub(crate) const TOOK: &str = "nodegrace-runtime-took-us";

/// Metadata with which the bridge says that the runtime was not asked, and why: whoever gets it knows nothing of the runtime.
pub(crate) const NOT_ASKED: &str = "nodegrace-runtime-not-asked";

/// A channel to the runtime behind `socket`.
pub(crate) fn channel(socket: PathBuf) -> Channel {
    // The address is never looked up: the connector knows the socket.
    Endpoint::from_static("http://runtime").connect_with_connector_lazy(service_fn(move |_| {
        let socket = socket.clone();
        async move {
            let connected = UnixStream::connect(&socket).await.map(TokioIo::new);
            connected.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", socket.display()))
            })
        }
    }))
}
