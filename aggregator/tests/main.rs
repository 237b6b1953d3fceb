//! What the aggregator does, asked and told over gRPC in virtual time. One file for each behaviour.
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "a test binary has no readers but its own modules"
)]

mod kit;

mod blindness;
mod causes;
mod cluster;
mod crash;
mod drain;
mod durable;
mod endpoints;
mod heartbeats;
mod identity;
mod ingest;
mod limits;
mod list;
mod metrics;
mod migration;
mod overload;
mod page;
mod process;
mod queries;
mod reflection;
mod retention;
mod tls;
mod watch;
mod what_if;
