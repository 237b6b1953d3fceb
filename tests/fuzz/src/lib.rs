//! What several fuzz targets need.

pub mod disk;
pub mod figures;
pub mod stream;

use std::time::{Duration, SystemTime};

use nodegrace_clock::Clock;
use tokio::runtime::{Builder, Runtime};

/// Wall time at which every run begins, as Unix time.
pub const START: Duration = Duration::from_secs(1_800_000_000);

/// A runtime whose time passes only when everything in it waits.
///
/// # Panics
/// When the system has no resources left.
pub fn virtual_time() -> Runtime {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime")
}

/// A clock of the runtime it is made in.
pub fn clock() -> Clock {
    Clock::scaled(1.0, SystemTime::UNIX_EPOCH + START)
}

/// The parts of an input that this byte, which no text holds, stands between.
pub fn parts(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == 0xFF)
}
