//! The behaviour of nodegrace end to end: one test binary, one file per behaviour.

mod bad_input;
mod clocks;
mod endpoints;
mod own_node;
mod prediction;
mod processes;
mod replicas;
mod restarts;
mod schedule;
mod trust;
mod versions;

#[cfg(feature = "real")]
mod real;
