//! The centre of nodegrace: takes what agents report and answers which nodes are near the controller's timeout.
//!
//! Data flows one way: `ingest` checks and converts what arrives, `store` writes it to disk and then applies it to the
//! `register`, which holds the pure `nodegrace_core::Fleet`; `query` and `metrics` read from there and change nothing.

mod aggregator;
mod args;
mod aside;
mod cluster;
mod config;
mod descriptors;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ingest;
mod metrics;
mod page;
mod places;
mod query;
mod refused;
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
pub use config::{Config, Limits, StoreConfig, StreamsOfOne};
pub use descriptors::fit_descriptors;
pub use metrics::{Format as MetricsFormat, MetricsNodes};
pub use serve::{Tls, TlsFiles};
pub use store::OpenError;
pub use trust::{AccessReviewer, AgentAuth, QueryAuth, Reviewer};
