//! Addresses that were taken off a slice a moment ago: what shows up again at once was moved to another slice, and nobody was evicted.
//!
//! The controller that writes slices balances them now and then, one slice after the other.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{AddressChange, Service, What, book::Place};

/// How long the second of two slices may take to be told after the first: some API calls of its controller.
const WITHIN: Duration = Duration::from_secs(5);

/// What was done when the address was taken off.
#[derive(Clone, Debug)]
pub(super) struct TakenOff {
    pod: Option<Arc<str>>,
    at: Duration,
    /// Number of the change that was kept.
    pub(super) change: u64,
    /// Its place in the flip that took it away. Absent: none did.
    pub(super) lost: Option<Place>,
}

/// Addresses taken off within the last moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves(HashMap<(Service, Arc<str>), TakenOff>);

impl Moves {
    /// Takes that an address was taken off, which was kept as the change of this number.
    pub(super) fn take_off(&mut self, change: &AddressChange, number: u64, lost: Option<Place>) {
        self.0.insert(
            key(change),
            TakenOff {
                pod: change.endpoint.pod.clone(),
                at: change.moment.at,
                change: number,
                lost,
            },
        );
    }

    /// What is to be taken back because of this change. Absent: nothing, the address is new.
    pub(super) fn take_back(&mut self, change: &AddressChange) -> Option<TakenOff> {
        if !matches!(change.what, What::Added | What::Listed) {
            return None;
        }
        let taken_off = self.0.remove(&key(change))?;
        let is_it = taken_off.pod == change.endpoint.pod
            && change.moment.at.saturating_sub(taken_off.at) <= WITHIN;
        is_it.then_some(taken_off)
    }

    /// Forgets what is too old to have been moved.
    pub(super) fn expire(&mut self, now: Duration) {
        self.0
            .retain(|_, taken_off| now.saturating_sub(taken_off.at) <= WITHIN);
    }
}

fn key(change: &AddressChange) -> (Service, Arc<str>) {
    (change.service.clone(), Arc::clone(&change.endpoint.address))
}
