//! Simulated kubelets: state machines that are told the time, and what drives them.

mod appearance;
mod driver;
mod endpoint;
mod figures;
mod ledger;
mod machine;
mod metrics;
mod node;
mod objects;
mod phase;
mod spec;
mod trouble;

pub(crate) use driver::set_ready;
pub(crate) use endpoint::KubeletEndpoint;
pub use figures::{Cpu, Disk, Figures, Pressure, Process, Runtime};
pub use ledger::{Channel, Ledger, Posted};
pub use machine::{Action, Conditions, Kubelet, Seen};
pub use node::SimNode;
pub use spec::{Kind, NodeSpec, fleet};
pub use trouble::{Effect, Spell};
