//! Plain values into the wire's: durations, timestamps, and words cut to what the wire allows.

use std::{error::Error, time::Duration};

use jiff::Timestamp;
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

/// An error and its causes on one line. Causes that the text so far already contains are left out: many libraries repeat
/// their source in their own words.
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    with_causes(flat(&error.to_string()), error.source())
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

fn with_causes(mut line: String, mut cause: Option<&(dyn Error + 'static)>) -> String {
    while let Some(error) = cause {
        let words = flat(&error.to_string());
        if !line.contains(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        cause = error.source();
    }
    line
}

/// Words without line breaks.
pub(crate) fn flat(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
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
    fn an_error_is_one_line_that_says_each_cause_once() {
        let inner = std::io::Error::other("connection refused");
        let error = anyhow::Error::new(inner)
            .context("connect to\n  10.0.0.1")
            .context("list nodes");
        assert_eq!(
            one_line(error.as_ref()),
            "list nodes: connect to 10.0.0.1: connection refused"
        );
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
