//! The gap over a reboot. No monotonic clock runs through it, so it is told by the wall clock and counted in no figure.

use std::time::Duration;

use super::{
    explanation::{Cause, Evidence, Explanation, LateChannels},
    facts::Sources,
    figure::Figure,
    history::{CauseHistory, Explained},
    kind::CauseKind,
    window::Beat,
};
use crate::{event::Heartbeat, gap::Gap, snapshot::LastArrival, time::WallTime};

/// Reboots kept for each node, the oldest dropped first.
const REBOOTS_KEPT: usize = 8;

impl CauseHistory {
    /// The first heartbeat that was seen of another boot, if this is it; gives the gap since the last one of the boot before.
    pub(crate) fn see_after_reboot(
        &mut self,
        heartbeat: &Heartbeat,
        beat: &Beat,
    ) -> Option<Explained> {
        let last = self.before_reboot?;
        // What the first list found was stamped before the agent looked, and is the earliest that is known of.
        let end = if heartbeat.baseline {
            heartbeat.stamp
        } else {
            heartbeat.arrival_time
        };
        let booted = booted(heartbeat).max(last.time);
        if end < booted {
            // It was left there by the boot before.
            return None;
        }
        self.before_reboot = None;
        let duration = end.since(last.time).positive()?;
        let lateness = duration.checked_sub(beat.usual)?;
        let off = booted.since(last.time).positive()?.as_secs_f32();
        let gap = Gap {
            duration,
            start_time: last.time,
            end_time: end,
            start_channel: last.channel,
            end_channel: heartbeat.channel,
            since_lease: None,
            earlier_posts: crate::EarlierPosts::none(),
            // Before the agent was there the kubelet may have beaten, from the moment of booting on.
            uncertainty: end.since(booted).positive().unwrap_or_default(),
            flip_seen: false,
            uncounted: true,
        };
        let cause = Cause {
            kind: CauseKind::NodeRebooted,
            accounts_for: lateness,
            share: 1.0,
            evidence: vec![Evidence::found(
                Figure::MachineOff,
                off,
                None,
                lateness.as_secs_f32(),
            )],
        };
        let explained = Explained {
            gap,
            why: Explanation {
                lateness,
                vantage: None,
                late: LateChannels::of(|_| false),
                causes: vec![cause],
                read: Sources::NONE,
                recorded: Duration::ZERO,
                ended: beat.received,
            },
        };
        if self.reboots.len() == REBOOTS_KEPT {
            self.reboots.remove(0);
        }
        self.reboots.push(explained.clone());
        self.count(&explained);
        Some(explained)
    }

    /// Another boot began after this arrival.
    pub(crate) fn reboot(&mut self, last: Option<LastArrival>) {
        self.end_boot();
        // Of several boots without a heartbeat the first one counts.
        self.before_reboot = last.or(self.before_reboot);
    }
}

/// When the machine booted, by the wall clock as it goes now.
fn booted(heartbeat: &Heartbeat) -> WallTime {
    let since_boot = i64::try_from(heartbeat.arrival.as_nanos()).unwrap_or(i64::MAX);
    WallTime::from_unix_nanos(
        heartbeat
            .arrival_time
            .unix_nanos()
            .saturating_sub(since_boot),
    )
}
