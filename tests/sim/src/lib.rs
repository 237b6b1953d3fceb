//! Real agents and a real aggregator on the simulated cluster, in one process: what the demo, the suite and the benches run.

pub mod args;
pub mod bench;
pub mod chaos;
pub mod demo;
pub mod fault_matrix;
mod malloc;
pub mod month;
pub mod pace;
pub mod report;
pub mod soak;
pub mod system;

pub use system::{System, SystemSpec};
