//! All flips: each once, whoever saw it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use super::{AddressChange, Flip, LostAddress, Moment, SeenNode, Service, What, flip::MOST_LOST};
use crate::{
    controller::GapStart, event::ConditionStatus, figures::Ready, node::SeenFlip, time::WallTime,
};

/// Reason that the controller writes with Unknown.
const UNKNOWN: &str = "NodeStatusUnknown";

/// Flips in the order in which they became known.
#[derive(Clone, Debug)]
pub struct FlipBook {
    most: usize,
    /// Number of the first flip in `flips`.
    first: u64,
    flips: VecDeque<Flip>,
    /// Numbers of the flips of each node that are not over.
    open: HashMap<Arc<str>, Vec<u64>>,
    /// Addresses that left and are not back: the flip's number and their place in it.
    waiting: HashMap<(Service, Arc<str>), (u64, usize)>,
    /// Numbers of flips that changed since they were taken for the disk.
    changed: BTreeSet<u64>,
    dropped: u64,
}

impl FlipBook {
    /// A book of at most `most` flips.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            first: 0,
            flips: VecDeque::new(),
            open: HashMap::new(),
            waiting: HashMap::new(),
            changed: BTreeSet::new(),
            dropped: 0,
        }
    }

    /// All flips, in the order in which they became known.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Flip> {
        self.flips.iter()
    }

    /// The flips of one node, oldest first.
    pub fn of<'a>(&'a self, node: &'a str) -> impl DoubleEndedIterator<Item = &'a Flip> {
        self.flips.iter().filter(move |flip| *flip.node == *node)
    }

    /// Flips that made room for newer ones.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The flips that changed since they were last taken, for whoever writes them down.
    pub fn take_changed(&mut self) -> Vec<Flip> {
        let numbers = std::mem::take(&mut self.changed);
        let flips = numbers.into_iter().filter_map(|number| self.get(number));
        flips.cloned().collect()
    }

    /// Puts a flip back that an earlier run wrote down.
    pub(super) fn restore(&mut self, flip: Flip) {
        let number = self.insert(flip);
        self.changed.remove(&number);
        let Some(flip) = self.get(number) else { return };
        let waiting = flip.lost.iter().enumerate();
        let waiting: Vec<_> = waiting
            .filter(|(_, lost)| lost.returned.is_none() && lost.gone.is_none())
            .map(|(place, lost)| ((lost.service.clone(), Arc::clone(&lost.address)), place))
            .collect();
        for (address, place) in waiting {
            self.waiting.insert(address, (number, place));
        }
    }

    /// Takes that the watch saw Ready leave True.
    pub(super) fn leave(&mut self, node: &Arc<str>, ready: &Ready, moment: Moment) {
        if let Some(number) = self.find(node, |flip| flip.transition == ready.transition) {
            self.change(number, |flip| {
                flip.seen.get_or_insert(moment.time);
                flip.status = ready.status;
                flip.reason = Arc::clone(&ready.reason);
            });
            return;
        }
        self.insert(Flip {
            seen: Some(moment.time),
            ..begun(node, ready.status, &ready.reason, ready.transition)
        });
    }

    /// Takes that a node's agent saw Ready turn Unknown.
    pub(super) fn join(&mut self, node: &Arc<str>, seen: &SeenFlip) {
        let is_it = |flip: &Flip| {
            flip.agent_seen == Some(seen.time)
                || flip.agent_seen.is_none() && Some(flip.transition) == seen.transition
        };
        let number = self.find(node, is_it).unwrap_or_else(|| {
            let transition = seen.transition.unwrap_or(seen.time);
            self.insert(begun(
                node,
                ConditionStatus::Unknown,
                &Arc::from(UNKNOWN),
                transition,
            ))
        });
        self.change(number, |flip| {
            flip.agent_seen = Some(seen.time);
            flip.after = seen.after.or(flip.after);
            flip.start = seen.start;
        });
    }

    /// Takes what a node is like now: whether it is ready again, its taints, and whether it was booted.
    pub(super) fn follow(&mut self, node: &SeenNode, rebooted: bool, moment: Moment) {
        let Some(open) = self.open.get(&node.name) else {
            return;
        };
        for number in open.clone() {
            let Some(flip) = self.get(number) else {
                continue;
            };
            // An agent may tell of a flip before the watch does: what the watch tells meanwhile is older. What it tells after a flip that
            // it saw itself is newer, also where the node's clock, which stamps the way back, is behind the controller's.
            let is_back = node.ready.as_ref().is_some_and(|ready| {
                ready.status == ConditionStatus::True
                    && (flip.seen.is_some() || ready.transition >= flip.transition)
            });
            let taints: Vec<Arc<str>> = node
                .taints
                .iter()
                .filter(|taint| taint.is_of_readiness())
                .map(|taint| Arc::from(format!("{}:{}", taint.key, taint.effect)))
                .filter(|taint| !flip.taints.contains(taint))
                .collect();
            let was_down = rebooted && !flip.rebooted;
            if !is_back && taints.is_empty() && !was_down {
                continue;
            }
            self.change(number, |flip| {
                flip.taints.extend(taints);
                flip.rebooted |= was_down;
                if is_back {
                    flip.ready_again = Some(moment.time);
                }
            });
            if is_back {
                self.close(&node.name, number);
            }
        }
    }

    /// Takes that a Node was deleted.
    pub(super) fn delete(&mut self, node: &str, time: WallTime) {
        for number in self.open.remove(node).unwrap_or_default() {
            self.change(number, |flip| flip.deleted = Some(time));
        }
    }

    /// Takes that a node's machine was booted between two moments of its wall clock, by its agent's word.
    pub(super) fn reboot(&mut self, node: &str, from: WallTime, to: WallTime) {
        let within = |flip: &Flip| {
            let time = flip.agent_seen.unwrap_or(flip.transition);
            !flip.rebooted && (from..=to).contains(&time)
        };
        while let Some(number) = self.find(node, within) {
            self.change(number, |flip| flip.rebooted = true);
        }
    }

    /// Takes a change of an address where it belongs to a flip.
    pub(super) fn lose_or_regain(&mut self, change: &AddressChange) {
        let address = (change.service.clone(), Arc::clone(&change.endpoint.address));
        match change.what {
            What::Left => self.lose(address, change),
            What::Returned | What::Added => {
                if let Some((number, place)) = self.waiting.remove(&address) {
                    self.change(number, |flip| {
                        if let Some(lost) = flip.lost.get_mut(place) {
                            lost.returned = Some(change.moment.time);
                        }
                    });
                }
            }
            What::Gone => self.go(&address, change.moment.time),
            What::Drained | What::Removed => {}
        }
    }

    /// Takes that every address which is waited for and not listed is gone.
    pub(super) fn settle(&mut self, time: WallTime, is_listed: impl Fn(&Service, &str) -> bool) {
        let gone = self.waiting.keys();
        let gone = gone.filter(|(service, address)| !is_listed(service, address));
        for address in gone.cloned().collect::<Vec<_>>() {
            self.go(&address, time);
        }
    }

    fn go(&mut self, address: &(Service, Arc<str>), time: WallTime) {
        if let Some((number, place)) = self.waiting.remove(address) {
            self.change(number, |flip| {
                if let Some(lost) = flip.lost.get_mut(place) {
                    lost.gone = Some(time);
                }
            });
        }
    }

    fn lose(&mut self, address: (Service, Arc<str>), change: &AddressChange) {
        let node = change.endpoint.node.as_deref();
        let open = node.and_then(|node| self.open.get(node));
        let Some(number) = open.and_then(|open| open.last().copied()) else {
            return;
        };
        if self.waiting.contains_key(&address) {
            return;
        }
        let mut place = None;
        self.change(number, |flip| {
            flip.lost_count += 1;
            if flip.lost.len() < MOST_LOST {
                place = Some(flip.lost.len());
                flip.lost.push(LostAddress {
                    service: change.service.clone(),
                    address: Arc::clone(&change.endpoint.address),
                    pod: change.endpoint.pod.clone(),
                    left: change.moment.time,
                    returned: None,
                    gone: None,
                });
            }
        });
        if let Some(place) = place {
            self.waiting.insert(address, (number, place));
        }
    }

    fn get(&self, number: u64) -> Option<&Flip> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.flips.get(place)
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Flip)) {
        let place = number.checked_sub(self.first);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(flip) = place.and_then(|place| self.flips.get_mut(place)) {
            change(flip);
            self.changed.insert(number);
        }
    }

    /// The number of the latest flip of a node for which `is_it` holds.
    fn find(&self, node: &str, is_it: impl Fn(&Flip) -> bool) -> Option<u64> {
        let place = self
            .flips
            .iter()
            .rposition(|flip| *flip.node == *node && is_it(flip))?;
        Some(self.first + place as u64)
    }

    fn insert(&mut self, flip: Flip) -> u64 {
        let number = self.first + self.flips.len() as u64;
        if flip.is_open() {
            let open = self.open.entry(Arc::clone(&flip.node)).or_default();
            open.push(number);
        }
        self.flips.push_back(flip);
        self.changed.insert(number);
        if self.flips.len() > self.most {
            self.drop_oldest();
        }
        number
    }

    fn drop_oldest(&mut self) {
        let number = self.first;
        let Some(oldest) = self.flips.pop_front() else {
            return;
        };
        self.first += 1;
        self.dropped += 1;
        self.changed.remove(&number);
        self.close(&oldest.node, number);
        for lost in &oldest.lost {
            let address = (lost.service.clone(), Arc::clone(&lost.address));
            if self
                .waiting
                .get(&address)
                .is_some_and(|(of, _)| *of == number)
            {
                self.waiting.remove(&address);
            }
        }
    }

    fn close(&mut self, node: &str, number: u64) {
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
        start: GapStart::Once,
        ready_again: None,
        deleted: None,
        rebooted: false,
        taints: Vec::new(),
        lost: Vec::new(),
        lost_count: 0,
    }
}
