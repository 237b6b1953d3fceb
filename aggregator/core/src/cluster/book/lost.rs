//! The addresses that went with flips: when each left, came back or was taken away, within a bound of all together.

use std::{sync::Arc, time::Duration};

use super::FlipBook;
use crate::{
    cluster::{AddressChange, LostAddress, Service, What, flip::MOST_LOST},
    time::WallTime,
};

/// A lost address: the number of its flip, and its place in that.
pub(in crate::cluster) type Place = (u64, usize);

impl FlipBook {
    /// Takes a change of an address where it belongs to a flip; what is told of a node whose flip was over before `since` does not.
    /// Gives the place of the address where it is gone for good.
    pub(in crate::cluster) fn lose_or_regain(
        &mut self,
        change: &AddressChange,
        since: Duration,
    ) -> Option<Place> {
        let address = (change.service.clone(), Arc::clone(&change.endpoint.address));
        match change.what {
            What::Left => self.lose(address, change, since),
            What::Returned | What::Added => {
                if let Some(place) = self.waiting.remove(&address) {
                    let time = Some(change.moment.time);
                    self.change_lost(place, |lost| {
                        lost.returned = time;
                        lost.late |= change.late;
                    });
                }
            }
            What::Gone => return self.go(&address, change.moment.time),
            What::Drained | What::Removed | What::Listed | What::Moved => {}
        }
        None
    }

    /// Takes that every address which is waited for and not listed is gone.
    pub(in crate::cluster) fn settle(
        &mut self,
        time: WallTime,
        is_listed: impl Fn(&Service, &str) -> bool,
    ) {
        let gone = self.waiting.keys();
        let gone = gone.filter(|(service, address)| !is_listed(service, address));
        for address in gone.cloned().collect::<Vec<_>>() {
            self.go(&address, time);
        }
    }

    /// Takes that an address which was taken for gone is on another slice.
    pub(in crate::cluster) fn un_go(&mut self, address: (Service, Arc<str>), place: Place) {
        self.change_lost(place, |lost| lost.gone = None);
        self.waiting.insert(address, place);
    }

    /// The flip of a node that its addresses go with: the one that is open or, for what is told late, the one that was over last and
    /// not before `since`.
    fn latest(&self, node: &str, since: Duration) -> Option<u64> {
        let open = self.open.get(node).and_then(|open| open.last());
        let closed = || {
            let (number, at) = self.closed.get(node)?;
            (*at >= since).then_some(number)
        };
        open.or_else(closed).copied()
    }

    fn lose(&mut self, address: (Service, Arc<str>), change: &AddressChange, since: Duration) {
        let node = change.endpoint.node.as_deref();
        let Some(number) = node.and_then(|node| self.latest(node, since)) else {
            return;
        };
        if self.waiting.contains_key(&address) {
            return;
        }
        self.make_room();
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
                    late: change.late,
                });
            }
        });
        match place {
            Some(place) => {
                self.addresses += 1;
                self.addresses_from = self.addresses_from.min(number);
                self.waiting.insert(address, (number, place));
            }
            None => self.dropped_addresses += 1,
        }
    }

    fn go(&mut self, address: &(Service, Arc<str>), time: WallTime) -> Option<Place> {
        let place = self.waiting.remove(address)?;
        self.change_lost(place, |lost| lost.gone = Some(time));
        Some(place)
    }

    fn change_lost(&mut self, (number, place): Place, change: impl FnOnce(&mut LostAddress)) {
        self.change(number, |flip| {
            if let Some(lost) = flip.lost.get_mut(place) {
                change(lost);
            }
        });
    }

    /// Waits for the addresses of a flip that are away.
    pub(super) fn wait_for(&mut self, number: u64) {
        let Some(flip) = self.get(number).map(Arc::clone) else {
            return;
        };
        self.addresses += flip.lost.len();
        for (place, lost) in flip.lost.iter().enumerate() {
            if lost.returned.is_none() && lost.gone.is_none() {
                let address = (lost.service.clone(), Arc::clone(&lost.address));
                self.waiting.insert(address, (number, place));
            }
        }
        while self.addresses > self.most_addresses && self.drop_oldest_addresses() {}
    }

    fn make_room(&mut self) {
        while self.addresses >= self.most_addresses && self.drop_oldest_addresses() {}
    }

    /// Drops the addresses of the oldest flip that has any. False: none has.
    fn drop_oldest_addresses(&mut self) -> bool {
        let from = self.addresses_from.max(self.first);
        let end = self.first + self.flips.len() as u64;
        let has_any = |number: &u64| self.get(*number).is_some_and(|flip| !flip.lost.is_empty());
        let Some(number) = (from..end).find(has_any) else {
            return false;
        };
        self.dropped_addresses += self.drop_addresses(number) as u64;
        self.addresses_from = number + 1;
        true
    }

    /// Drops the addresses of a flip here; where it was written down they stay. Gives their number.
    pub(super) fn drop_addresses(&mut self, number: u64) -> usize {
        let Some(flip) = self.get_mut(number) else {
            return 0;
        };
        let lost = std::mem::take(&mut flip.lost);
        for lost in &lost {
            let address = (lost.service.clone(), Arc::clone(&lost.address));
            if self
                .waiting
                .get(&address)
                .is_some_and(|(of, _)| *of == number)
            {
                self.waiting.remove(&address);
            }
        }
        self.addresses -= lost.len();
        lost.len()
    }
}
