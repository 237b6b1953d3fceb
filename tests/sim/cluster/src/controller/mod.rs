//! The node lifecycle controller: its rule, pure, and what applies it to the simulated cluster.

mod driver;
mod endpoints;
mod mark;
mod rule;

pub use driver::{Controller, Flip};
pub use rule::{Lost, NodeLifecycle, NodeView, ReadyView, Rule};

/// Field manager of everything the controller writes.
pub(crate) const KCM: &str = "kube-controller-manager";
