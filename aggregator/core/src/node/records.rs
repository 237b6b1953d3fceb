//! Writing: what each record changes of a node's history.

use std::time::Duration;

use super::{FLIPS_KEPT, LastReport, NodeHistory, SeenFlip};
use crate::{
    GapStart,
    cause::Beat,
    channel::ChannelHistory,
    event::{Channel, ConditionStatus, Heartbeat, ReadyChange, Record, Visibility},
    figures::Ready,
    fleet::Applied,
    gap_chain::Link,
};

impl NodeHistory {
    /// Takes a new record.
    pub(super) fn record(
        &mut self,
        record: Record,
        clocks: LastReport,
        tolerance: Duration,
        applied: &mut Applied,
    ) {
        // By the records' own times: it must not matter how they are cut into batches.
        self.settle(record.time(), applied);
        match record {
            Record::Heartbeat(heartbeat) => {
                let beat = self.beat(&heartbeat, clocks);
                if let Some(reboot) = self.causes.see_after_reboot(&heartbeat, &beat) {
                    applied.long_gaps.push(reboot.gap);
                    applied.explained.push(reboot);
                }
                if heartbeat.baseline {
                    self.baseline(&heartbeat);
                } else {
                    self.heartbeat(&heartbeat, &beat, tolerance, applied);
                }
            }
            Record::BlindSpell(spell) => {
                self.counters.blind_spells += 1;
                self.counters.blind += spell.end.saturating_sub(spell.start);
                self.channels[spell.channel.index()].end_spell(spell.start, spell.end);
                self.causes.blind(&spell);
            }
            Record::ReadyChange(change) => applied.flips.extend(self.ready_change(change, clocks)),
            Record::Sample(facts) => {
                if self.causes.kubelet.is_replaced(&facts) {
                    self.renewals.forget();
                }
                if let Some(count) = facts.renewals {
                    self.renewals.count(count);
                }
                applied.explained.extend(self.causes.sample(&facts));
            }
        }
    }

    fn baseline(&mut self, heartbeat: &Heartbeat) {
        let nothing_missed = self.channels[heartbeat.channel.index()].take_baseline(heartbeat);
        self.chain.begin();
        if !nothing_missed {
            self.chain.break_here();
        }
    }

    /// Takes a heartbeat, and the gap it ended.
    fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        beat: &Beat,
        tolerance: Duration,
        applied: &mut Applied,
    ) {
        let index = heartbeat.channel.index();
        // Until a restarted agent has found what it missed, any heartbeat may have had a neighbour.
        if self
            .channels
            .iter()
            .any(ChannelHistory::awaits_its_baseline)
        {
            self.chain.break_here();
        }
        let missing = self.missing(heartbeat.arrival);
        self.channels[index].take(heartbeat);
        let (mut gap, mut doubt) = (None, None);
        match self.chain.take(heartbeat, self.has_lease(), tolerance) {
            Link::First => {}
            Link::Gap(measured) => {
                self.gaps.insert(measured);
                gap = Some((measured, self.gaps.is_long(measured.duration)));
            }
            Link::Unmeasured(unclear) => {
                self.gaps.skip();
                doubt = unclear.map(|unclear| missing.from(unclear));
            }
        }
        let doubt = doubt.filter(|doubt| self.may_be_late(doubt));
        let long = gap.filter(|(_, is_long)| *is_long).map(|(gap, _)| gap);
        let certain = heartbeat.arrival_uncertainty <= tolerance;
        self.see_beside_doubt(heartbeat, certain && doubt.is_none());
        if doubt.is_some() || long.is_some() {
            self.decide(applied);
        }
        match doubt {
            Some(doubt) => applied.explained.extend(self.causes.doubt(doubt.gap, beat)),
            None => applied.explained.extend(self.causes.beat(gap, beat)),
        }
        self.doubt = doubt.or(self.doubt);
        applied.long_gaps.extend(long);
    }

    pub(super) fn has_lease(&self) -> bool {
        let lease = &self.channels[Channel::Lease.index()];
        lease.view() != Some(Visibility::Absent) && lease.was_seen()
    }

    /// Takes a change of Ready; gives the flip when it is one. Unknown twice, with two transitions, are two: it was something
    /// else in between, while the agent was blind.
    fn ready_change(&mut self, change: ReadyChange, clocks: LastReport) -> Option<SeenFlip> {
        let is_the_same = |ready: &Ready| {
            ready.status == ConditionStatus::Unknown && change.transition <= ready.transition
        };
        let was_unknown = self.ready.as_ref().is_some_and(is_the_same);
        let turned_unknown =
            change.status == ConditionStatus::Unknown && !was_unknown && !change.baseline;
        let flip = turned_unknown.then(|| self.flip(&change, clocks));
        self.ready = Some(Ready {
            status: change.status,
            reason: change.reason,
            transition: change.transition,
        });
        flip
    }

    fn flip(&mut self, change: &ReadyChange, clocks: LastReport) -> SeenFlip {
        self.flips_seen += 1;
        // What blindness held up came about before it ended, and so before the heartbeat that may have been seen since.
        let held_up_since =
            self.channels[Channel::NodeStatus.index()].held_up_since(change.arrival);
        let held_up = held_up_since.is_some();
        if !held_up_since.is_some_and(|since| self.flip_in_doubt(since)) {
            self.chain.see_flip();
        }
        let running = self.chain.running().filter(|_| !held_up);
        if self.flips.len() == FLIPS_KEPT {
            self.flips.remove(0);
        }
        let flip = SeenFlip {
            after: running.and_then(|running| change.arrival.checked_sub(running.since)),
            uncertainty: running.map_or(Duration::ZERO, |running| running.uncertainty),
            start: running.map_or(GapStart::Once, |running| running.start),
            at: clocks.received_at(change.arrival),
            time: change.arrival_time,
            transition: Some(change.transition),
        };
        self.flips.push(flip);
        flip
    }
}
