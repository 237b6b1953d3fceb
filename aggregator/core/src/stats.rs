//! The few functions of statistics that the figures rest on.

mod gamma;
mod hypergeometric;
mod pareto;
mod poisson;

pub(crate) use hypergeometric::at_least as hypergeometric_at_least;
pub(crate) use pareto::Tail;
pub(crate) use poisson::RULE_OF_THREE;
pub use poisson::{CountRange, Interval, likely_counts, poisson_interval};
