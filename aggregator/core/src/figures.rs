//! The figures that readers get, in the shape of the query API. A figure that is absent is unknown, never zero.

mod fleet;
mod node;
mod risk;

pub use fleet::{FleetFigures, Totals};
pub use node::{
    ChannelFigures, Margin, NodeFigures, Observation, Quantiles, Ready, RunningGap, Spread,
};
