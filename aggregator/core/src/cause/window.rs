//! The time since the last heartbeat, and what came of it once the next one is there.

use std::time::Duration;

use super::{
    figure::Figure,
    seen::{Interval, Part, Seen},
    values::Values,
    wall::WallClock,
};
use crate::{
    cause::{LateChannels, Vantage},
    gap::Gap,
    time::WallTime,
};

/// A gap or a channel's period this much longer than usual is late, and says nothing of what is usual.
pub(crate) const LATE: f64 = 1.25;
/// A gap this much longer than usual is explained.
pub(crate) const EXPLAINED: f64 = 1.5;
/// Share of the lateness that an excess of delivery delay must make up for the stamp to have been on time.
const DELIVERY_SHARE: f32 = 0.5;

/// The time since the last heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Arrival of that heartbeat, since boot.
    pub start: Duration,
    /// How long gaps of the node usually are.
    pub usual: Duration,
    /// The wall clock since then.
    pub wall: WallClock,
    /// TCP retransmission timeouts between that heartbeat and the moment at which the next one is due.
    pub early_timeouts: Part,
    /// Last sight of a kubelet that another one took the place of meanwhile, since boot. Absent: the same one runs.
    pub replaced: Option<Duration>,
    /// What was recorded since the next heartbeat is due. Absent: nothing yet, as in almost every gap.
    pub seen: Option<Box<Seen>>,
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
    /// The largest stamp of the Lease that was credited by then. Absent: there is none.
    pub(crate) credited: Option<WallTime>,
    /// How long gaps of the node usually are.
    pub(crate) usual: Duration,
}

/// A late gap that has ended: what is known of it beside what samples say.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The gap.
    pub gap: Gap,
    /// True while too little is known of it to tell whether it is one; until then it is not explained.
    pub in_doubt: bool,
    /// How much longer it was than usual.
    pub lateness: Duration,
    /// Where the lateness arose.
    pub vantage: Option<Vantage>,
    /// The channels that were late.
    pub late: LateChannels,
    /// Seconds from the stamp of the heartbeat that ended it to its arrival, and what is usual of that. The same where the wall
    /// clock was stepped between the two: then that it was late says nothing.
    pub delay: (f32, f32),
    /// Renewals that the controller did not credit.
    pub uncredited: u32,
    /// How much of the lateness the wall clock was behind the last stamp that was credited, so that no renewal counted.
    pub hidden: Duration,
    /// How far it was behind at most.
    pub behind: Duration,
    /// TCP retransmission timeouts before the heartbeat was due.
    pub early_timeouts: Part,
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
            wall: WallClock::since(beat),
            early_timeouts: Part::default(),
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
        let due = self.due();
        self.wall.see(at, wall, due, self.usual);
    }

    /// Takes what a coarse sample says of the time before the next heartbeat is due.
    pub(crate) fn take_early(&mut self, values: &Values, interval: Interval) {
        let start = interval.start.max(self.start);
        let until = interval.end.min(self.due());
        let covered = until.saturating_sub(start).as_secs_f32();
        if let Some(rate) = values.get(Figure::TcpTimeouts)
            && !interval.fine
            && covered > 0.0
        {
            self.early_timeouts.add(Figure::TcpTimeouts, rate, covered);
        }
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
        let under_way = Duration::try_from_secs_f32(beat.delay.0).unwrap_or_default();
        let delay = if self.wall.is_steady(under_way, beat.arrival) {
            beat.delay
        } else {
            (beat.delay.1, beat.delay.1)
        };
        let excess = delay.0 - delay.1;
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
            in_doubt: false,
            lateness,
            vantage,
            late: beat.late,
            delay,
            uncredited: beat.uncredited,
            hidden: self.wall.hidden,
            behind: self.wall.most_behind,
            early_timeouts: self.early_timeouts,
            gone: gone_since.map_or(Duration::ZERO, |since| beat.arrival.saturating_sub(since)),
            at: beat.received,
            seen,
        }
    }
}
