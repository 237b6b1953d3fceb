//! The behaviour of `kubectl nodegrace`, against an aggregator whose answers are fixed.
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "a test binary has no readers but its own modules"
)]

mod documents;
mod endpoints;
mod failures;
mod forward;
mod kit;
mod process;
mod tables;
mod watch;
