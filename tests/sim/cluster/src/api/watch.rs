//! Watches: who follows which objects, from which revision, through a bounded queue.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    collection::Collection,
    object::{self, Key, Object},
    refusal::Refusal,
    resource::Resource,
    select::Selector,
    store::Store,
};

/// Events that may wait for one watcher before it is cut off as too slow: the real server's larger per-watcher buffer.
const QUEUE: usize = 1000;

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The object is new.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone.
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub struct Change {
    /// What it did.
    pub kind: ChangeKind,
    /// The object after it; for a deletion its last state.
    pub object: Arc<Object>,
    /// The object before it.
    pub(super) previous: Option<Arc<Object>>,
}

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum Event {
    /// An object appeared, changed or went, as seen through the watcher's selector.
    Change(ChangeKind, Arc<Object>),
    /// Everything up to this revision was delivered; with `true`, so was the initial state.
    Bookmark(u64, bool),
    /// The watch is over.
    Error(Refusal),
}

impl Event {
    /// The line of a watch response.
    pub(super) fn line(&self, resource: Resource) -> Bytes {
        let envelope = |kind: &str, object: &Value| {
            Bytes::from(format!("{}\n", json!({"type": kind, "object": object})))
        };
        match self {
            Self::Change(kind, object) => {
                let kind = match kind {
                    ChangeKind::Added => "ADDED",
                    ChangeKind::Modified => "MODIFIED",
                    ChangeKind::Deleted => "DELETED",
                };
                let json = object.json();
                let mut line = Vec::with_capacity(json.len() + 40);
                line.extend_from_slice(b"{\"type\":\"");
                line.extend_from_slice(kind.as_bytes());
                line.extend_from_slice(b"\",\"object\":");
                line.extend_from_slice(&json);
                line.extend_from_slice(b"}\n");
                line.into()
            }
            Self::Bookmark(revision, end) => {
                envelope("BOOKMARK", &object::bookmark(resource, *revision, *end))
            }
            Self::Error(refusal) => envelope("ERROR", &refusal.status()),
        }
    }
}

/// Where a watch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With what there is, as ADDED events (no resourceVersion, or 0).
    State,
    /// With what there is, then a bookmark that says so (a streaming list).
    StateThenBookmark,
    /// After this revision. One in the future brings nothing until it has passed.
    Revision(u64),
}

/// One watcher, as the store knows it.
#[derive(Debug)]
pub(super) struct Subscriber {
    id: u64,
    pub(super) selector: Selector,
    /// Changes up to here are not for this watcher: it asked for a revision of the future.
    after: u64,
    queue: mpsc::Sender<Event>,
}

impl Subscriber {
    /// Queues an event; false cuts a watcher off that has gone or does not keep up.
    pub(super) fn offer(&mut self, event: Event) -> bool {
        match &event {
            Event::Change(_, object) if object.revision <= self.after => true,
            _ => self.queue.try_send(event).is_ok(),
        }
    }
}

impl Selector {
    /// What a watcher with this selector sees of a change: an object that stops matching looks deleted.
    pub(super) fn sees(&self, change: &Change) -> Option<Event> {
        let is = self.matches(&change.object);
        let was = change
            .previous
            .as_ref()
            .is_some_and(|previous| self.matches(previous));
        let kind = match (change.kind, was, is) {
            (ChangeKind::Deleted, true, _) | (ChangeKind::Modified, true, false) => {
                ChangeKind::Deleted
            }
            (ChangeKind::Added | ChangeKind::Modified, false, true) => ChangeKind::Added,
            (ChangeKind::Modified, true, true) => ChangeKind::Modified,
            _ => return None,
        };
        Some(Event::Change(kind, change.object.clone()))
    }
}

/// A watch: yields events until it is dropped or cut off.
#[derive(Debug)]
pub struct Watch {
    /// The kind that is watched.
    pub resource: Resource,
    backlog: VecDeque<Event>,
    queue: mpsc::Receiver<Event>,
    store: Store,
    id: u64,
    key: Option<Key>,
}

impl Watch {
    /// The next event; none when the watcher was too slow, or after an error.
    pub async fn next(&mut self) -> Option<Event> {
        match self.backlog.pop_front() {
            Some(event) => Some(event),
            None => self.queue.recv().await,
        }
    }

    /// Puts a bookmark in line, behind everything that happened up to now.
    pub fn request_bookmark(&self) {
        let mut inner = self.store.lock();
        let revision = inner.revision;
        let collection = &mut inner.collections[self.resource.index()];
        let own = collection
            .subscribers(self.key.as_ref())
            .and_then(|list| list.iter_mut().find(|subscriber| subscriber.id == self.id));
        if let Some(own) = own
            && own.after <= revision
        {
            // A full queue cuts the watcher off at its next change; a bookmark more or less does not matter.
            own.offer(Event::Bookmark(revision, false));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut inner = self.store.lock();
        let collection = &mut inner.collections[self.resource.index()];
        if let Some(list) = collection.subscribers(self.key.as_ref()) {
            list.retain(|subscriber| subscriber.id != self.id);
            if let (true, Some(key)) = (list.is_empty(), &self.key) {
                collection.single.remove(key);
            }
        }
    }
}

impl Collection {
    fn subscribers(&mut self, key: Option<&Key>) -> Option<&mut Vec<Subscriber>> {
        match key {
            Some(key) => self.single.get_mut(key),
            None => Some(&mut self.broad),
        }
    }
}

impl Store {
    /// Starts a watch.
    pub fn watch(
        &self,
        resource: Resource,
        selector: Selector,
        since: Since,
    ) -> Result<Watch, Refusal> {
        let mut inner = self.lock();
        let revision = inner.revision;
        let id = inner.next_subscriber;
        inner.next_subscriber += 1;
        let collection = &mut inner.collections[resource.index()];
        let mut backlog: VecDeque<Event> = match since {
            Since::Revision(from) => collection
                .since(from)?
                .iter()
                .filter_map(|change| selector.sees(change))
                .collect(),
            Since::State | Since::StateThenBookmark => collection
                .objects
                .values()
                .filter(|object| selector.matches(object))
                .map(|object| Event::Change(ChangeKind::Added, object.clone()))
                .collect(),
        };
        if since == Since::StateThenBookmark {
            backlog.push_back(Event::Bookmark(revision, true));
        }
        let after = match since {
            Since::Revision(from) => from,
            _ => 0,
        };
        let (sender, queue) = mpsc::channel(QUEUE);
        let key = selector.only_key(resource.names().namespaced);
        let subscriber = Subscriber {
            id,
            selector,
            after,
            queue: sender,
        };
        match &key {
            Some(key) => collection
                .single
                .entry(key.clone())
                .or_default()
                .push(subscriber),
            None => collection.broad.push(subscriber),
        }
        drop(inner);
        Ok(Watch {
            resource,
            backlog,
            queue,
            store: self.clone(),
            id,
            key,
        })
    }

    /// How many watches are open on a kind.
    pub fn watchers(&self, resource: Resource) -> usize {
        let inner = self.lock();
        let collection = &inner.collections[resource.index()];
        collection.broad.len() + collection.single.values().map(Vec::len).sum::<usize>()
    }

    /// Ends every open watch with 410, as a watch cache does that lost its place.
    pub fn expire_watches(&self) {
        let mut inner = self.lock();
        let revision = inner.revision;
        for collection in &mut inner.collections {
            collection.expire(&Refusal::Expired {
                requested: revision,
                oldest: revision,
            });
        }
    }
}
