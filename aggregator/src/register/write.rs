//! Writing: agents that come, report and go, and time that passes.

use std::{mem, sync::Arc, time::Duration};

use nodegrace_core::{AgentId, Applied, Config, Event, NodeHistory, NodeSnapshot, Report};
use nodegrace_proto::v1;

use super::{
    Beside, Contents, News, OpenStream, Register, VISIT,
    course::Marks,
    standings::{Passed, Standings},
};
use crate::{aggregator::Parts, store::Kept};

/// A batch that was found right, on its way to the fleet.
#[derive(Debug)]
pub(crate) struct Batch {
    /// What the fleet takes.
    pub(crate) report: Report,
    /// What is kept beside it.
    pub(crate) news: News,
    /// The agent's instance, with the first batch of its stream. Absent: a later one.
    pub(crate) instance: Option<v1::AgentInstance>,
    /// When it was received, on the aggregator's timeline.
    pub(crate) received: Duration,
}

impl Batch {
    /// True when it opens a stream that says something of now.
    fn opens(&self) -> bool {
        self.instance.is_some() && !self.report.replay
    }
}

impl Register {
    /// Takes a batch. The first of a stream opens it; what it opened is in the answer.
    pub(crate) fn take(&self, parts: &Arc<Parts>, batch: Batch) -> (Kept, Applied) {
        let (node, agent) = (Arc::clone(&batch.report.node), batch.report.agent.clone());
        let (opens, received) = (batch.opens(), batch.received);
        match self.apply(batch, self.max_nodes) {
            None => (Kept::NoRoom, Applied::default()),
            Some(applied) => {
                parts
                    .cluster
                    .take(&node, &applied, &parts.timeline, received);
                let stream = opens.then(|| OpenStream::new(parts, node, agent));
                (Kept::Applied(stream), applied)
            }
        }
    }

    /// Takes a batch of an earlier run once more: no stream of it is open any more. There was room for its node then.
    pub(crate) fn replay(&self, batch: Batch) -> Applied {
        let (node, agent) = (Arc::clone(&batch.report.node), batch.report.agent.clone());
        let (opens, received) = (batch.opens(), batch.received);
        // That run may have forgotten the node before it came back.
        self.write().expire_node(&node, received);
        let applied = self.apply(batch, usize::MAX).unwrap_or_default();
        if opens {
            self.disconnect(&node, &agent, received);
        }
        applied
    }

    /// Puts a node back as an earlier run kept it.
    pub(crate) fn restore(&self, history: NodeSnapshot, beside: Beside) {
        let contents = &mut *self.write();
        let node = Arc::clone(&history.name);
        contents.fleet.import(history);
        // Whatever was known of it is of another history.
        if let Some(before) = contents.beside.insert(Arc::clone(&node), beside) {
            contents.leave(before.place);
        }
        contents.settle(&node, Duration::ZERO);
        contents.changes.touch(&node);
    }

    /// True while `node` is known or there is room for another.
    pub(crate) fn has_room(&self, node: &str) -> bool {
        self.read().has_room(node, self.max_nodes)
    }

    /// Applies a batch; none when it is of another node than the `max_nodes` that there are.
    pub(super) fn apply(&self, batch: Batch, max_nodes: usize) -> Option<Applied> {
        let opens = batch.opens();
        let Batch {
            report,
            mut news,
            instance,
            received,
        } = batch;
        let (node, agent) = (Arc::clone(&report.node), report.agent.clone());
        let mut contents = self.write();
        if !contents.has_room(&node, max_nodes) {
            return None;
        }
        // Each of them is asked for the node once: looking it up is dear.
        let Contents {
            fleet,
            beside,
            changes,
            standings,
            ..
        } = &mut *contents;
        if opens {
            let connected = Event::Connected {
                node: Arc::clone(&node),
                agent: agent.clone(),
            };
            fleet.apply(connected, received);
        }
        let replay = report.replay;
        let marks = Marks::of(&report, mem::take(&mut news.looks));
        let config = *fleet.config();
        let (applied, history) = fleet.apply_and_show(Event::Report(report), received);
        // What a replaced agent still sends is old.
        let is_news = history.agent() == Some(&agent);
        let known = if is_news {
            let beside = beside.entry(Arc::clone(&node)).or_default();
            if let Some(instance) = instance {
                beside.agent = instance;
            }
            if let (Some(marks), Some(first_new)) = (marks, applied.first_new) {
                beside.course.take(&marks, first_new, received);
            }
            if applied.overtaken {
                // What it says of the moment was true before.
            } else if replay {
                beside.take_replayed(news);
            } else {
                beside.take(news);
            }
            Some(beside)
        } else {
            beside.get_mut(&node)
        };
        let settle = |beside| standings.settle(beside, history, &config, received);
        if known.is_some_and(settle) || is_news {
            changes.touch(&node);
        }
        Some(applied)
    }

    /// Closes a stream of `agent`.
    pub(super) fn disconnect(&self, node: &Arc<str>, agent: &AgentId, now: Duration) {
        let mut contents = self.write();
        // A forgotten node is not to come back by the end of a stream.
        if contents.fleet.history(node).is_some() {
            let disconnected = Event::Disconnected {
                node: Arc::clone(node),
                agent: agent.clone(),
            };
            contents.fleet.apply(disconnected, now);
            contents.settle(node, now);
            contents.changes.touch(node);
        }
    }

    /// Lets time pass: forgets nodes that were silent for too long, and notes verdicts that changed by themselves. Only nodes of
    /// which time may have changed something are looked at.
    pub(crate) async fn expire(&self, now: Duration) {
        let due = self.read().standings.due(now);
        for places in due.chunks(VISIT) {
            self.pass_time(places, now);
            tokio::task::yield_now().await;
        }
    }

    fn pass_time(&self, places: &[usize], now: Duration) {
        let contents = &mut *self.write();
        for &place in places {
            contents.pass_time(place, now);
        }
    }
}

impl Contents {
    fn has_room(&self, node: &str, max_nodes: usize) -> bool {
        // Nearly always the first: looking a node up is dear.
        self.fleet.histories().len() < max_nodes || self.fleet.history(node).is_some()
    }

    fn expire_node(&mut self, node: &Arc<str>, now: Duration) {
        if self.fleet.expire_node(node, now) {
            self.forget(node);
        }
    }

    /// Takes how `node` stands after an event; true when whoever watches is to be told for that alone.
    fn settle(&mut self, node: &Arc<str>, now: Duration) -> bool {
        let (Some(history), Some(beside)) = (self.fleet.history(node), self.beside.get_mut(node))
        else {
            return false;
        };
        let config = self.fleet.config();
        self.standings.settle(beside, history, config, now)
    }

    /// Lets time pass for the node at a place.
    fn pass_time(&mut self, place: usize, now: Duration) {
        let passed = self.standings.pass(place, self.fleet.config(), now);
        let Some(name) = self.standings.row(place).map(|row| Arc::clone(&row.name)) else {
            return;
        };
        match passed {
            Passed::Nothing => {}
            Passed::Changed => self.changes.touch(&name),
            Passed::Gone => self.expire_node(&name, now),
        }
    }

    fn leave(&mut self, place: Option<usize>) {
        if let Some(place) = place {
            self.standings.remove(place);
        }
    }

    /// The fleet has forgotten `node`.
    fn forget(&mut self, node: &Arc<str>) {
        let place = self.beside.remove(node).and_then(|beside| beside.place);
        self.leave(place);
        self.changes.forget(node);
        self.forgotten += 1;
    }
}

impl Standings {
    /// Takes how a node stands after an event, at its place `beside` it; true when whoever watches is to be told for that alone.
    fn settle(
        &mut self,
        beside: &mut Beside,
        node: &NodeHistory,
        config: &Config,
        now: Duration,
    ) -> bool {
        let (place, is_told) = self.take(beside.place, node, config, now);
        beside.place = Some(place);
        is_told
    }
}
