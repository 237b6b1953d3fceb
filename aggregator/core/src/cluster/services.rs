//! Services, their slices and addresses, and how many ready pods of each Service each node holds.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{AddressChange, Endpoint, Moment, Service, What};

/// One `EndpointSlice`.
#[derive(Clone, Debug)]
struct Slice {
    service: Service,
    /// By address.
    endpoints: Vec<Endpoint>,
}

/// What is known of a Service over all its slices.
#[derive(Clone, Debug, Default)]
struct Entry {
    slices: BTreeSet<Arc<str>>,
    ready: Ready,
}

/// Ready addresses of each family.
#[derive(Clone, Copy, Debug, Default)]
struct Ready([u32; 2]);

impl Ready {
    /// As many pods as there are: one with an address of each family counts once.
    fn pods(self) -> u32 {
        let Self([one, other]) = self;
        one.max(other)
    }
}

/// All Services that have slices.
#[derive(Clone, Debug, Default)]
pub(super) struct Services {
    slices: HashMap<Arc<str>, Slice>,
    entries: HashMap<Service, Entry>,
    by_node: HashMap<Arc<str>, BTreeMap<Service, Ready>>,
    endpoints: usize,
}

impl Services {
    /// Takes a slice as it is now. Gives what changed for traffic, and how many addresses were beyond `room`.
    pub(super) fn see(
        &mut self,
        key: &Arc<str>,
        service: &Service,
        mut endpoints: Vec<Endpoint>,
        room: usize,
        moment: Moment,
    ) -> (Vec<AddressChange>, u64) {
        // Pods of the host network share the node's address: it takes traffic while one of them does.
        endpoints.sort_by(|one, other| {
            let by_address = one.address.cmp(&other.address);
            by_address.then_with(|| other.ready.cmp(&one.ready))
        });
        endpoints.dedup_by(|one, other| one.address == other.address);
        let mut changes = Vec::new();
        // A slice that changed its Service left the other.
        if self
            .slices
            .get(key)
            .is_some_and(|slice| slice.service != *service)
        {
            changes = self.forget(key, moment);
        }
        let before = self.take(key);
        let refused = refuse(&mut endpoints, &before, room.saturating_sub(self.endpoints));
        for endpoint in &mut endpoints {
            self.intern(endpoint);
        }
        self.compare(service, &before, &endpoints, moment, &mut changes);
        self.put(key, service.clone(), endpoints);
        (changes, refused)
    }

    /// Takes that a slice is gone, and gives what changed for traffic.
    pub(super) fn forget(&mut self, key: &str, moment: Moment) -> Vec<AddressChange> {
        let mut changes = Vec::new();
        let Some(service) = self.slices.get(key).map(|slice| slice.service.clone()) else {
            return changes;
        };
        let before = self.take(key);
        self.slices.remove(key);
        if let Some(entry) = self.entries.get_mut(&service) {
            entry.slices.remove(key);
            if entry.slices.is_empty() {
                self.entries.remove(&service);
            }
        }
        self.compare(&service, &before, &[], moment, &mut changes);
        changes
    }

    /// The slices for which `is_there` does not hold.
    pub(super) fn without(&self, is_there: &impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let keys = self.slices.keys();
        keys.filter(|key| !is_there(key)).cloned().collect()
    }

    /// The Services that have ready addresses on a node, with how many pods these are.
    pub(super) fn on_node(&self, node: &str) -> impl Iterator<Item = (&Service, u32)> {
        let services = self.by_node.get(node).into_iter().flatten();
        services.map(|(service, ready)| (service, ready.pods()))
    }

    /// Ready pods of a Service.
    pub(super) fn ready(&self, service: &Service) -> u32 {
        let entry = self.entries.get(service);
        entry.map_or(0, |entry| entry.ready.pods())
    }

    /// The addresses of a Service, in no order. Absent: there is no such Service.
    pub(super) fn of(&self, service: &Service) -> Option<impl Iterator<Item = &Endpoint>> {
        let entry = self.entries.get(service)?;
        let slices = entry.slices.iter().filter_map(|key| self.slices.get(key));
        Some(slices.flat_map(|slice| &slice.endpoints))
    }

    /// Whether a Service lists an address, ready or not.
    pub(super) fn has(&self, service: &Service, address: &str) -> bool {
        let mut addresses = self.of(service).into_iter().flatten();
        addresses.any(|endpoint| *endpoint.address == *address)
    }

    /// Services that have slices, and their addresses.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.entries.len(), self.endpoints)
    }

    /// Takes the endpoints out of a slice, and out of every count.
    fn take(&mut self, key: &str) -> Vec<Endpoint> {
        let Some(slice) = self.slices.get_mut(key) else {
            return Vec::new();
        };
        let endpoints = std::mem::take(&mut slice.endpoints);
        let service = slice.service.clone();
        self.endpoints -= endpoints.len();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.ready) {
            self.count(&service, endpoint, false);
        }
        endpoints
    }

    fn put(&mut self, key: &Arc<str>, service: Service, endpoints: Vec<Endpoint>) {
        self.endpoints += endpoints.len();
        let entry = self.entries.entry(service.clone()).or_default();
        entry.slices.insert(Arc::clone(key));
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.ready) {
            self.count(&service, endpoint, true);
        }
        self.slices
            .insert(Arc::clone(key), Slice { service, endpoints });
    }

    /// Counts a ready address in or out.
    fn count(&mut self, service: &Service, endpoint: &Endpoint, into: bool) {
        let add = |Ready(counts): &mut Ready| {
            let count = &mut counts[endpoint.family()];
            *count = if into {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            };
        };
        if let Some(entry) = self.entries.get_mut(service) {
            add(&mut entry.ready);
        }
        let Some(node) = &endpoint.node else { return };
        let on_node = self.by_node.entry(Arc::clone(node)).or_default();
        let count = on_node.entry(service.clone()).or_default();
        add(count);
        if count.pods() == 0 {
            on_node.remove(service);
            if on_node.is_empty() {
                self.by_node.remove(node);
            }
        }
    }

    /// Has an endpoint share its node's name with all others on it.
    fn intern(&self, endpoint: &mut Endpoint) {
        let known = endpoint.node.as_ref();
        let known = known.and_then(|node| self.by_node.get_key_value(node));
        if let Some((node, _)) = known {
            endpoint.node = Some(Arc::clone(node));
        }
    }

    /// Says what became of each address between two states of a slice, which is in neither state now.
    fn compare(
        &self,
        service: &Service,
        before: &[Endpoint],
        after: &[Endpoint],
        moment: Moment,
        changes: &mut Vec<AddressChange>,
    ) {
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.address.cmp(&new.address),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return,
            };
            let was = if order.is_le() { old.next() } else { None };
            let is = if order.is_ge() { new.next() } else { None };
            let Some(what) = what(was, is) else { continue };
            let Some(endpoint) = is.or(was) else { continue };
            // Slices of one Service are balanced now and then, which moves addresses and changes nothing for traffic.
            let is_elsewhere = match what {
                What::Added | What::Removed => self.has_ready(service, &endpoint.address),
                What::Listed | What::Gone => self.has(service, &endpoint.address),
                _ => false,
            };
            if is_elsewhere {
                continue;
            }
            changes.push(AddressChange {
                what,
                moment,
                late: false,
                service: service.clone(),
                endpoint: endpoint.clone(),
            });
        }
    }

    fn has_ready(&self, service: &Service, address: &str) -> bool {
        let mut addresses = self.of(service).into_iter().flatten();
        addresses.any(|endpoint| endpoint.ready && *endpoint.address == *address)
    }
}

/// Leaves out addresses that are new where there is no room for all. Gives their number.
fn refuse(endpoints: &mut Vec<Endpoint>, known: &[Endpoint], room: usize) -> u64 {
    let all = endpoints.len();
    if all > room {
        endpoints.retain(|endpoint| {
            known
                .binary_search_by(|known| known.address.cmp(&endpoint.address))
                .is_ok()
        });
    }
    (all - endpoints.len()) as u64
}

/// What happened to an address that was so and is so now.
const fn what(was: Option<&Endpoint>, is: Option<&Endpoint>) -> Option<What> {
    match (was, is) {
        (Some(Endpoint { ready: true, .. }), Some(is)) if !is.ready => Some(if is.terminating {
            What::Drained
        } else {
            What::Left
        }),
        (Some(Endpoint { ready: true, .. }), None) => Some(What::Removed),
        (Some(Endpoint { ready: false, .. }), None) => Some(What::Gone),
        (Some(Endpoint { ready: false, .. }), Some(Endpoint { ready: true, .. })) => {
            Some(What::Returned)
        }
        (None, Some(is)) => Some(if is.ready { What::Added } else { What::Listed }),
        _ => None,
    }
}
