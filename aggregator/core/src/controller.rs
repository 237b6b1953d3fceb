//! The node lifecycle controller as a model: its settings, the probability that it flips a node within a gap, and a simulator
//! that applies its rule poll by poll.
//!
//! The rule, read in kube-controller-manager's `tryUpdateNodeHealth` and `monitorNodeHealth` (Kubernetes 1.36): every pass
//! looks at each node once; a Lease whose `renewTime` moved forward or a Ready condition whose `lastHeartbeatTime` changed
//! credits the node with the pass's own time; a node last credited longer ago than the grace period is marked Unknown. The
//! next pass starts one monitor period after the last one ended.
//!
//! Not modelled: the controller resets every node's credit when it leaves "full disruption" (every node of every zone not
//! ready), which gives each node up to one more grace period after an outage of the whole cluster.

mod closed_form;
mod earned;
mod gap_start;
mod judge;
mod looks;
mod settings;
mod simulator;
mod sufficient;

pub use gap_start::{EarlierPosts, GapStart};
pub(crate) use judge::Footing;
pub use judge::{Judge, Judgement};
pub use looks::{Looks, Ramp};
pub use settings::{ControllerSettings, PassDuration, SettingsError};
pub use simulator::{Credited, NodeView, Simulator, first_flip};
pub use sufficient::sure_grace;
