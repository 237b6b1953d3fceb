//! What a restart leaves open: flips that an earlier run wrote down, and what their nodes have come to meanwhile.

use std::sync::Arc;

use super::FlipBook;
use crate::{
    cluster::{Flip, Moment, SeenNode},
    event::ConditionStatus,
    figures::Ready,
    time::WallTime,
};

/// How far whole seconds, and the clocks of the node and of the controller, are apart at most where they tell of one moment.
const SAME_NANOS: u64 = 5_000_000_000;

impl FlipBook {
    /// Puts a flip back that an earlier run wrote down.
    pub(in crate::cluster) fn restore(&mut self, flip: Flip) {
        let number = self.insert(flip);
        self.changed.remove(&number);
        self.wait_for(number);
    }

    /// Nodes with flips that are not over.
    pub(in crate::cluster) fn open_nodes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.open.keys()
    }

    /// Of two flips of a node the earlier was over before the later came, even if nobody saw: `flip` is about to come.
    pub(super) fn pass_over(&mut self, flip: &mut Flip) {
        let time = flip.time();
        for number in self.open.get(&flip.node).cloned().unwrap_or_default() {
            if self.get(number).is_some_and(|other| other.time() < time) {
                self.end_unseen(number);
            }
        }
        self.take_back_end(&flip.node, time);
        let is_later = |other: &Flip| other.time() > time;
        if flip.is_open() && self.find(&flip.node, is_later).is_some() {
            flip.ended_unseen = true;
        }
    }

    /// Takes back an end that a condition told of and that was another flip's: one that came at `time`, before it.
    fn take_back_end(&mut self, node: &str, time: WallTime) {
        let Some(number) = self.ended_by_condition.get(node).copied() else {
            return;
        };
        let is_others = self.get(number).is_some_and(|flip| {
            flip.time() < time && flip.ready_again.is_some_and(|end| end > time)
        });
        if is_others {
            self.ended_by_condition.remove(node);
            self.change(number, |flip| {
                flip.ready_again = None;
                flip.ended_unseen = true;
            });
        }
    }

    /// Takes a node that is seen for the first time in this run. True when what its condition tells is no flip of its own: an open
    /// one that goes on, or the first of a new node under the name of one that had one.
    pub(in crate::cluster) fn meet_again(&mut self, node: &SeenNode, moment: Moment) -> bool {
        let Some(open) = self.open.get(&node.name).cloned() else {
            return false;
        };
        let mut is_new = false;
        for number in &open {
            let Some(flip) = self.get(*number) else {
                continue;
            };
            if flip.machine.is_replaced_by(&node.machine) {
                is_new = true;
                self.end_with_node(*number, moment.time);
            } else if !flip.rebooted && flip.machine.was_booted_before(&node.machine) {
                self.change(*number, |flip| flip.rebooted = true);
            }
        }
        let Some(ready) = &node.ready else {
            return false;
        };
        let Some(number) = self.open.get(&node.name).and_then(|open| open.last()) else {
            return is_new;
        };
        let number = *number;
        if ready.status == ConditionStatus::True {
            self.end_by_itself(number, ready, ready.transition, moment);
            return false;
        }
        self.goes_on(number, ready, moment)
    }

    /// A flip that ended while nobody watched ended when the condition says, which cannot be before `from`.
    pub(super) fn end_by_itself(
        &mut self,
        number: u64,
        ready: &Ready,
        from: WallTime,
        moment: Moment,
    ) {
        let Some(flip) = self.get(number) else { return };
        let (begun, seen) = (flip.time().max(from), flip.seen.is_some());
        let end = ready.transition;
        if is_before(end, begun) {
            // What only the agent saw may be newer than this sight of the node; what the watch saw is not, and the node's clock, which
            // stamps the way back, is not to be believed. Nor is it newer where the agent saw it late, which is when it knows no time
            // without heartbeat.
            if seen || (flip.after.is_none() && end >= flip.transition) {
                self.end_unseen(number);
            }
            return;
        }
        let node = Arc::clone(&flip.node);
        let end = end.clamp(begun, moment.time.max(begun));
        self.change(number, |flip| flip.ready_again = Some(end));
        let ago = moment.time.since(end).positive().unwrap_or_default();
        self.close(&node, number, moment.at.saturating_sub(ago));
        self.ended_by_condition.insert(node, number);
    }

    /// Whether a node that is not ready is so since the flip of this number.
    fn goes_on(&mut self, number: u64, ready: &Ready, moment: Moment) -> bool {
        let Some(flip) = self.get(number) else {
            return false;
        };
        // A row of an early version holds when the agent saw it in place of the condition's own time.
        let same =
            |time: WallTime| ready.transition.since(time).nanos().unsigned_abs() <= SAME_NANOS;
        if flip.is_of(ready.transition)
            || (Some(flip.transition) == flip.agent_seen && same(flip.transition))
        {
            self.change(number, |flip| {
                flip.seen.get_or_insert(moment.time);
            });
            return true;
        }
        match (flip.status, ready.status) {
            // Whether it was ready in between nobody saw. Two flips would be said of one that went on.
            (ConditionStatus::False, ConditionStatus::Unknown) if flip.may_go_on() => {
                self.change(number, |flip| flip.went_on = Some(ready.transition));
                true
            }
            // The kubelet is back, and not ready yet.
            (ConditionStatus::Unknown, ConditionStatus::False) => true,
            _ => {
                if ready.transition > flip.transition {
                    self.end_unseen(number);
                }
                false
            }
        }
    }

    /// A flip that was taken to be over, and is not.
    pub(super) fn reopen(&mut self, number: u64) {
        let ended = self.get(number).filter(|flip| flip.ended_unseen);
        let Some(node) = ended.map(|flip| Arc::clone(&flip.node)) else {
            return;
        };
        self.change(number, |flip| flip.ended_unseen = false);
        let open = self.open.entry(node).or_default();
        open.push(number);
        open.sort_unstable();
    }

    /// The flip of a node before another was taken to be over, and is not.
    pub(super) fn reopen_before(&mut self, node: &str, number: u64) {
        let numbers = self.of.get(node).into_iter().flatten().rev();
        let before = numbers.copied().find(|other| *other < number);
        if let Some(before) = before {
            self.reopen(before);
        }
    }

    /// Ends a flip of a Node that was deleted, at `time` at the latest.
    pub(in crate::cluster) fn end_with_node(&mut self, number: u64, time: WallTime) {
        let open = self.get(number).filter(|flip| flip.is_open());
        let Some(node) = open.map(|flip| Arc::clone(&flip.node)) else {
            return;
        };
        self.change(number, |flip| flip.deleted = Some(time));
        self.forget_open(&node, number);
    }

    fn end_unseen(&mut self, number: u64) {
        let Some(node) = self.get(number).map(|flip| Arc::clone(&flip.node)) else {
            return;
        };
        self.change(number, |flip| flip.ended_unseen = true);
        self.forget_open(&node, number);
    }
}

/// Whether `time` is before `other` even if their clocks differ a little.
pub(in crate::cluster) fn is_before(time: WallTime, other: WallTime) -> bool {
    time < other && time.since(other).nanos().unsigned_abs() > SAME_NANOS
}
