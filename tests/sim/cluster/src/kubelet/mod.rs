//! Simulated kubelets: state machines that are told the time, and what drives them.

mod appearance;
mod driver;
mod effect;
mod endpoint;
mod figures;
mod habits;
mod ledger;
mod loops;
mod machine;
mod machine_timer;
mod metrics;
mod node;
mod objects;
mod on_node;
mod phase;
mod power;
mod requests;
mod spec;
mod traces;
mod trouble;

pub(crate) use driver::set_ready;
pub use effect::Effect;
pub use endpoint::Guard;
pub(crate) use endpoint::KubeletEndpoint;
pub use figures::{
    Answers, Cgroup, Cpu, Disk, Figures, Memory, Network, Pressure, Process, Requests, Runtime,
};
pub use ledger::{Channel, Ledger, Posted};
pub use machine::{Action, Conditions, Kubelet, Seen};
pub use machine_timer::MachineTimer;
pub use node::SimNode;
pub use on_node::OnNode;
pub use power::Power;
pub use spec::{Kind, NodeSpec, fleet};
pub use trouble::Spell;
pub(crate) use trouble::log_normal;
