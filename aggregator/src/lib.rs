//! The centre of nodegrace: takes what agents report and answers which nodes are near the controller's timeout.
//!
//! Data flows one way: `ingest` checks and converts what arrives, `store` writes it to disk and then applies it to the
//! `register`, which holds the pure `nodegrace_core::Fleet`; `query` reads from there and changes nothing.

mod aggregator;
mod args;
mod cluster;
mod config;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ingest;
mod query;
mod register;
mod seldom;
mod serve;
mod store;
mod timeline;
mod trust;
mod wire;

pub use aggregator::{Aggregator, StartError, run};
pub use args::{Args, ClusterArgs, LogFormat, StoreArgs, ThresholdArgs, TlsArgs, TrustArgs};
pub use cluster::ApiServer;
pub use config::{Config, Limits, StoreConfig};
pub use serve::{Tls, TlsFiles};
pub use store::OpenError;
pub use trust::{AgentAuth, Reviewer};
