//! The spool on a simulated disk that does everything a disk can do wrong, and on a real one.

#![allow(
    clippy::unwrap_used,
    reason = "the kit is test code too: a failed step fails the test"
)]

mod bounds;
mod crash;
mod damage;
mod directory;
mod full;
mod kit;
mod machine;
mod replicas;
mod versions;
