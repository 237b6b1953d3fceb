//! The time since the last heartbeat, and what came of it once the next one is there.

use std::time::Duration;

use super::seen::Seen;
use crate::{
    cause::{LateChannels, Vantage},
    gap::Gap,
    time::WallTime,
};

/// A wall clock that is off by more than this within one gap was stepped: NTP slews it by 0.5 ms a second at most.
const STEP_NANOS: i64 = 1_000_000_000;
/// A gap or a channel's period this much longer than usual is late, and says nothing of what is usual.
pub(crate) const LATE: f64 = 1.25;
/// A gap this much longer than usual is explained.
const EXPLAINED: f64 = 1.5;
/// Share of the lateness that an excess of delivery delay must make up for the stamp to have been on time.
const DELIVERY_SHARE: f32 = 0.5;

/// The time since the last heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Arrival of that heartbeat, since boot.
    pub start: Duration,
    /// How long gaps of the node usually are.
    pub usual: Duration,
    /// The wall clock beside the monotonic one.
    pub wall: WallOffset,
    /// Last sight of a kubelet that another one took the place of meanwhile, since boot. Absent: the same one runs.
    pub replaced: Option<Duration>,
    /// What was recorded since the next heartbeat is due. Absent: nothing yet, as in almost every gap.
    pub seen: Option<Box<Seen>>,
}

/// How far the wall clock is ahead of the monotonic one, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallOffset {
    /// At the start.
    pub first: i64,
    /// The least since.
    pub least: i64,
    /// The most since.
    pub most: i64,
}

impl WallOffset {
    fn at(at: Duration, wall: WallTime) -> Self {
        let since_boot = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        let offset = wall.unix_nanos().saturating_sub(since_boot);
        Self {
            first: offset,
            least: offset,
            most: offset,
        }
    }

    fn see(&mut self, at: Duration, wall: WallTime) {
        let now = Self::at(at, wall).first;
        self.least = self.least.min(now);
        self.most = self.most.max(now);
    }

    /// True when the clock was stepped, forward or back.
    fn was_stepped(self) -> bool {
        self.most.saturating_sub(self.least) > STEP_NANOS
    }

    /// How far it was stepped back. Zero: it was not.
    fn stepped_back(self) -> Duration {
        let back = self.first.saturating_sub(self.least);
        Duration::from_nanos(if back > STEP_NANOS {
            back.unsigned_abs()
        } else {
            0
        })
    }
}

/// A heartbeat, as far as causes are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    /// When it arrived, since boot.
    pub(crate) arrival: Duration,
    /// When it arrived, by the node's wall clock.
    pub(crate) arrival_time: WallTime,
    /// When it arrived, on the aggregator's monotonic clock.
    pub(crate) received: Duration,
    /// Channels that were late by then.
    pub(crate) late: LateChannels,
    /// Seconds from its stamp to its arrival, and what is usual of that.
    pub(crate) delay: (f32, f32),
    /// Renewals before it that the controller did not credit.
    pub(crate) uncredited: u32,
    /// How long gaps of the node usually are.
    pub(crate) usual: Duration,
}

/// A late gap that has ended: what is known of it beside what samples say.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The gap.
    pub gap: Gap,
    /// How much longer it was than usual.
    pub lateness: Duration,
    /// Where the lateness arose.
    pub vantage: Option<Vantage>,
    /// The channels that were late.
    pub late: LateChannels,
    /// Seconds from the stamp of the heartbeat that ended it to its arrival, and what is usual of that. The first is not to be
    /// believed where there is no vantage.
    pub delay: (f32, f32),
    /// Renewals that the controller did not credit.
    pub uncredited: u32,
    /// How far the wall clock was stepped back within it. Zero: it was not.
    pub stepped_back: Duration,
    /// From the last sight of a kubelet that was replaced, or from when the heartbeat was due, to the first beat of the next.
    /// Zero: the same one ran all the time.
    pub gone: Duration,
    /// When it ended, on the aggregator's monotonic clock.
    pub at: Duration,
    /// What was recorded of the lateness.
    pub seen: Box<Seen>,
}

impl Window {
    /// The time since this heartbeat.
    pub(crate) fn since(beat: &Beat) -> Self {
        Self {
            start: beat.arrival,
            usual: beat.usual,
            wall: WallOffset::at(beat.arrival, beat.arrival_time),
            replaced: None,
            seen: None,
        }
    }

    /// When the next heartbeat is due, since boot.
    pub(crate) fn due(&self) -> Duration {
        self.start + self.usual
    }

    /// What is recorded since the next heartbeat is due, where `until` is later. Absent: it is not.
    pub(crate) fn seen_until(&mut self, until: Duration) -> Option<&mut Seen> {
        let due = self.due();
        (until > due).then(|| &mut **self.seen.get_or_insert_with(|| Box::new(Seen::new(due))))
    }

    /// Sees both clocks.
    pub(crate) fn see_wall(&mut self, at: Duration, wall: WallTime) {
        self.wall.see(at, wall);
    }

    /// True when a gap of this length says nothing of what is usual.
    pub(crate) fn is_late(&self, gap: Duration) -> bool {
        gap > self.usual.mul_f64(LATE)
    }

    /// True when a gap of this length is to be explained.
    pub(crate) fn is_explained(&self, gap: Duration) -> bool {
        gap >= self.usual.mul_f64(EXPLAINED)
    }

    /// What is known once `beat` has ended it after this gap.
    pub(crate) fn end(mut self, gap: Gap, beat: &Beat) -> Ended {
        self.see_wall(beat.arrival, beat.arrival_time);
        let due = self.due();
        let mut seen = self.seen.unwrap_or_else(|| Box::new(Seen::new(due)));
        seen.until = Some(beat.arrival);
        let lateness = beat.arrival.saturating_sub(due);
        let excess = beat.delay.0 - beat.delay.1;
        let on_time = excess >= DELIVERY_SHARE * lateness.as_secs_f32();
        let vantage = if on_time {
            Vantage::Delivery
        } else {
            Vantage::Node
        };
        let vantage = (!self.wall.was_stepped()).then_some(vantage);
        let gone_since = self.replaced.map(|last_sight| last_sight.max(due));
        Ended {
            gap,
            lateness,
            vantage,
            late: beat.late,
            delay: beat.delay,
            uncredited: beat.uncredited,
            stepped_back: self.wall.stepped_back(),
            gone: gone_since.map_or(Duration::ZERO, |since| beat.arrival.saturating_sub(since)),
            at: beat.received,
            seen,
        }
    }
}
