//! A Kubernetes cluster faked at the wire: an API server, kubelets of several kinds of trouble, the node lifecycle controller, a
//! CRI runtime and the files of a host.
//!
//! It shares no code with what is tested on it but the clock and the CRI messages. Everything runs at the pace of one
//! [`nodegrace_clock::Clock`]; with tokio's time paused and in-memory connections, an hour passes in seconds.

pub mod api;
pub mod cluster;
pub mod controller;
pub mod cri;
pub mod host;
pub mod kubeconfig;
pub mod kubelet;
pub mod stamp;
mod surroundings;
pub mod workload;

pub use api::ApiServer;
pub use cluster::{Cluster, ClusterSpec};
pub use controller::Flip;
pub use cri::CriRuntime;
pub use host::HostFiles;
pub use surroundings::{MachinePaths, Pace};
