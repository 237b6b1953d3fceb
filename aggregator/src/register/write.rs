//! Writing: agents that come, report and go, and time that passes.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use nodegrace_core::{AgentId, Event, NodeHistory, Report};
use nodegrace_proto::v1;

use super::{Contents, News, Register, VISIT, beside::Pulse};

impl Register {
    /// Opens a stream of `agent`; none when there are as many nodes as may be.
    pub(crate) fn connect(
        &self,
        node: &Arc<str>,
        agent: &AgentId,
        instance: v1::AgentInstance,
        now: Duration,
    ) -> bool {
        let mut contents = self.write();
        if contents.fleet.history(node).is_none()
            && contents.fleet.histories().len() >= self.max_nodes
        {
            return false;
        }
        let connected = Event::Connected {
            node: Arc::clone(node),
            agent: agent.clone(),
        };
        contents.fleet.apply(connected, now);
        // An agent that was replaced may still come back and say so late.
        if contents.reports(node, agent) {
            contents.beside.entry(Arc::clone(node)).or_default().agent = instance;
            contents.changes.touch(node);
        }
        true
    }

    /// Closes a stream of `agent`.
    pub(crate) fn disconnect(&self, node: &Arc<str>, agent: &AgentId, now: Duration) {
        let mut contents = self.write();
        // A forgotten node is not to come back by the end of a stream.
        if contents.fleet.history(node).is_some() {
            let disconnected = Event::Disconnected {
                node: Arc::clone(node),
                agent: agent.clone(),
            };
            contents.fleet.apply(disconnected, now);
            contents.changes.touch(node);
        }
    }

    /// Takes a batch, of which so many records were refused.
    pub(crate) fn report(&self, report: Report, news: News, refused: usize, now: Duration) {
        self.rejected_records
            .fetch_add(refused as u64, Ordering::Relaxed);
        let (node, agent) = (Arc::clone(&report.node), report.agent.clone());
        let contents = &mut *self.write();
        contents.fleet.apply(Event::Report(report), now);
        // What a replaced agent still sends is old.
        if contents.reports(&node, &agent) {
            let beside = contents.beside.entry(Arc::clone(&node)).or_default();
            beside.take(news);
            beside.pulse = Pulse::of(&contents.fleet, &node, now);
            contents.changes.touch(&node);
        }
    }

    /// Lets time pass: forgets nodes that were silent for too long, and notes verdicts that changed by themselves.
    pub(crate) async fn expire(&self, now: Duration) {
        {
            let mut contents = self.write();
            for node in contents.fleet.expire(now) {
                contents.beside.remove(&node);
                contents.changes.forget(&node);
                contents.forgotten += 1;
            }
        }
        for chunk in self.names().chunks(VISIT) {
            self.take_pulses(chunk, now);
            tokio::task::yield_now().await;
        }
    }

    fn take_pulses(&self, chunk: &[Arc<str>], now: Duration) {
        let contents = &mut *self.write();
        for node in chunk {
            let pulse = Pulse::of(&contents.fleet, node, now);
            if let Some(beside) = contents.beside.get_mut(node)
                && beside.pulse != pulse
            {
                beside.pulse = pulse;
                contents.changes.touch(node);
            }
        }
    }
}

impl Contents {
    /// Whether `agent` is the one whose records of `node` are kept.
    fn reports(&self, node: &str, agent: &AgentId) -> bool {
        self.fleet.history(node).and_then(NodeHistory::agent) == Some(agent)
    }
}
