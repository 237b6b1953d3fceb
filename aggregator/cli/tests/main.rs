//! The behaviour of `kubectl nodegrace`, against an aggregator whose answers are fixed.

mod documents;
mod failures;
mod forward;
mod kit;
mod process;
mod tables;
mod watch;
