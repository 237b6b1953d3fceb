//! The two servers: gRPC for agents and queries, HTTP for probes.

mod crowd;
mod drain;
mod grpc;
mod guard;
mod http;
mod incoming;
mod prompt;
mod slow;
mod steady;
mod tls;

pub(crate) use self::incoming::Peer;
pub use self::tls::{Tls, TlsFiles};
