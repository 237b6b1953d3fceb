//! Simulated kubelets: state machines that are told the time, and what drives them.

mod driver;
mod endpoint;
mod figures;
mod ledger;
mod machine;
mod metrics;
mod objects;
mod spec;
mod trouble;

pub use driver::SimNode;
pub(crate) use driver::set_ready;
pub(crate) use endpoint::KubeletEndpoint;
pub use figures::{Cpu, Disk, Figures, Pressure, Process, Runtime};
pub use ledger::{Channel, Ledger, Posted};
pub use machine::{Action, Kubelet, Seen};
pub use spec::{Kind, NodeSpec, fleet};
pub use trouble::{Effect, Spell};
