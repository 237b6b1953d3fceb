//! Kubernetes' two forms of time: whole seconds for metadata and conditions, microseconds for Leases.

use std::time::SystemTime;

use jiff::Timestamp;

/// `2026-11-24T00:20:24Z`: cut, not rounded, as Go's time format does.
pub fn seconds(time: SystemTime) -> String {
    format(time, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-11-24T00:20:24.615240Z`.
pub fn micros(time: SystemTime) -> String {
    format(time, "%Y-%m-%dT%H:%M:%S.%6fZ")
}

fn format(time: SystemTime, pattern: &str) -> String {
    // The simulated wall clocks stay within the years that a timestamp can hold.
    Timestamp::try_from(time)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime(pattern)
        .to_string()
}

/// Reads either form; none for what is not a time.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
