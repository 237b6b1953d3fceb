//! The two servers: gRPC for agents and queries, HTTP for probes.

mod drain;
mod grpc;
mod http;
mod slow;
