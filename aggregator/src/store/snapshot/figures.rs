//! The small parts of a snapshot: lengths, moments, sketches, gaps, flips, enums.

use std::time::Duration;

use nodegrace_core::{
    Channel, ConditionStatus, EarlierPosts, Gap, GapStart, Losses, SeenFlip, WallTime,
    event::Visibility, snapshot::SketchSnapshot,
};
use nodegrace_proto::{store::v1, v1 as wire};

use super::Malformed;

/// Most of anything that is counted: the sum over a million nodes stays within 64 bits.
const MOST: u64 = u64::MAX >> 20;

/// Nanoseconds; the largest number stands for everything longer.
pub(in crate::store) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What is added to others, however long: six centuries at most.
pub(in crate::store) const fn duration(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Time since a heartbeat that there may not have been: the largest number is "never".
pub(in crate::store) const fn since(nanos: u64) -> Duration {
    if nanos == u64::MAX {
        Duration::MAX
    } else {
        Duration::from_nanos(nanos)
    }
}

pub(super) const fn count(count: u64) -> u64 {
    if count < MOST { count } else { MOST }
}

pub(super) fn to_sketch(sketch: SketchSnapshot) -> v1::Sketch {
    let buckets = sketch.buckets.into_iter();
    let (indexes, counts) = buckets
        .map(|(index, count)| (i32::from(index), count))
        .unzip();
    v1::Sketch {
        indexes,
        counts,
        count: sketch.count,
        // The halves of a number of 128 bits.
        sum_nanos_low: sketch.sum_nanos as u64,
        sum_nanos_high: (sketch.sum_nanos >> 64) as u64,
        min_nanos: sketch.min.map(nanos),
        max_nanos: sketch.max.map(nanos),
    }
}

pub(super) fn sketch(sketch: Option<v1::Sketch>) -> Result<SketchSnapshot, Malformed> {
    let sketch = sketch.unwrap_or_default();
    if sketch.indexes.len() != sketch.counts.len() {
        return Err(Malformed("a bucket's count"));
    }
    let buckets = sketch.indexes.into_iter().zip(sketch.counts);
    let buckets = buckets.map(|(index, count)| Some((i16::try_from(index).ok()?, count)));
    let sketch = SketchSnapshot {
        buckets: buckets
            .collect::<Option<_>>()
            .ok_or(Malformed("a bucket's index"))?,
        count: sketch.count,
        sum_nanos: u128::from(sketch.sum_nanos_high) << 64 | u128::from(sketch.sum_nanos_low),
        min: sketch.min_nanos.map(duration),
        max: sketch.max_nanos.map(duration),
    };
    if sketch.is_sound() {
        Ok(sketch)
    } else {
        Err(Malformed("a part of a sketch"))
    }
}

pub(super) fn to_gap(gap: &Gap) -> v1::Gap {
    v1::Gap {
        duration_nanos: nanos(gap.duration),
        start_unix_nanos: gap.start_time.unix_nanos(),
        end_unix_nanos: gap.end_time.unix_nanos(),
        start_channel: to_channel(gap.start_channel).into(),
        end_channel: to_channel(gap.end_channel).into(),
        since_lease_nanos: gap.since_lease.map(nanos),
        uncertainty_nanos: nanos(gap.uncertainty),
        flip_seen: gap.flip_seen,
        uncounted: gap.uncounted,
        earlier_post_micros: to_posts(gap.earlier_posts),
    }
}

pub(super) fn gap(gap: &v1::Gap) -> Result<Gap, Malformed> {
    Ok(Gap {
        duration: duration(gap.duration_nanos),
        start_time: WallTime::from_unix_nanos(gap.start_unix_nanos),
        end_time: WallTime::from_unix_nanos(gap.end_unix_nanos),
        start_channel: channel(gap.start_channel())?,
        end_channel: channel(gap.end_channel())?,
        since_lease: gap.since_lease_nanos.map(since),
        earlier_posts: posts(&gap.earlier_post_micros),
        uncertainty: duration(gap.uncertainty_nanos),
        flip_seen: gap.flip_seen,
        uncounted: gap.uncounted,
    })
}

pub(in crate::store) fn to_posts(posts: EarlierPosts) -> Vec<u32> {
    let micros = posts.ages().map(|age| age.as_micros());
    // They are remembered as numbers of 32 bits.
    micros.filter_map(|age| u32::try_from(age).ok()).collect()
}

pub(in crate::store) fn posts(micros: &[u32]) -> EarlierPosts {
    EarlierPosts::of(
        micros
            .iter()
            .map(|age| Duration::from_micros((*age).into())),
    )
}

pub(super) fn to_flip(flip: &SeenFlip) -> v1::Flip {
    let (since_lease, earlier) = match flip.start {
        GapStart::Once => (None, EarlierPosts::none()),
        GapStart::StatusPost {
            since_lease,
            earlier_posts,
        } => (Some(since_lease), earlier_posts),
    };
    v1::Flip {
        after_nanos: flip.after.map(nanos),
        uncertainty_nanos: nanos(flip.uncertainty),
        since_lease_nanos: since_lease.map(nanos),
        earlier_post_micros: to_posts(earlier),
        at_timeline_nanos: nanos(flip.at),
        time_unix_nanos: flip.time.unix_nanos(),
        transition_unix_nanos: flip.transition.map(WallTime::unix_nanos),
    }
}

pub(super) fn flip(flip: &v1::Flip) -> SeenFlip {
    SeenFlip {
        after: flip.after_nanos.map(duration),
        uncertainty: duration(flip.uncertainty_nanos),
        start: GapStart::after(
            flip.since_lease_nanos.map(since),
            posts(&flip.earlier_post_micros),
        ),
        at: duration(flip.at_timeline_nanos),
        time: WallTime::from_unix_nanos(flip.time_unix_nanos),
        transition: flip.transition_unix_nanos.map(WallTime::from_unix_nanos),
    }
}

pub(super) const fn to_losses(losses: Losses) -> wire::Losses {
    wire::Losses {
        dropped_heartbeats: losses.dropped_heartbeats,
        dropped_samples: losses.dropped_samples,
        dropped_others: losses.dropped_others,
        rejected_records: losses.rejected_records,
    }
}

pub(super) fn losses(losses: Option<wire::Losses>) -> Losses {
    let losses = losses.unwrap_or_default();
    Losses {
        dropped_heartbeats: count(losses.dropped_heartbeats),
        dropped_samples: count(losses.dropped_samples),
        dropped_others: count(losses.dropped_others),
        rejected_records: count(losses.rejected_records),
    }
}

pub(super) const fn to_channel(channel: Channel) -> wire::Channel {
    match channel {
        Channel::Lease => wire::Channel::Lease,
        Channel::NodeStatus => wire::Channel::NodeStatus,
    }
}

pub(super) const fn channel(channel: wire::Channel) -> Result<Channel, Malformed> {
    match channel {
        wire::Channel::Lease => Ok(Channel::Lease),
        wire::Channel::NodeStatus => Ok(Channel::NodeStatus),
        wire::Channel::Unspecified => Err(Malformed("a channel")),
    }
}

pub(super) const fn to_status(status: ConditionStatus) -> wire::ConditionStatus {
    match status {
        ConditionStatus::True => wire::ConditionStatus::True,
        ConditionStatus::False => wire::ConditionStatus::False,
        ConditionStatus::Unknown => wire::ConditionStatus::Unknown,
    }
}

pub(super) const fn status(status: wire::ConditionStatus) -> Result<ConditionStatus, Malformed> {
    match status {
        wire::ConditionStatus::True => Ok(ConditionStatus::True),
        wire::ConditionStatus::False => Ok(ConditionStatus::False),
        wire::ConditionStatus::Unknown => Ok(ConditionStatus::Unknown),
        wire::ConditionStatus::Unspecified => Err(Malformed("Ready's status")),
    }
}

/// What is seen of a channel and, where it is blind, since when.
pub(super) fn to_visibility(view: Option<Visibility>) -> (wire::Visibility, u64) {
    match view {
        None => (wire::Visibility::Unspecified, 0),
        Some(Visibility::Observed) => (wire::Visibility::Observed, 0),
        Some(Visibility::Absent) => (wire::Visibility::Absent, 0),
        Some(Visibility::Blind { since }) => (wire::Visibility::Blind, nanos(since)),
    }
}

pub(super) const fn visibility(view: wire::Visibility, since: u64) -> Option<Visibility> {
    match view {
        wire::Visibility::Unspecified => None,
        wire::Visibility::Observed => Some(Visibility::Observed),
        wire::Visibility::Absent => Some(Visibility::Absent),
        wire::Visibility::Blind => Some(Visibility::Blind {
            since: duration(since),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_too_long_to_be_written_can_still_be_added_to() {
        let restored = duration(nanos(Duration::from_secs(700 * 365 * 86_400)));
        assert!(restored > Duration::from_secs(500 * 365 * 86_400));
        assert!(restored.checked_add(restored).is_some());
        assert_eq!(since(nanos(Duration::MAX)), Duration::MAX);
    }

    #[test]
    fn counts_that_are_nonsense_still_add_up_over_a_fleet() {
        assert_eq!(count(1 << 42), 1 << 42);
        assert!(count(u64::MAX).checked_mul(1_000_000).is_some());
    }

    #[test]
    fn a_sketch_that_says_two_things_is_malformed() {
        let sound = v1::Sketch {
            indexes: vec![212],
            counts: vec![1],
            count: 1,
            sum_nanos_low: 10_000_000_000,
            min_nanos: Some(10_000_000_000),
            max_nanos: Some(10_000_000_000),
            ..v1::Sketch::default()
        };
        assert!(sketch(Some(sound.clone())).is_ok());
        let without_counts = v1::Sketch {
            counts: Vec::new(),
            ..sound.clone()
        };
        assert!(sketch(Some(without_counts)).is_err());
        let beyond_any_time = v1::Sketch {
            indexes: vec![i32::from(i16::MAX)],
            ..sound
        };
        assert!(sketch(Some(beyond_any_time)).is_err());
    }
}
