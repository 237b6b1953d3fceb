//! Answered quantiles against the values they are of.

use std::time::Duration;

use nodegrace_proto::v1;

/// Asserts that p50, p90 and p99 lie where `truth` has them, within the sketch's error and the resolution.
///
/// # Panics
/// When one does not, or is missing.
pub fn assert_quantiles(answer: &v1::Quantiles, mut truth: Vec<Duration>) {
    truth.sort_unstable();
    for (answered, share) in [(answer.p50, 0.5), (answer.p90, 0.9), (answer.p99, 0.99)] {
        let answered = as_seconds(answered.expect("there are values"));
        let rank = ((share * truth.len() as f64).ceil() as usize).clamp(1, truth.len());
        let resolution = answer.resolution.map_or(0.001, as_seconds);
        // The quantile of n values is known to a rank: one value more or less, where a relist hid one, is no error.
        let lowest = truth[rank.saturating_sub(2)].as_secs_f64();
        let highest = truth[rank.min(truth.len() - 1)].as_secs_f64();
        let (lowest, highest) = (
            lowest * (1.0 - answer.relative_error) - resolution,
            highest * (1.0 + answer.relative_error) + resolution,
        );
        assert!(
            (lowest..=highest).contains(&answered),
            "p{}: {answered} is not in {lowest} to {highest}",
            share * 100.0
        );
    }
}

/// A duration in seconds.
pub fn as_seconds(duration: prost_types::Duration) -> f64 {
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}
