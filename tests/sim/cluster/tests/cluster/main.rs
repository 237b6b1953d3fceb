//! The simulated cluster against what was recorded from a real one, and against what it promises to its users.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod an_hour;
mod answers;
mod controller;
mod faults;
mod kit;
mod kubelets;
mod machines;
mod shapes;
mod tls;
mod watches;
