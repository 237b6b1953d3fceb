//! Which run of the agent reports, which of its records are kept, and whether its stream is open.

use std::sync::Arc;

use crate::event::AgentId;

/// The agent instance that a node's records come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Instance {
    current: Option<AgentId>,
    /// Boot id of the instance replaced last: its late records are recognised by it.
    replaced_boot: Option<Arc<str>>,
    /// Highest sequence number kept of the current instance; everything below is kept, forgotten or lost.
    highest: u64,
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
    Replaced,
}

impl Instance {
    /// Takes `agent` as the current one unless it was replaced. An agent of another boot wins when it has just connected:
    /// which boot is the later one cannot be told from boot ids.
    pub(super) fn take(&mut self, agent: &AgentId, just_connected: bool) -> Arrival {
        let arrival = match &self.current {
            None => Arrival::First,
            Some(current) if current == agent => return Arrival::Current,
            Some(current) if current.boot_id == agent.boot_id => {
                if agent.start < current.start {
                    return Arrival::Replaced;
                }
                Arrival::Restarted
            }
            Some(_) if !just_connected && self.replaced_boot.as_ref() == Some(&agent.boot_id) => {
                return Arrival::Replaced;
            }
            Some(current) => {
                self.replaced_boot = Some(current.boot_id.clone());
                Arrival::Rebooted
            }
        };
        self.current = Some(agent.clone());
        self.highest = 0;
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
