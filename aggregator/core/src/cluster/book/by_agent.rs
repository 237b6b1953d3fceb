//! Flips and boots by the word of the node's own agent.

use std::sync::Arc;

use super::{FlipBook, begun};
use crate::{
    cluster::{Flip, Machine, Moment},
    event::ConditionStatus,
    figures::Ready,
    node::SeenFlip,
    time::WallTime,
};

/// Reason that the controller writes with Unknown.
const UNKNOWN: &str = "NodeStatusUnknown";

impl FlipBook {
    /// Takes that a node's agent saw Ready turn Unknown. `machine`: the node's, where it is known. Gives the number of the flip.
    pub(in crate::cluster) fn join(
        &mut self,
        node: &Arc<str>,
        seen: &SeenFlip,
        machine: Option<&Machine>,
    ) -> u64 {
        let is_it = |flip: &Flip| {
            flip.agent_seen == Some(seen.time)
                || seen.transition.is_some_and(|time| {
                    flip.went_on == Some(time)
                        || (flip.agent_seen.is_none() && flip.transition == time)
                })
        };
        let transition = seen.transition.unwrap_or(seen.time);
        // What the kubelet said itself goes on to Unknown when its heartbeats stop, too.
        let goes_on =
            |flip: &Flip| flip.is_open() && flip.may_go_on() && flip.transition <= transition;
        let number = self
            .find(node, is_it)
            .or_else(|| self.find(node, goes_on))
            .unwrap_or_else(|| {
                let unknown = ConditionStatus::Unknown;
                self.insert(Flip {
                    machine: machine.cloned().unwrap_or_default(),
                    ..begun(node, unknown, &Arc::from(UNKNOWN), transition)
                })
            });
        self.change(number, |flip| {
            if flip.status == ConditionStatus::False {
                flip.went_on.get_or_insert(transition);
            }
            flip.agent_seen = Some(seen.time);
            flip.after = seen.after.or(flip.after);
            flip.uncertainty = seen.uncertainty;
            flip.start = seen.start;
        });
        number
    }

    /// Ends a flip that is told only now, where the node's condition, which was seen before, is that of its end.
    pub(in crate::cluster) fn end_if_back(&mut self, number: u64, ready: &Ready, moment: Moment) {
        let is_back = self.get(number).is_some_and(|flip| {
            flip.is_open()
                && ready.status == ConditionStatus::True
                && ready.transition >= flip.went_on.unwrap_or(flip.transition)
        });
        if is_back {
            self.end_by_itself(number, ready, ready.transition, moment);
        }
    }

    /// Takes that a node's machine was booted between two moments of its wall clock, by its agent's word.
    pub(in crate::cluster) fn reboot(&mut self, node: &str, from: WallTime, to: WallTime) {
        let within = |flip: &Flip| {
            let time = flip.agent_seen.unwrap_or(flip.transition);
            !flip.rebooted && (from..=to).contains(&time)
        };
        while let Some(number) = self.find(node, within) {
            self.change(number, |flip| flip.rebooted = true);
        }
    }
}
