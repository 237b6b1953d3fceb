//! Late intervals next to the agent's own blindness: when the network of a node is gone, its agent sees the late heartbeat late
//! as well. What is late beyond doubt is told all the same, with its uncertainty, and counted in no figure.

use std::time::Duration;

use super::NodeHistory;
use crate::{
    cause::EXPLAINED,
    doubt::Doubt,
    event::{Channel, Heartbeat},
    fleet::Applied,
    gap::Gap,
};

/// Most of the lateness that may be uncertain of a gap that is told: at least half of it is sure.
const UNCERTAIN: f64 = 0.5;
/// How many times as long as for the sample that explains a gap it is waited for the kubelet's count of its renewals: a reading is
/// told with the sample after it, and one right after a heartbeat may come too early.
const COUNT_PATIENCE: u32 = 2;

/// Heartbeats before the one that came that may be missing for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    /// Renewals of the Lease, from when on.
    renewals_since: Option<Duration>,
    /// Any, from when on.
    others_since: Option<Duration>,
}

impl Missing {
    /// The interval in doubt, with what may be missing in it.
    pub(super) const fn from(self, doubt: Doubt) -> Doubt {
        Doubt {
            renewals_since: self.renewals_since,
            unseen_since: self.others_since,
            ..doubt
        }
    }
}

impl NodeHistory {
    /// What may be missing for good before a heartbeat at `arrival` that was not taken yet.
    pub(super) fn missing(&self, arrival: Duration) -> Missing {
        let after = self.chain.last().map_or(Duration::ZERO, |last| last.at);
        let since = self.chain.missing_since(after, arrival);
        let of = |channel: Channel| self.channels[channel.index()].hiding_since(after, arrival);
        let renewals_since = of(Channel::Lease).filter(|_| since.is_some());
        let renewals_alone = of(Channel::NodeStatus).is_none() && renewals_since == since;
        Missing {
            renewals_since,
            others_since: since.filter(|_| !renewals_alone),
        }
    }

    /// True when an interval in doubt is late at its longest.
    pub(super) fn may_be_late(&self, doubt: &Doubt) -> bool {
        self.is_late(doubt.gap.duration)
    }

    fn is_late(&self, duration: Duration) -> bool {
        self.gaps.is_long(duration) && duration >= self.usual_gap().mul_f64(EXPLAINED)
    }

    /// True when a gap is late at its shortest, and most of its lateness is sure.
    fn is_late_beyond_doubt(&self, gap: &Gap) -> bool {
        let lateness = gap.duration.saturating_sub(self.usual_gap());
        self.is_late(gap.duration.saturating_sub(gap.uncertainty))
            && gap.uncertainty <= lateness.mul_f64(UNCERTAIN)
    }

    /// A heartbeat came, perhaps while an interval before it is in doubt. `certain`: when it came is known as well as a gap's ends
    /// must be, and it ends no interval that is in doubt itself.
    pub(super) fn see_beside_doubt(&mut self, heartbeat: &Heartbeat, certain: bool) {
        let arrival = heartbeat.arrival;
        let earliest = arrival.saturating_sub(heartbeat.arrival_uncertainty);
        if let Some(doubt) = &mut self.doubt {
            doubt.may_have_come(earliest);
        }
        if heartbeat.channel == Channel::Lease {
            let settled = certain && self.doubt.is_none();
            self.renewals.see(earliest, arrival, settled);
        }
    }

    /// A channel was seen again at `end`.
    pub(super) fn await_backlog(&mut self, end: Duration) {
        if let Some(doubt) = &mut self.doubt {
            doubt.await_backlog(end);
        }
    }

    /// Heartbeats may have come unseen from `since` on.
    pub(super) fn may_hide(&mut self, since: Duration) {
        if let Some(doubt) = &mut self.doubt {
            doubt.may_hide(since);
        }
    }

    /// The agent that could not see a channel is gone: what came of it will not be known.
    pub(super) fn leave_unseen(&mut self) {
        if let Some(doubt) = &mut self.doubt
            && let Some(since) = self.chain.unseen_since(doubt.start, doubt.end)
        {
            doubt.may_hide(since);
        }
    }

    /// Ready was seen late to have turned Unknown, at `since` at the earliest; true when that was within the interval in doubt.
    pub(super) fn flip_in_doubt(&mut self, since: Duration) -> bool {
        match &mut self.doubt {
            Some(doubt) if since < doubt.end => {
                doubt.gap.flip_seen = true;
                true
            }
            _ => false,
        }
    }

    /// What was in doubt stays unknown: heartbeats of it may be lost.
    pub(super) fn drop_doubt(&mut self) {
        if self.doubt.take().is_some() {
            self.causes.settle(None);
        }
    }

    /// Decides on the interval in doubt if nothing more is to be learned of it at `at`, since boot.
    pub(super) fn settle(&mut self, at: Duration, applied: &mut Applied) {
        let Some(doubt) = &mut self.doubt else { return };
        let (start, end) = (doubt.start, doubt.end);
        if let Some(since) = doubt.renewals_since
            && self.renewals.are_all_seen(since.max(start), end)
        {
            doubt.renewals_since = None;
        }
        let awaits_count =
            doubt.renewals_since.is_some() && at < end + self.causes.patience() * COUNT_PATIENCE;
        let awaits_channel = self.chain.unseen_since(start, end).is_some();
        if at >= doubt.settled_at && !awaits_count && !awaits_channel {
            self.decide(applied);
        }
    }

    /// Tells the interval in doubt if it was late beyond doubt by what is known now.
    pub(super) fn decide(&mut self, applied: &mut Applied) {
        let Some(doubt) = self.doubt.take() else {
            return;
        };
        let gap = doubt.gap(self.chain.unseen_since(doubt.start, doubt.end));
        let told = self.is_late_beyond_doubt(&gap).then_some(gap);
        self.causes.settle(told);
        if let Some(gap) = told {
            self.gaps.tell(gap);
            applied.long_gaps.push(gap);
        }
    }
}
