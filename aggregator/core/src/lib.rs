//! The decision maths of nodegrace: what heartbeats say about a node, as the node lifecycle controller would judge it.
//!
//! Everything here is a function of its arguments. Time is an argument (`now`), events are data, and nothing is read or
//! written elsewhere: the crate depends on std alone, so no clock, no await and no IO can slip in.
//!
//! [`Fleet`] holds all nodes. Events of the agents ([`Event`]) go in through [`Fleet::apply`]; figures in the shape of the
//! query API ([`NodeFigures`], [`FleetFigures`]) come out. [`controller`] is the model that turns a gap between heartbeats
//! into the probability of a flip, and [`calibration`] holds it against flips that came. [`cause`] says why a gap was long. [`what_if`] replays the gaps under
//! other [`ControllerSettings`], [`recommend`](mod@recommend) finds those that meet a goal, and [`infer_fleet_grace`] finds those that are in force.

mod blindness;
pub mod calibration;
pub mod cause;
mod channel;
pub mod cluster;
pub mod controller;
mod doubt;
pub mod event;
mod expected;
mod figures;
mod fleet;
mod gap;
mod gap_chain;
mod gap_history;
mod infer;
mod node;
mod panel;
pub mod recommend;
mod renewals;
pub mod sketch;
pub mod snapshot;
mod standing;
mod state;
mod stats;
mod time;
pub mod what_if;

pub use controller::{
    ControllerSettings, EarlierPosts, GapStart, PassDuration, SettingsError, sure_grace,
};
pub use event::{AgentId, Channel, ConditionStatus, Event, Losses, Report};
pub use expected::{ExpectedFlips, Risk};
pub use figures::{
    ChannelFigures, FleetFigures, Margin, NodeFigures, Observation, Quantiles, Ready, RunningGap,
    Spread, Totals,
};
pub use fleet::{Applied, Config, Fleet};
pub use gap::Gap;
pub use gap_history::{GapBounds, GapHistory, LongGap};
pub use infer::{InferredGrace, infer_fleet_grace, infer_grace};
pub use node::{FlipCause, NodeHistory, SeenFlip};
pub use sketch::Sketch;
pub use snapshot::NodeSnapshot;
pub use standing::Standing;
pub use state::{State, Thresholds, Verdict};
pub use stats::{CountRange, Interval, likely_counts, poisson_interval};
pub use time::{SignedDuration, WallTime};
