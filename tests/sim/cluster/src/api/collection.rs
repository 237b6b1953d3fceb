//! The objects of one kind, their recent changes and their watchers.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use super::{
    object::{Key, Object},
    refusal::Refusal,
    watch::{Change, Event, Subscriber},
};

/// What is kept of one kind.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) objects: BTreeMap<Key, Arc<Object>>,
    history: VecDeque<Arc<Change>>,
    /// A watch may resume from this revision or a later one.
    resumable: u64,
    /// Watchers of a single object, by its key, so that ten thousand of them cost a write nothing.
    pub(super) single: HashMap<Key, Vec<Subscriber>>,
    /// Watchers of more than one object.
    pub(super) broad: Vec<Subscriber>,
}

impl Collection {
    /// The changes after `revision`, oldest first.
    pub(super) fn since(&self, revision: u64) -> Result<Vec<Arc<Change>>, Refusal> {
        if revision < self.resumable {
            return Err(Refusal::Expired {
                requested: revision,
                oldest: self.resumable,
            });
        }
        let start = self
            .history
            .partition_point(|change| change.object.revision <= revision);
        Ok(self.history.range(start..).cloned().collect())
    }

    /// Delivers a change, and keeps it with the last `window` ones.
    pub(super) fn publish(&mut self, change: Arc<Change>, window: usize) {
        self.deliver(&change);
        self.history.push_back(change);
        while self.history.len() > window {
            if let Some(gone) = self.history.pop_front() {
                self.resumable = gone.object.revision;
            }
        }
    }

    /// Forgets every change up to `revision`.
    pub(super) fn forget(&mut self, revision: u64) {
        self.history.clear();
        self.resumable = revision;
    }

    /// Delivers a change to whom it concerns.
    fn deliver(&mut self, change: &Arc<Change>) {
        let offer = |subscriber: &mut Subscriber| {
            subscriber
                .selector
                .sees(change)
                .is_none_or(|event| subscriber.offer(event))
        };
        if let Some(subscribers) = self.single.get_mut(&change.object.key) {
            subscribers.retain_mut(offer);
        }
        self.broad.retain_mut(offer);
    }

    /// Tells every watcher that its revision is gone.
    pub(super) fn expire(&mut self, refusal: &Refusal) {
        for mut subscriber in self
            .single
            .drain()
            .flat_map(|(_, list)| list)
            .chain(self.broad.drain(..))
        {
            subscriber.offer(Event::Error(refusal.clone()));
        }
    }
}
