//! A Kubernetes API server at the wire: the answers have the shape of those recorded from a real one.

mod access;
mod answer;
mod collection;
mod counters;
mod discovery;
mod faults;
mod fields;
mod follow;
mod gate;
mod identity;
mod knobs;
mod object;
mod refusal;
mod request;
mod resource;
mod respond;
mod review;
mod select;
mod server;
mod service;
mod store;
mod table;
mod watch;

pub use access::{Access, Permission};
pub use counters::{Cost, CostKey, Logged};
pub use faults::{Effect, Fault};
pub use fields::Writer;
pub(crate) use gate::{Gate, Gated};
pub use object::{Key, Object, condition};
pub use refusal::Refusal;
pub use resource::{NODE_LEASE_NAMESPACE, Names, Resource};
pub use review::{Account, Review};
pub use select::{Selector, Term};
pub use server::{ApiServer, Reach};
pub use store::Store;
pub use watch::{Change, ChangeKind, Event, Since, Watch};
