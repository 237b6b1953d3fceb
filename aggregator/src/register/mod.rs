//! What is known, in one place: the fleet and, beside it, what its maths has no use for.
//!
//! Agents' streams and the passing of time write; whoever asks reads. Every lock is held for one batch or for one chunk of
//! [`VISIT`] nodes, so neither side waits for the other's whole work.

mod changes;
mod origin;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nodegrace_clock::Clock;
use nodegrace_core::{
    AgentId, Event, Fleet, NodeFigures, NodeHistory, Report, SettingsError, State, Verdict,
};
use nodegrace_proto::v1;

use self::changes::Changes;
pub(crate) use self::origin::Origin;
use crate::Config;

/// Nodes looked at under one lock: some hundred microseconds of work.
pub(crate) const VISIT: usize = 64;

/// What is known of all nodes.
#[derive(Debug)]
pub(crate) struct Register {
    contents: RwLock<Contents>,
    origin: Origin,
    max_nodes: usize,
    rejected_records: AtomicU64,
    rejected_streams: AtomicU64,
}

#[derive(Debug)]
struct Contents {
    fleet: Fleet,
    beside: HashMap<Arc<str>, Beside>,
    changes: Changes,
    /// Nodes forgotten so far.
    forgotten: u64,
}

/// What is known of a node beside the fleet's figures, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// The agent that reports.
    pub(crate) agent: v1::AgentInstance,
    /// What it sees of each channel now.
    pub(crate) views: Vec<v1::ChannelView>,
    /// The latest sample. Absent: none came yet.
    pub(crate) sample: Option<v1::Sample>,
    /// The Node object's facts. Absent: not known.
    pub(crate) facts: Option<v1::NodeFacts>,
    /// The kubelet's settings. Absent: not known.
    pub(crate) settings: Option<v1::KubeletSettings>,
    pulse: Option<Pulse>,
}

/// What a batch says besides what the fleet takes. Absent: nothing new.
#[derive(Debug)]
pub(crate) struct News {
    /// What the agent sees of each channel now.
    pub(crate) views: Vec<v1::ChannelView>,
    /// The latest sample.
    pub(crate) sample: Option<v1::Sample>,
    /// The Node object's facts.
    pub(crate) facts: Option<v1::NodeFacts>,
    /// The kubelet's settings.
    pub(crate) settings: Option<v1::KubeletSettings>,
}

/// One node, as long as a reader looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Its history.
    pub(crate) history: &'a NodeHistory,
    /// What is known beside it.
    pub(crate) beside: &'a Beside,
    config: &'a nodegrace_core::Config,
}

/// What time alone can change of a node and whoever watches wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pulse {
    state: State,
    /// The controller can have flipped it for the gap running now. Absent: that gap is not known.
    can_be_flipped: Option<bool>,
}

impl Register {
    /// A register of no node, counting time from now.
    ///
    /// # Errors
    /// When the settings are no controller's.
    pub(crate) fn new(config: &Config, clock: &Clock) -> Result<Self, SettingsError> {
        Ok(Self {
            contents: RwLock::new(Contents {
                fleet: Fleet::new(config.fleet)?,
                beside: HashMap::new(),
                changes: Changes::default(),
                forgotten: 0,
            }),
            origin: Origin::of(clock),
            max_nodes: config.limits.nodes,
            rejected_records: AtomicU64::new(0),
            rejected_streams: AtomicU64::new(0),
        })
    }

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
        contents.beside.entry(Arc::clone(node)).or_default().agent = instance;
        contents.changes.touch(node);
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
        let reporting = contents.fleet.history(&node).and_then(NodeHistory::agent);
        // What a replaced agent still sends is old.
        if reporting == Some(&agent) {
            let beside = contents.beside.entry(Arc::clone(&node)).or_default();
            beside.take(news);
            beside.pulse = pulse(&contents.fleet, &node, now);
            contents.changes.touch(&node);
        }
    }

    /// Lets time pass: forgets nodes that were silent for too long, and notes verdicts that changed by themselves.
    pub(crate) fn expire(&self, now: Duration) {
        {
            let mut contents = self.write();
            for node in contents.fleet.expire(now) {
                contents.beside.remove(&node);
                contents.changes.forget(&node);
                contents.forgotten += 1;
            }
        }
        for chunk in self.names().chunks(VISIT) {
            let contents = &mut *self.write();
            for node in chunk {
                let pulse = pulse(&contents.fleet, node, now);
                if let Some(beside) = contents.beside.get_mut(node)
                    && beside.pulse != pulse
                {
                    beside.pulse = pulse;
                    contents.changes.touch(node);
                }
            }
        }
    }

    /// Counts a stream that was refused.
    pub(crate) fn count_rejected_stream(&self) {
        self.rejected_streams.fetch_add(1, Ordering::Relaxed);
    }

    /// Streams refused so far.
    pub(crate) fn rejected_streams(&self) -> u64 {
        self.rejected_streams.load(Ordering::Relaxed)
    }

    /// Records refused so far.
    pub(crate) fn rejected_records(&self) -> u64 {
        self.rejected_records.load(Ordering::Relaxed)
    }

    /// When this run started.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    /// The names of all nodes, ascending.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let contents = self.read();
        let histories = contents.fleet.histories();
        histories.map(|node| Arc::clone(node.name())).collect()
    }

    /// Hands the node called `name` to `read`, or none when it is not known.
    pub(crate) fn node<T>(&self, name: &str, read: impl FnOnce(Known<'_>) -> T) -> Option<T> {
        self.read().node(name).map(read)
    }

    /// Hands those of a chunk of nodes that are known to `read`. At most [`VISIT`]: they are read under one lock.
    pub(crate) fn visit_chunk(&self, names: &[Arc<str>], mut read: impl FnMut(Known<'_>)) {
        debug_assert!(names.len() <= VISIT, "a chunk is read under one lock");
        let contents = self.read();
        names
            .iter()
            .filter_map(|name| contents.node(name))
            .for_each(&mut read);
    }

    /// Hands those of these nodes that are known to `read`, a chunk at a time, and lets others work in between.
    pub(crate) async fn visit(&self, names: &[Arc<str>], mut read: impl FnMut(Known<'_>)) {
        for chunk in names.chunks(VISIT) {
            self.visit_chunk(chunk, &mut read);
            tokio::task::yield_now().await;
        }
    }

    /// The fleet as it is now, for whoever has much to compute.
    pub(crate) fn fleet(&self) -> Fleet {
        self.read().fleet.clone()
    }

    /// Number of the latest change of a node.
    pub(crate) fn last_change(&self) -> u64 {
        self.read().changes.last()
    }

    /// The first nodes, at most [`VISIT`], whose last change came after `after` and not after `until`, with its number.
    pub(crate) fn changes(&self, after: u64, until: u64) -> Vec<(u64, Arc<str>)> {
        self.read().changes.between(after, until, VISIT)
    }

    /// Number of nodes forgotten so far.
    pub(crate) fn forgotten(&self) -> u64 {
        self.read().forgotten
    }

    /// Whether a node of this name is known.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.read().fleet.history(name).is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        // A panic in one stream must not take the answers from everybody; figures half updated are still figures.
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn node(&self, name: &str) -> Option<Known<'_>> {
        Some(Known {
            history: self.fleet.history(name)?,
            beside: self.beside.get(name)?,
            config: self.fleet.config(),
        })
    }
}

impl Known<'_> {
    /// Its figures.
    pub(crate) fn figures(&self, now: Duration) -> NodeFigures {
        self.history.figures(self.config, now)
    }
}

impl Beside {
    fn take(&mut self, news: News) {
        let News {
            views,
            sample,
            facts,
            settings,
        } = news;
        self.views = views;
        self.sample = sample.or(self.sample.take());
        self.facts = facts.or(self.facts.take());
        self.settings = settings.or(self.settings.take());
    }
}

fn pulse(fleet: &Fleet, node: &str, now: Duration) -> Option<Pulse> {
    let (config, history) = (fleet.config(), fleet.history(node)?);
    Some(Pulse {
        state: Verdict::of(history, config, now).state,
        can_be_flipped: history
            .running_gap(config, now)
            .map(|gap| gap.earliest_flip_in.is_zero()),
    })
}
