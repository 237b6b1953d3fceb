//! The few functions of statistics that the figures rest on.

mod gamma;
mod poisson;

pub use poisson::{Interval, poisson_interval};
