//! Which run of the agent reports, which of its records are kept, and whether its stream is open.

use crate::{event::AgentId, snapshot::InstanceSnapshot};

/// Replaced instances remembered, the oldest forgotten first: enough that what a restart, a reboot or a crash loop left on
/// its way is recognised.
const REPLACED_KEPT: usize = 8;

/// The agent instance that a node's records come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Instance {
    current: Option<AgentId>,
    /// Highest sequence number kept of the current instance; everything below is kept, forgotten or lost.
    highest: u64,
    /// The instances replaced last with their highest numbers, the latest last: their late records are recognised by them.
    replaced: Vec<(AgentId, u64)>,
    /// A reconnecting agent opens its next stream before the end of the last one is noticed, so streams are counted.
    open_streams: u32,
}

/// How an agent relates to the one that reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The node's first agent, as far as this run knows.
    First,
    /// The one that reports already.
    Current,
    /// A restarted agent on the same boot: monotonic times go on.
    Restarted,
    /// An agent on another boot: monotonic times start anew.
    Rebooted,
    /// One that was replaced already.
    Replaced {
        /// Highest sequence number kept of it. 0: none.
        highest: u64,
    },
}

impl Instance {
    pub(super) fn import(snapshot: InstanceSnapshot) -> Self {
        Self {
            current: snapshot.current,
            highest: snapshot.highest,
            replaced: snapshot.replaced,
            open_streams: 0,
        }
    }

    pub(super) fn export(&self) -> InstanceSnapshot {
        InstanceSnapshot {
            current: self.current.clone(),
            highest: self.highest,
            replaced: self.replaced.clone(),
        }
    }

    /// Takes `agent` as the current one unless it was replaced. An agent of another boot wins when it has just connected:
    /// which boot is the later one cannot be told from boot ids.
    pub(super) fn take(&mut self, agent: &AgentId, just_connected: bool) -> Arrival {
        let replaced = |same: fn(&AgentId, &AgentId) -> bool| {
            let mut latest_first = self.replaced.iter().rev();
            latest_first.find(|(replaced, _)| same(replaced, agent))
        };
        let arrival = match &self.current {
            None => Arrival::First,
            Some(current) if current == agent => return Arrival::Current,
            Some(current) if current.boot_id == agent.boot_id => {
                if agent.start < current.start {
                    let highest = replaced(AgentId::eq).map_or(0, |(_, highest)| *highest);
                    return Arrival::Replaced { highest };
                }
                Arrival::Restarted
            }
            Some(_) if !just_connected && replaced(|a, b| a.boot_id == b.boot_id).is_some() => {
                let highest = replaced(AgentId::eq).map_or(0, |(_, highest)| *highest);
                return Arrival::Replaced { highest };
            }
            Some(_) => Arrival::Rebooted,
        };
        // One that comes back keeps its numbers: another boot may only have been seen in between.
        let known = replaced(AgentId::eq).map_or(0, |(_, highest)| *highest);
        self.replaced.retain(|(replaced, _)| replaced != agent);
        if let Some(current) = self.current.replace(agent.clone()) {
            if self.replaced.len() == REPLACED_KEPT {
                self.replaced.remove(0);
            }
            self.replaced.push((current, self.highest));
        }
        self.highest = known;
        self.open_streams = 0;
        arrival
    }

    pub(super) fn connect(&mut self, agent: &AgentId) {
        if self.current.as_ref() == Some(agent) {
            self.open_streams += 1;
        }
    }

    pub(super) fn disconnect(&mut self, agent: &AgentId) {
        if self.current.as_ref() == Some(agent) {
            self.open_streams = self.open_streams.saturating_sub(1);
        }
    }

    /// True when the record of this number is new; it is kept from then on.
    pub(super) const fn keep(&mut self, sequence_number: u64) -> bool {
        let new = sequence_number > self.highest;
        if new {
            self.highest = sequence_number;
        }
        new
    }

    pub(super) const fn highest(&self) -> u64 {
        self.highest
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.open_streams > 0
    }

    pub(super) const fn current(&self) -> Option<&AgentId> {
        self.current.as_ref()
    }
}
