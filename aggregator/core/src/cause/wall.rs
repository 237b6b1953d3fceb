//! The wall clock beside the monotonic one: whether it was stepped, and for how long that hid renewals.
//!
//! A renewal counts only when its stamp is larger than every one before. So while the wall clock is behind the largest stamp
//! that was credited, whatever the kubelet does is not credited.

use std::time::Duration;

use super::window::Beat;
use crate::time::WallTime;

/// A wall clock that is off by more than this within one gap was stepped: NTP slews it by 0.5 ms a second at most.
const STEP_NANOS: i64 = 1_000_000_000;

/// The wall clock since a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// The largest stamp of the Lease that was credited by then. Absent: there is none.
    pub credited: Option<WallTime>,
    /// The least that the wall clock was ahead of the monotonic one, in nanoseconds.
    pub least_ahead: i64,
    /// The most that it was.
    pub most_ahead: i64,
    /// When it was looked at last, since boot.
    pub seen: Duration,
    /// How much it was ahead then.
    pub ahead: i64,
    /// When it was found to have been stepped last, since boot. Zero: it was not.
    pub stepped: Duration,
    /// When a renewal can count again, since boot. Zero: it always could.
    pub hidden_until: Duration,
    /// How far it was behind at most.
    pub most_behind: Duration,
    /// Time since the next heartbeat is due in which it was behind, and then until a renewal could count again.
    pub hidden: Duration,
}

impl WallClock {
    /// The wall clock since `beat`.
    pub(super) fn since(beat: &Beat) -> Self {
        let ahead = ahead(beat.arrival, beat.arrival_time);
        let mut clock = Self {
            credited: beat.credited,
            least_ahead: ahead,
            most_ahead: ahead,
            seen: beat.arrival,
            ahead,
            stepped: Duration::ZERO,
            hidden_until: Duration::ZERO,
            most_behind: Duration::ZERO,
            hidden: Duration::ZERO,
        };
        let due = beat.arrival + beat.usual;
        clock.see(beat.arrival, beat.arrival_time, due, beat.usual);
        clock
    }

    /// Looks at it: it shows `wall` at `at`, since boot; the next heartbeat is due at `due`, and one follows another after
    /// `usual`. A step since it was looked at last is taken to have been made just now.
    pub(super) fn see(&mut self, at: Duration, wall: WallTime, due: Duration, usual: Duration) {
        let ahead = ahead(at, wall);
        self.least_ahead = self.least_ahead.min(ahead);
        self.most_ahead = self.most_ahead.max(ahead);
        if at >= self.seen {
            if self.ahead.abs_diff(ahead) > STEP_NANOS.unsigned_abs() {
                self.stepped = at;
            }
            self.ahead = ahead;
        }
        let hidden_until = self.hidden_until.min(at);
        self.hidden += hidden_until.saturating_sub(self.seen.max(due));
        let behind = behind(self.credited, wall);
        self.most_behind = self.most_behind.max(behind);
        if !behind.is_zero() && at + behind > due {
            // The renewal that did not count was one; the next comes when it would have come anyway.
            self.hidden_until = at + behind + usual;
        } else {
            // It has caught up, or was set right.
            self.hidden_until = self.hidden_until.min(at + usual);
        }
        self.seen = self.seen.max(at);
    }

    /// True when it was stepped, forward or back.
    pub(super) fn was_stepped(&self) -> bool {
        self.most_ahead.saturating_sub(self.least_ahead) > STEP_NANOS
    }

    /// True when a stamp that was written `before` this arrival, since boot, and the arrival are by the same clock.
    pub(super) fn is_steady(&self, before: Duration, arrival: Duration) -> bool {
        arrival.saturating_sub(before) >= self.stepped
    }
}

/// How far the wall clock is ahead of the monotonic one, in nanoseconds.
fn ahead(at: Duration, wall: WallTime) -> i64 {
    let since_boot = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
    wall.unix_nanos().saturating_sub(since_boot)
}

fn behind(credited: Option<WallTime>, wall: WallTime) -> Duration {
    let behind = credited.and_then(|credited| credited.since(wall).positive());
    behind.unwrap_or_default()
}
