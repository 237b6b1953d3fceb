//! All flips: each once, whoever saw it.

mod again;
mod by_agent;
mod lost;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

pub(super) use self::{again::is_before, lost::Place};
use super::{ClusterBounds, Flip, Machine, Moment, SeenNode, Service, lag::Absence, node::Left};
use crate::{controller::GapStart, event::ConditionStatus, time::WallTime};

/// Flips in the order in which they became known.
#[derive(Clone, Debug)]
pub struct FlipBook {
    most: usize,
    most_addresses: usize,
    /// Number of the first flip in `flips`.
    first: u64,
    flips: VecDeque<Arc<Flip>>,
    /// Numbers of the flips of each node.
    of: HashMap<Arc<str>, VecDeque<u64>>,
    /// Numbers of those that are not over.
    open: HashMap<Arc<str>, Vec<u64>>,
    /// The flip of each node that was over last, and when on the aggregator's timeline.
    closed: HashMap<Arc<str>, (u64, Duration)>,
    /// The last flip of each node whose end its condition told afterwards.
    ended_by_condition: HashMap<Arc<str>, u64>,
    /// Addresses that left and are not back.
    waiting: HashMap<(Service, Arc<str>), Place>,
    /// Addresses kept of all flips.
    addresses: usize,
    /// No flip before this number has addresses.
    addresses_from: u64,
    /// Numbers of flips that changed since they were taken for the disk.
    changed: BTreeSet<u64>,
    dropped: u64,
    dropped_addresses: u64,
}

impl FlipBook {
    /// An empty book.
    pub(super) fn new(bounds: &ClusterBounds) -> Self {
        Self {
            most: bounds.flips,
            most_addresses: bounds.flip_addresses,
            first: 0,
            flips: VecDeque::new(),
            of: HashMap::new(),
            open: HashMap::new(),
            closed: HashMap::new(),
            ended_by_condition: HashMap::new(),
            waiting: HashMap::new(),
            addresses: 0,
            addresses_from: 0,
            changed: BTreeSet::new(),
            dropped: 0,
            dropped_addresses: 0,
        }
    }

    /// All flips, in the order in which they became known.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Flip> {
        self.flips.iter().map(|flip| &**flip)
    }

    /// All flips as they are now, to look through without the cluster.
    pub fn all(&self) -> Vec<Arc<Flip>> {
        self.flips.iter().cloned().collect()
    }

    /// Flips that made room for newer ones.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Addresses that made room for those of newer flips, or were beyond what is kept of one flip.
    pub const fn dropped_addresses(&self) -> u64 {
        self.dropped_addresses
    }

    /// The flips that changed since they were last taken, for whoever writes them down.
    pub fn take_changed(&mut self) -> Vec<Arc<Flip>> {
        let numbers = std::mem::take(&mut self.changed);
        let flips = numbers.into_iter().filter_map(|number| self.get(number));
        flips.cloned().collect()
    }

    /// Takes that the watch saw Ready leave True or, where it was not ready before, go on to Unknown, at `seen`.
    pub(super) fn leave(&mut self, node: &SeenNode, left: &Left, seen: WallTime) {
        let Left { ready, was } = left;
        let name = &node.name;
        // It has not been True since the last flip.
        let went_on =
            *was == Some(ConditionStatus::False) && ready.status == ConditionStatus::Unknown;
        if let Some(number) = self.find(name, |flip| flip.is_of(ready.transition)) {
            self.change(number, |flip| {
                flip.seen.get_or_insert(seen);
                flip.machine = node.machine.clone();
                if flip.went_on.is_none() {
                    flip.status = ready.status;
                    flip.reason = Arc::clone(&ready.reason);
                }
            });
            self.reopen(number);
            if went_on {
                self.reopen_before(name, number);
            }
            return;
        }
        let open = self.open.get(name).and_then(|open| open.last()).copied();
        let open =
            open.filter(|number| went_on && self.get(*number).is_some_and(|flip| flip.may_go_on()));
        if let Some(number) = open {
            // Nothing left True again.
            self.change(number, |flip| flip.went_on = Some(ready.transition));
            return;
        }
        let number = self.insert(Flip {
            seen: Some(seen),
            machine: node.machine.clone(),
            ..begun(name, ready.status, &ready.reason, ready.transition)
        });
        if went_on {
            // The controller gave the node up a second time, before it was ever Ready: the flip before goes on beside.
            self.reopen_before(name, number);
        }
    }

    /// Takes what a node is like now: whether it is ready again, its taints, and whether it was booted. `absence`: when the watch was
    /// away that tells of it.
    pub(super) fn follow(
        &mut self,
        node: &SeenNode,
        rebooted: bool,
        moment: Moment,
        absence: Option<Absence>,
    ) {
        let Some(open) = self.open.get(&node.name) else {
            return;
        };
        for number in open.clone() {
            let Some(flip) = self.get(number) else {
                continue;
            };
            // An agent may tell of a flip before the watch does: what the watch tells meanwhile is older. What it tells after a flip that
            // it saw itself is newer, also where the node's clock, which stamps the way back, is behind the controller's.
            let back = node.ready.as_ref().filter(|ready| {
                ready.status == ConditionStatus::True
                    && (flip.seen.is_some()
                        || (ready.transition >= flip.transition
                            && !is_before(ready.transition, flip.time())))
            });
            let taints: Vec<Arc<str>> = node
                .taints
                .iter()
                .filter(|taint| taint.is_of_readiness())
                .map(|taint| Arc::from(format!("{}:{}", taint.key, taint.effect)))
                .filter(|taint| !flip.taints.contains(taint))
                .collect();
            let was_down = rebooted && !flip.rebooted;
            if !taints.is_empty() || was_down {
                self.change(number, |flip| {
                    flip.taints.extend(taints);
                    flip.rebooted |= was_down;
                });
            }
            match (back, absence) {
                (None, _) => {}
                (Some(ready), Some(absence)) if ready.transition <= absence.to => {
                    self.end_by_itself(number, ready, absence.from, moment);
                }
                (Some(_), _) => {
                    self.change(number, |flip| flip.ready_again = Some(moment.time));
                    self.close(&node.name, number, moment.at);
                }
            }
        }
    }

    /// Takes that a Node was deleted.
    pub(super) fn delete(&mut self, node: &str, time: WallTime) {
        for number in self.open.remove(node).unwrap_or_default() {
            self.change(number, |flip| flip.deleted = Some(time));
        }
    }

    /// When the last flip of a node that was over was so, on the aggregator's timeline; its beginning where that is long ago.
    pub(super) fn over_since(&self, node: &str) -> Duration {
        self.closed.get(node).map_or(Duration::ZERO, |(_, at)| *at)
    }

    /// Forgets which flips were over before `oldest` of the aggregator's timeline: no address is late by so much.
    pub(super) fn expire(&mut self, oldest: Duration) {
        self.closed.retain(|_, (_, at)| *at >= oldest);
    }

    fn get(&self, number: u64) -> Option<&Arc<Flip>> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.flips.get(place)
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Flip> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.flips.get_mut(place).map(Arc::make_mut)
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Flip)) {
        if let Some(flip) = self.get_mut(number) {
            change(flip);
            self.changed.insert(number);
        }
    }

    /// The number of the latest flip of a node for which `is_it` holds.
    fn find(&self, node: &str, is_it: impl Fn(&Flip) -> bool) -> Option<u64> {
        let numbers = self.of.get(node)?.iter().rev();
        let mut found = numbers.filter(|number| self.get(**number).is_some_and(|flip| is_it(flip)));
        found.next().copied()
    }

    fn insert(&mut self, mut flip: Flip) -> u64 {
        self.pass_over(&mut flip);
        let number = self.first + self.flips.len() as u64;
        let node = Arc::clone(&flip.node);
        if flip.is_open() {
            self.open.entry(Arc::clone(&node)).or_default().push(number);
        }
        self.of.entry(node).or_default().push_back(number);
        self.flips.push_back(Arc::new(flip));
        self.changed.insert(number);
        if self.flips.len() > self.most {
            self.drop_oldest();
        }
        number
    }

    fn drop_oldest(&mut self) {
        let number = self.first;
        self.drop_addresses(number);
        let Some(oldest) = self.flips.pop_front() else {
            return;
        };
        self.first += 1;
        self.dropped += 1;
        self.changed.remove(&number);
        self.forget_open(&oldest.node, number);
        if self.ended_by_condition.get(&oldest.node) == Some(&number) {
            self.ended_by_condition.remove(&oldest.node);
        }
        if let Some(numbers) = self.of.get_mut(&oldest.node) {
            numbers.retain(|one| *one != number);
            if numbers.is_empty() {
                self.of.remove(&oldest.node);
            }
        }
    }

    fn close(&mut self, node: &Arc<str>, number: u64, at: Duration) {
        self.forget_open(node, number);
        let closed = self.closed.entry(Arc::clone(node));
        let last = closed.or_insert((number, at));
        if at >= last.1 {
            *last = (number, at);
        }
    }

    fn forget_open(&mut self, node: &str, number: u64) {
        if let Some(open) = self.open.get_mut(node) {
            open.retain(|one| *one != number);
            if open.is_empty() {
                self.open.remove(node);
            }
        }
    }
}

fn begun(
    node: &Arc<str>,
    status: ConditionStatus,
    reason: &Arc<str>,
    transition: WallTime,
) -> Flip {
    Flip {
        node: Arc::clone(node),
        status,
        reason: Arc::clone(reason),
        transition,
        seen: None,
        agent_seen: None,
        after: None,
        uncertainty: Duration::ZERO,
        start: GapStart::Once,
        went_on: None,
        ready_again: None,
        deleted: None,
        ended_unseen: false,
        machine: Machine::default(),
        rebooted: false,
        taints: Vec::new(),
        lost: Vec::new(),
        lost_count: 0,
    }
}
