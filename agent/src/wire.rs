//! Plain values into the wire's: durations, timestamps, and words cut to what the wire allows.

use std::{error::Error as _, time::Duration};

use jiff::Timestamp;
pub(crate) use nodegrace_kube::flat;
pub use nodegrace_kube::one_line;
use nodegrace_kube::with_causes;
use nodegrace_proto::prost_types;

/// Most bytes of a reason or an error message on the wire (`node.proto`).
const MAX_WORDS: usize = 256;

/// A duration on the wire. One beyond the wire's range, 292 billion years, is cut to it.
pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// A moment of wall time on the wire.
pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    const NANOS: i128 = 1_000_000_000;
    let nanos = time.as_nanosecond();
    prost_types::Timestamp {
        // jiff's years -9999 to 9999 fit.
        seconds: nanos.div_euclid(NANOS) as i64,
        nanos: nanos.rem_euclid(NANOS) as i32,
    }
}

/// `words`, cut at a character boundary to what the wire allows.
pub(crate) fn clip(mut words: String) -> String {
    if words.len() > MAX_WORDS {
        words.truncate(words.floor_char_boundary(MAX_WORDS));
    }
    words
}

/// What a gRPC call failed with, and why, on one line.
pub(crate) fn status_line(status: &tonic::Status) -> String {
    let words = if status.message().is_empty() {
        status.code().description()
    } else {
        status.message()
    };
    with_causes(flat(words), status.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_at_a_character_boundary() {
        let clipped = clip("é".repeat(200));
        assert_eq!(clipped.len(), MAX_WORDS);
        assert_eq!(clip("short".into()), "short");
        assert_eq!(clip(format!("a{}", "é".repeat(200))).len(), MAX_WORDS - 1);
    }

    #[test]
    fn a_grpc_status_is_told_by_its_message() {
        let status = tonic::Status::unavailable("shutting down");
        assert_eq!(status_line(&status), "shutting down");
        assert!(!status_line(&tonic::Status::unavailable("")).is_empty());
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        let time: Timestamp = "2026-11-24T00:20:24.615240Z".parse().unwrap();
        let wire = timestamp(time);
        assert_eq!((wire.seconds, wire.nanos), (time.as_second(), 615_240_000));
        assert_eq!(duration(Duration::from_millis(1500)).nanos, 500_000_000);
    }
}
