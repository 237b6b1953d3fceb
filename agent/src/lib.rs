//! The agent of one node: times every heartbeat of its kubelet.
//!
//! Data flows one way: watches of the node's own Node and Lease and a sampler of the host write into a bounded journal, whose
//! records a spool keeps; one uplink to each aggregator streams it and lets go of what was acknowledged. The watches also tell
//! the sampler how the heartbeats come, so that it looks closer while one is late.

mod args;
mod bridge;
mod came_home;
mod condition;
mod config;
mod cri;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod journal;
pub mod kube_client;
pub mod logging;
mod metrics;
mod moment;
mod observe;
mod rhythm;
mod run;
mod sources;
mod uplink;
mod watch;
mod wire;

pub use self::{
    args::{AggregatorArgs, Args, CommandLine, Part, complaint},
    bridge::{BridgeArgs, bridge},
    config::{Config, FineAfter, KubeletProcessName, Timeouts},
    run::run,
    sources::{HostFiles, Series},
    uplink::{Aggregators, Directory, TlsFiles, channel},
    wire::one_line,
};
