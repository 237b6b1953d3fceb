//! The two servers: gRPC for agents and queries, HTTP for probes.

mod crowd;
mod drain;
mod grpc;
mod guard;
mod handled;
mod http;
mod incoming;
mod prompt;
mod slow;
mod steady;
mod tls;

pub use self::tls::{Tls, TlsFiles};
pub(crate) use self::{handled::Handled, incoming::Peer};
