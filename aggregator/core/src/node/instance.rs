//! Which run of the agent reports, which of its records are kept, and whether its stream is open.

use std::sync::Arc;

use crate::{event::AgentId, snapshot::InstanceSnapshot};

/// Replaced instances remembered, the oldest forgotten first: enough that what a restart, a reboot or a crash loop left on
/// its way is recognised.
const REPLACED_KEPT: usize = 8;

/// The agent instance that a node's records come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Instance {
    current: Option<AgentId>,
    /// Highest sequence number taken of the current instance; everything up to it is kept, refused, forgotten or lost.
    highest: u64,
    /// The instances replaced last with their highest numbers, the latest last: their late records are recognised by them.
    replaced: Vec<(AgentId, u64)>,
    /// Open streams of each instance that has one. A reconnecting agent opens its next stream before the end of the last one is
    /// noticed, so they are counted.
    streams: Vec<(AgentId, u32)>,
    /// True once the current instance's last stream ended, until it opens another.
    left: bool,
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
            streams: Vec::new(),
            left: snapshot.had_stream,
        }
    }

    pub(super) fn export(&self) -> InstanceSnapshot {
        InstanceSnapshot {
            current: self.current.clone(),
            highest: self.highest,
            replaced: self.replaced.clone(),
            had_stream: self.left || self.is_connected(),
        }
    }

    /// Takes `agent` as the current one unless it was replaced. An agent of another boot wins when it has just connected:
    /// which boot is the later one cannot be told from boot ids. One that was replaced and still reports what it sees now
    /// (`live`) takes over again once its successor has no stream: somebody ran a second agent for a while.
    pub(super) fn take(&mut self, agent: &AgentId, just_connected: bool, live: bool) -> Arrival {
        let successor_left = live && self.left;
        let replaced = |same: fn(&AgentId, &AgentId) -> bool| {
            let mut latest_first = self.replaced.iter().rev();
            latest_first.find(|(replaced, _)| same(replaced, agent))
        };
        let arrival = match &self.current {
            None => Arrival::First,
            Some(current) if current == agent => return Arrival::Current,
            Some(current) if current.boot_id == agent.boot_id => {
                if agent.start < current.start && !successor_left {
                    let highest = replaced(AgentId::eq).map_or(0, |(_, highest)| *highest);
                    return Arrival::Replaced { highest };
                }
                Arrival::Restarted
            }
            Some(_)
                if !just_connected
                    && !successor_left
                    && replaced(|a, b| a.boot_id == b.boot_id).is_some() =>
            {
                let highest = replaced(AgentId::eq).map_or(0, |(_, highest)| *highest);
                return Arrival::Replaced { highest };
            }
            Some(_) => Arrival::Rebooted,
        };
        // One that comes back keeps its numbers: another boot may only have been seen in between.
        let known = replaced(AgentId::eq).map_or(0, |(_, highest)| *highest);
        self.replaced.retain(|(replaced, _)| replaced != agent);
        let mut agent = agent.clone();
        if let Some(current) = &self.current
            && current.boot_id == agent.boot_id
        {
            // One name for all agents of a boot, as most that are remembered are.
            agent.boot_id = Arc::clone(&current.boot_id);
        }
        if let Some(current) = self.current.replace(agent) {
            if self.replaced.len() == REPLACED_KEPT {
                self.replaced.remove(0);
            }
            self.replaced.push((current, self.highest));
        }
        self.highest = known;
        self.left = false;
        arrival
    }

    pub(super) fn connect(&mut self, agent: &AgentId) {
        match self.streams.iter_mut().find(|(open, _)| open == agent) {
            Some((_, count)) => *count += 1,
            None => self.streams.push((agent.clone(), 1)),
        }
        self.left &= self.current.as_ref() != Some(agent);
    }

    pub(super) fn disconnect(&mut self, agent: &AgentId) {
        if let Some((_, count)) = self.streams.iter_mut().find(|(open, _)| open == agent) {
            *count -= 1;
        }
        self.streams.retain(|(_, count)| *count > 0);
        self.left = !self.is_connected();
    }

    /// True when the record of this number is new; it is kept from then on.
    pub(super) const fn keep(&mut self, sequence_number: u64) -> bool {
        let new = sequence_number > self.highest;
        if new {
            self.highest = sequence_number;
        }
        new
    }

    /// Every record up to this number is done with, though some were not kept.
    pub(super) fn reach(&mut self, sequence_number: u64) {
        self.highest = self.highest.max(sequence_number);
    }

    pub(super) const fn highest(&self) -> u64 {
        self.highest
    }

    pub(super) fn is_connected(&self) -> bool {
        let current = self.current.as_ref();
        self.streams.iter().any(|(open, _)| Some(open) == current)
    }

    /// True when the current instance had a stream and has none now: what it does not say any more is its own silence.
    pub(super) const fn has_left(&self) -> bool {
        self.left
    }

    pub(super) const fn current(&self) -> Option<&AgentId> {
        self.current.as_ref()
    }

    /// Bytes on the heap, without the boot ids.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.replaced.capacity() * size_of::<(AgentId, u64)>()
            + self.streams.capacity() * size_of::<(AgentId, u32)>()
    }
}
