//! What a node's heartbeats tell its history of causes, and what that history answers.

use std::time::Duration;

use super::{LastReport, NodeHistory};
use crate::{
    cause::{Beat, CauseKind, CauseTotal, Explained, Explanation, Habit, LATE, LateChannels},
    channel::ChannelHistory,
    event::{Channel, Heartbeat, Visibility},
    figures::NodeFigures,
    gap::Gap,
};

/// Gaps that must be known before what is usual is learned from them.
const GAPS_FOR_USUAL: u64 = 10;
/// Share of the gaps that are no longer than usual. A little more than half, as for agents: where both channels beat every 10 s
/// each gap is followed by the rest of the 10 s, and the longer part is what is usual.
const USUAL_SHARE: f64 = 0.6;
/// Stamps of the Node status are cut off to whole seconds: on average they are half of one early.
const STATUS_STAMP_EARLY: f32 = 0.5;

impl NodeHistory {
    /// What causes are to know of a heartbeat that was not taken yet.
    pub(super) fn beat(&self, heartbeat: &Heartbeat, sent: LastReport) -> Beat {
        let channel = &self.channels[heartbeat.channel.index()];
        let resolution = match heartbeat.channel {
            Channel::Lease => 0.0,
            Channel::NodeStatus => STATUS_STAMP_EARLY,
        };
        // Of an arrival that the agent's blindness hid, only the earliest moment is known.
        let blind = heartbeat.arrival_uncertainty.as_secs_f32();
        let delay = heartbeat.arrival_time.since(heartbeat.stamp).seconds() as f32 - resolution;
        let usual_delay = channel
            .usual_delay()
            .map_or(0.0, |usual| usual.as_secs_f32());
        let ago = sent.sent.saturating_sub(heartbeat.arrival);
        Beat {
            arrival: heartbeat.arrival,
            arrival_time: heartbeat.arrival_time,
            received: sent.received.saturating_sub(ago),
            late: self.late_channels(heartbeat.arrival),
            delay: (delay - blind, (usual_delay - resolution).max(0.0)),
            uncredited: heartbeat.uncredited_renewals,
            credited: match heartbeat.channel {
                Channel::Lease => Some(heartbeat.stamp),
                Channel::NodeStatus => self.channels[Channel::Lease.index()].last_stamp(),
            },
            usual: self.usual_gap(),
        }
    }

    /// How long gaps of the node usually are or, until that is known, what the settings ask for.
    pub(super) fn usual_gap(&self) -> Duration {
        let gaps = self.gaps.sketch();
        let learned = gaps.count() >= GAPS_FOR_USUAL;
        let usual = gaps.quantile(USUAL_SHARE).filter(|_| learned);
        usual.unwrap_or_else(|| {
            let channel = if self.has_lease() {
                Channel::Lease
            } else {
                Channel::NodeStatus
            };
            self.nominal_period(channel)
        })
    }

    fn nominal_period(&self, channel: Channel) -> Duration {
        self.causes.rhythm.nominal(channel, self.has_lease())
    }

    /// The channels that were late at `at`, since boot.
    fn late_channels(&self, at: Duration) -> LateChannels {
        LateChannels::of(|channel| {
            let history = &self.channels[channel.index()];
            let usual = history.usual_period();
            let usual = usual.unwrap_or_else(|| self.nominal_period(channel));
            let waited = history.last_arrival().map(|last| at.saturating_sub(last));
            let there = history.view() != Some(Visibility::Absent);
            there && waited.is_some_and(|waited| waited > usual.mul_f64(LATE))
        })
    }

    /// The explanation of one of its gaps. Absent: it was no longer than usual, waits for the next sample, or is kept no more.
    pub fn explanation(&self, gap: &Gap) -> Option<&Explanation> {
        self.causes.explanation(gap)
    }

    /// The late gaps that were explained last, oldest first.
    pub fn explained(&self) -> &[Explained] {
        &self.causes.explained
    }

    /// The gaps over which the machine was booted anew, oldest first: measured by its wall clock, and not among the others.
    pub fn reboots(&self) -> &[Explained] {
        &self.causes.reboots
    }

    /// What was counted of each cause, the one that accounts for most first.
    pub fn causes(&self) -> Vec<CauseTotal> {
        self.causes.causes()
    }

    /// What makes its heartbeats late most of all; see [`NodeFigures::cause`](crate::NodeFigures::cause). Absent: nothing does.
    pub fn cause(&self) -> Option<CauseKind> {
        NodeFigures::first_cause(&self.causes(), || self.habits())
    }

    /// The channels whose period is long as a rule, and why.
    pub fn habits(&self) -> Vec<Habit> {
        let habit = |channel: Channel| {
            let history: &ChannelHistory = &self.channels[channel.index()];
            let period = history.usual_period()?;
            self.causes
                .habit(channel, period, self.nominal_period(channel))
        };
        Channel::ALL.into_iter().filter_map(habit).collect()
    }
}
