//! The pace of simulated time: so many times as fast as real time, and never faster than this machine can carry.
//!
//! The simulated cluster runs in tokio's paused time, which moves on to the next timer only when there is nothing left to do.
//! A busy machine therefore makes the simulation slower, never its heartbeats late: what the demo shows does not depend on
//! what else the machine is doing.

use std::{convert::Infallible, thread, time::Duration};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use tokio::runtime::{Builder, Runtime};

/// Real time between two steps of simulated time: short enough that a step (60 ms at 60 times real time) is far below
/// anything that is measured.
const STEP: Duration = Duration::from_millis(1);
/// Shortest real pause between two steps, for bytes under way in sockets to arrive before time goes on.
const BREATH: Duration = Duration::from_micros(200);
/// How far behind its pace the simulation may be before it stops trying to catch up.
const PATIENCE: Duration = Duration::from_millis(200);

/// A runtime whose time stands still until [`keep`] or an idle moment moves it.
///
/// # Errors
/// When the machine refuses what a runtime needs.
pub fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .context("runtime")
}

/// Lets the time of the current runtime pass at `speed` times real time.
pub async fn keep(speed: f64) -> Infallible {
    let real = Clock::real();
    let mut next = real.now();
    loop {
        next = (next + STEP).max(real.now().saturating_sub(PATIENCE));
        let pause = next.saturating_sub(real.now()).max(BREATH);
        // While a blocking task runs, tokio does not let its paused time move on: sockets are served, timers are not.
        // The task cannot fail, and a runtime that is shutting down has no use for a pause.
        let _ = tokio::task::spawn_blocking(move || thread::sleep(pause)).await;
        simulated(STEP.mul_f64(speed)).await;
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "tokio's paused time is what is kept at a pace here"
)]
async fn simulated(step: Duration) {
    tokio::time::sleep(step).await;
}
