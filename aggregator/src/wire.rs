//! Durations, timestamps and kinds of causes between the wire and the program.
//!
//! What comes from the wire may be anything; what goes to it is always in range.

use std::time::Duration;

use nodegrace_core::{SignedDuration, WallTime, cause::CauseKind};
use nodegrace_proto::{prost_types, v1};

/// Longest duration taken, a century: longer than any machine is up, and far from where sums overflow.
const MAX_SECONDS: u64 = 100 * 365 * 86_400;
/// Largest number of seconds in a `google.protobuf.Duration`: about 10,000 years.
const MAX_WIRE_SECONDS: i64 = 315_576_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A duration of zero or more, at most [`MAX_SECONDS`].
///
/// # Errors
/// When it is negative or out of range.
pub(crate) fn duration(value: prost_types::Duration) -> Result<Duration, &'static str> {
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(value.seconds), u32::try_from(value.nanos))
    else {
        return Err("must not be negative");
    };
    if seconds > MAX_SECONDS || i64::from(nanos) >= NANOS_PER_SECOND {
        return Err("is out of range");
    }
    Ok(Duration::new(seconds, nanos))
}

/// A moment of wall time.
///
/// # Errors
/// When it is malformed, or outside of the years 1678 to 2261, which nanoseconds in 64 bits can hold.
pub(crate) fn time(value: prost_types::Timestamp) -> Result<WallTime, &'static str> {
    let nanos = i64::from(value.nanos);
    if !(0..NANOS_PER_SECOND).contains(&nanos) {
        return Err("is out of range");
    }
    value
        .seconds
        .checked_mul(NANOS_PER_SECOND)
        .and_then(|seconds| seconds.checked_add(nanos))
        .map(WallTime::from_unix_nanos)
        .ok_or("is out of range")
}

/// A kind of cause for the wire.
pub(crate) const fn cause_kind(kind: CauseKind) -> v1::CauseKind {
    match kind {
        CauseKind::KubeletStopped => v1::CauseKind::KubeletStopped,
        CauseKind::KubeletRestarted => v1::CauseKind::KubeletRestarted,
        CauseKind::CpuStarved => v1::CauseKind::CpuStarved,
        CauseKind::IoStalled => v1::CauseKind::IoStalled,
        CauseKind::MemoryPressure => v1::CauseKind::MemoryPressure,
        CauseKind::RuntimeSlow => v1::CauseKind::RuntimeSlow,
        CauseKind::ApiServerSlow => v1::CauseKind::ApiServerSlow,
        CauseKind::ConnectionLost => v1::CauseKind::ConnectionLost,
        CauseKind::ClockStep => v1::CauseKind::ClockStep,
        CauseKind::NodeRebooted => v1::CauseKind::NodeRebooted,
        CauseKind::NodePaused => v1::CauseKind::NodePaused,
        CauseKind::Unknown => v1::CauseKind::Unknown,
    }
}

/// `duration` for the wire; the longest the wire can carry when it is longer.
pub(crate) fn to_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs())
            .map_or(MAX_WIRE_SECONDS, |seconds| seconds.min(MAX_WIRE_SECONDS)),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

/// `duration` for the wire, where both parts carry the sign.
pub(crate) fn to_signed_duration(duration: SignedDuration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: duration.nanos() / NANOS_PER_SECOND,
        // A remainder below a billion.
        nanos: (duration.nanos() % NANOS_PER_SECOND) as i32,
    }
}

/// `time` for the wire, where the fraction counts upwards also before 1970.
pub(crate) fn to_timestamp(time: WallTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.unix_nanos().div_euclid(NANOS_PER_SECOND),
        // A remainder below a billion.
        nanos: time.unix_nanos().rem_euclid(NANOS_PER_SECOND) as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_survive_the_wire() {
        let wait = Duration::new(12, 345);
        assert_eq!(duration(to_duration(wait)), Ok(wait));
        for nanos in [0, 1_500_000_000, -1, -1_500_000_000, i64::MAX] {
            let moment = WallTime::from_unix_nanos(nanos);
            assert_eq!(time(to_timestamp(moment)), Ok(moment));
        }
    }

    #[test]
    fn what_is_out_of_range_is_an_error_and_no_panic() {
        for (seconds, nanos) in [
            (-1, 0),
            (0, -1),
            (i64::MAX, 0),
            (0, i32::MAX),
            (i64::MIN, 0),
        ] {
            assert!(duration(prost_types::Duration { seconds, nanos }).is_err());
        }
        for (seconds, nanos) in [(i64::MIN, 0), (i64::MAX, 0), (0, -1), (0, i32::MAX)] {
            assert!(time(prost_types::Timestamp { seconds, nanos }).is_err());
        }
        assert_eq!(to_duration(Duration::MAX).seconds, MAX_WIRE_SECONDS);
    }

    #[test]
    fn a_negative_duration_keeps_its_sign_in_both_parts() {
        let second = Duration::from_secs(1);
        let margin = SignedDuration::difference(second, second.mul_f64(2.5));
        let margin = to_signed_duration(margin);
        assert_eq!((margin.seconds, margin.nanos), (-1, -500_000_000));
    }
}
