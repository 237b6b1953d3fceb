//! An agent's open stream, as the fleet knows it.

use std::sync::Arc;

use nodegrace_core::AgentId;

use crate::aggregator::Parts;

/// An agent that the register knows to be connected, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    parts: Arc<Parts>,
    node: Arc<str>,
    agent: AgentId,
}

impl OpenStream {
    /// The stream of an agent that was just told to be connected.
    pub(super) fn new(parts: &Arc<Parts>, node: Arc<str>, agent: AgentId) -> Self {
        tracing::debug!(node = &*node, "agent connected");
        Self {
            parts: Arc::clone(parts),
            node,
            agent,
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Self { parts, node, agent } = self;
        tracing::debug!(node = &**node, "agent disconnected");
        let now = parts.timeline.now();
        parts.register.disconnect(node, agent, now);
    }
}
