//! Simulated kubelets: state machines that are told the time, and what drives them.

mod driver;
mod ledger;
mod machine;
mod objects;
mod spec;
mod trouble;

pub use driver::SimNode;
pub(crate) use driver::set_ready;
pub use ledger::{Channel, Ledger, Posted};
pub use machine::{Action, Kubelet, Seen};
pub use spec::{Kind, NodeSpec, fleet};
pub use trouble::{Effect, Spell};
