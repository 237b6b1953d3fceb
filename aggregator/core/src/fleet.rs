//! All nodes. Data flows one way: only [`Fleet::apply`] and [`Fleet::expire`] write, readers never do.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use crate::{
    cause::Explained,
    controller::{ControllerSettings, Judge, SettingsError},
    event::Event,
    expected::Risk,
    figures::{FleetFigures, NodeFigures, Totals},
    gap::Gap,
    gap_history::GapBounds,
    node::{NodeHistory, SeenFlip},
    sketch::Sketch,
    snapshot::NodeSnapshot,
    standing::Standing,
    state::{State, Thresholds},
    time::WallTime,
};

/// What a fleet is judged by, and how much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The controller's settings.
    pub controller: ControllerSettings,
    /// Where one state ends and the next begins.
    pub thresholds: Thresholds,
    /// Which gaps are kept exactly.
    pub gaps: GapBounds,
    /// A node without an open stream that did not report for this long is forgotten.
    pub forget_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            controller: ControllerSettings::default(),
            thresholds: Thresholds::default(),
            gaps: GapBounds::default(),
            // Long enough for a weekend's maintenance to be looked at on Monday.
            forget_after: Duration::from_secs(3 * 24 * 3600),
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Records that were new.
    pub accepted: u64,
    /// Number of the first record that was new: so were all after it. Absent: none was.
    pub first_new: Option<u64>,
    /// Records that were known already, or came from an agent that was replaced.
    pub duplicates: u64,
    /// Every record of the agent up to this number need not be sent again.
    pub acknowledged: u64,
    /// True when it said nothing that a later batch had not said already: nothing changed but the count of duplicates.
    pub overtaken: bool,
    /// Gaps that ended and are long enough to be kept exactly.
    pub long_gaps: Vec<Gap>,
    /// Late gaps that were explained; one of them once more when more became known of it.
    pub explained: Vec<Explained>,
    /// Times Ready was seen to turn Unknown.
    pub flips: Vec<SeenFlip>,
}

/// Everything known of all nodes.
///
/// A clone shares every node until an event changes it, so whoever has much to compute works on a clone, and events go on.
#[derive(Clone, Debug)]
pub struct Fleet {
    config: Config,
    nodes: BTreeMap<Arc<str>, Arc<NodeHistory>>,
    /// What the nodes counted that were forgotten.
    forgotten: Totals,
}

impl Fleet {
    /// A fleet without nodes.
    ///
    /// # Errors
    /// When the settings are no controller's.
    pub fn new(config: Config) -> Result<Self, SettingsError> {
        config.controller.validate()?;
        Ok(Self {
            config,
            nodes: BTreeMap::new(),
            forgotten: Totals::default(),
        })
    }

    /// What it is judged by.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Applies what happened, at `now` of the aggregator's monotonic clock.
    pub fn apply(&mut self, event: Event, now: Duration) -> Applied {
        self.apply_and_show(event, now).0
    }

    /// As [`Fleet::apply`], with what is known of the node now: looking it up once more would cost as much as all else.
    pub fn apply_and_show(&mut self, event: Event, now: Duration) -> (Applied, &NodeHistory) {
        let node = match self.nodes.entry(event.node().clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let name = entry.key().clone();
                entry.insert(Arc::new(NodeHistory::new(name, self.config.gaps)))
            }
        };
        let node = Arc::make_mut(node);
        let mut applied = Applied::default();
        match event {
            Event::Connected { agent, .. } => node.connect(&agent),
            Event::Disconnected { agent, .. } => node.disconnect(&agent),
            Event::Report(report) => {
                applied = node.report(report, now, self.config.controller.monitor_period);
            }
        }
        (applied, node)
    }

    /// Puts a node back as it was exported, in place of whatever is known of it. Moments on the aggregator's monotonic clock
    /// must come from the same clock, or one that goes on where it stopped.
    pub fn import(&mut self, snapshot: NodeSnapshot) {
        let name = snapshot.name.clone();
        let node = NodeHistory::import(snapshot, self.config.gaps);
        self.nodes.insert(name, Arc::new(node));
    }

    /// Forgets the nodes that have been silent for too long; returns their names.
    pub fn expire(&mut self, now: Duration) -> Vec<Arc<str>> {
        let forget_after = self.config.forget_after;
        let forgotten = &mut self.forgotten;
        self.nodes
            .extract_if(.., |_, node| node.is_gone(now, forget_after))
            .map(|(name, node)| {
                *forgotten = forgotten.with(&node);
                name
            })
            .collect()
    }

    /// Forgets one node if it has been silent for too long; true when it was.
    pub fn expire_node(&mut self, name: &str, now: Duration) -> bool {
        let forget_after = self.config.forget_after;
        let gone = self
            .history(name)
            .is_some_and(|node| node.is_gone(now, forget_after));
        let node = gone.then(|| self.nodes.remove(name)).flatten();
        self.forgotten = node
            .iter()
            .fold(self.forgotten, |forgotten, node| forgotten.with(node));
        node.is_some()
    }

    /// One node's history. Absent: it never reported, or was forgotten.
    pub fn history(&self, name: &str) -> Option<&NodeHistory> {
        self.nodes.get(name).map(|node| &**node)
    }

    /// Every node's history, by name.
    pub fn histories(&self) -> impl ExactSizeIterator<Item = &NodeHistory> {
        self.nodes.values().map(|node| &**node)
    }

    /// One node's figures. Absent: it never reported, or was forgotten.
    pub fn node(&self, name: &str, now: Duration) -> Option<NodeFigures> {
        self.history(name)
            .map(|node| node.figures(&self.config, now))
    }

    /// Every node's figures, by name.
    pub fn nodes(&self, now: Duration) -> impl ExactSizeIterator<Item = NodeFigures> {
        self.histories()
            .map(move |node| node.figures(&self.config, now))
    }

    /// The risk that the gaps of all nodes run under such a controller.
    pub fn risk(&self, judge: &Judge) -> Risk {
        self.histories()
            .map(|node| Risk::of(node.gaps(), judge))
            .fold(Risk::default(), Risk::plus)
    }

    /// Nodes of which at least one gap was measured.
    pub fn measured_nodes(&self) -> u64 {
        let measured = |node: &&NodeHistory| node.gaps().sketch().count() > 0;
        self.histories().filter(measured).count() as u64
    }

    /// Since when every record that agents made and did not report as lost is here, by the nodes' wall clocks: since the
    /// latest hole of any node or, without one, since the first record. Absent: there is none.
    pub fn complete_since(&self) -> Option<WallTime> {
        let coverages = || self.histories().map(NodeHistory::coverage);
        let latest_hole = coverages().filter_map(|coverage| coverage.after_hole).max();
        latest_hole.or_else(|| coverages().filter_map(|coverage| coverage.begins).min())
    }

    /// The figures of the fleet.
    pub fn figures(&self, now: Duration) -> FleetFigures {
        let mut states = BTreeMap::<State, u64>::new();
        let mut gap = Sketch::new();
        for node in self.histories() {
            *states
                .entry(Standing::of(node, &self.config).state(&self.config, now))
                .or_default() += 1;
            gap.merge(node.gaps().sketch());
        }
        let now_known = self.histories().fold(Totals::default(), Totals::with);
        let ever = self.histories().fold(self.forgotten, Totals::with);
        let count =
            |of: fn(&NodeHistory) -> bool| self.histories().filter(|node| of(node)).count() as u64;
        FleetFigures {
            states: states.into_iter().collect(),
            nodes: count(NodeHistory::has_reported),
            connected_agents: count(NodeHistory::is_connected),
            gap: gap.quantiles(None),
            expected_flips: self
                .risk(&Judge::new(self.config.controller))
                .per_fleet(self.measured_nodes()),
            flips_seen: now_known.flips_seen,
            heartbeats: now_known.heartbeats,
            losses: (!now_known.losses.is_empty()).then_some(now_known.losses),
            forgotten_records: now_known.forgotten_records,
            duplicate_records: now_known.duplicate_records,
            late_records: now_known.late_records,
            complete_since: self.complete_since(),
            ever,
        }
    }
}
