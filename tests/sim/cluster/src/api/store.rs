//! The objects, one revision counter over all of them, and the bounded history that watches resume from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodegrace_clock::Clock;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::{
    collection::Collection,
    fields::{self, Writer},
    identity,
    object::{Key, Object, text},
    refusal::Refusal,
    resource::Resource,
    select::Selector,
    watch::{Change, ChangeKind},
};
use crate::stamp;

/// The store: cheap to clone, the same for everything that holds a clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Mutex<Inner>>);

/// Changes kept per kind for watches that resume. The real watch cache keeps 100 to 102,400; this holds the last 17 minutes of
/// 40 kubelets.
const DEFAULT_WINDOW: usize = 4096;

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) clock: Clock,
    random: StdRng,
    pub(super) revision: u64,
    /// Continuing a list from before this revision fails: etcd was compacted up to here.
    compacted: u64,
    window: usize,
    pub(super) collections: Vec<Collection>,
    pub(super) next_subscriber: u64,
}

impl Store {
    /// An empty store; `seed` decides the uids it gives.
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            clock,
            random: StdRng::seed_from_u64(seed),
            revision: 1,
            compacted: 0,
            window: DEFAULT_WINDOW,
            collections: Resource::ALL
                .iter()
                .map(|_| Collection::default())
                .collect(),
            next_subscriber: 0,
        })))
    }

    /// A panic while the lock was held leaves the store usable: each change is made in one step.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// One object.
    pub fn get(&self, resource: Resource, key: &Key) -> Result<Arc<Object>, Refusal> {
        let inner = self.lock();
        inner.find(resource, key).cloned()
    }

    /// Every object that `selector` means, in the order of keys, and the revision of this view.
    pub fn list(&self, resource: Resource, selector: &Selector) -> (Vec<Arc<Object>>, u64) {
        let inner = self.lock();
        let collection = &inner.collections[resource.index()];
        let is_meant = |object: &&Arc<Object>| selector.matches(object);
        let meant = match selector.only_key(resource.names().namespaced) {
            Some(key) => {
                let object = collection.objects.get(&key).filter(is_meant);
                object.cloned().into_iter().collect()
            }
            None => collection
                .objects
                .values()
                .filter(is_meant)
                .cloned()
                .collect(),
        };
        (meant, inner.revision)
    }

    /// Creates an object: uid, creationTimestamp, generated name and managedFields are set here.
    pub fn create(
        &self,
        resource: Resource,
        mut object: Value,
        manager: &str,
    ) -> Result<Arc<Object>, Refusal> {
        let mut inner = self.lock();
        let now = stamp::seconds(inner.clock.wall());
        let names = resource.names();
        if text(&object, "/metadata/name").is_empty() {
            let prefix = text(&object, "/metadata/generateName").to_owned();
            if prefix.is_empty() {
                return Err(Refusal::Invalid(
                    "name or generateName is required".to_owned(),
                ));
            }
            object["metadata"]["name"] =
                format!("{prefix}{}", identity::suffix(&mut inner.random)).into();
        }
        if names.namespaced && text(&object, "/metadata/namespace").is_empty() {
            return Err(Refusal::Invalid("a namespace is required".to_owned()));
        }
        let key = Key::of(&object);
        if inner.collections[resource.index()]
            .objects
            .contains_key(&key)
        {
            return Err(Refusal::AlreadyExists {
                resource,
                name: key.name,
            });
        }
        let uid = identity::uid(&mut inner.random);
        object["metadata"]["uid"] = uid.into();
        object["metadata"]["creationTimestamp"] = now.clone().into();
        let writer = Writer {
            manager,
            status: false,
        };
        fields::book(
            &Value::Null,
            &mut object,
            writer,
            &now,
            &resource.api_version(),
        );
        Ok(inner.commit(resource, ChangeKind::Added, object, None))
    }

    /// Changes an object in place. A change that alters nothing writes nothing, as on the real server.
    pub fn update(
        &self,
        resource: Resource,
        key: &Key,
        writer: Writer<'_>,
        change: impl FnOnce(&mut Value) -> Result<(), Refusal>,
    ) -> Result<Arc<Object>, Refusal> {
        let mut inner = self.lock();
        let old = inner.find(resource, key)?.clone();
        let mut new = old.value.clone();
        change(&mut new)?;
        for kept in [
            "uid",
            "creationTimestamp",
            "resourceVersion",
            "managedFields",
            "name",
        ] {
            new["metadata"][kept] = old.value["metadata"][kept].clone();
        }
        if resource.names().status {
            let part = if writer.status { "spec" } else { "status" };
            restore(&mut new, &old.value, part);
        }
        if new == old.value {
            return Ok(old);
        }
        let now = stamp::seconds(inner.clock.wall());
        fields::book(&old.value, &mut new, writer, &now, &resource.api_version());
        Ok(inner.commit(resource, ChangeKind::Modified, new, Some(old)))
    }

    /// Deletes an object; what is returned is its last state with the revision of the deletion.
    pub fn delete(&self, resource: Resource, key: &Key) -> Result<Arc<Object>, Refusal> {
        let mut inner = self.lock();
        let old = inner.find(resource, key)?.clone();
        let last = old.value.clone();
        Ok(inner.commit(resource, ChangeKind::Deleted, last, Some(old)))
    }

    /// Forgets all history, as etcd's compaction does: watches and lists that go on from an older revision get 410. Watches
    /// that are open go on.
    pub fn compact(&self) {
        self.forget_changes();
        let mut inner = self.lock();
        inner.compacted = inner.revision;
    }

    /// Empties the watch cache, as a restart of the server does: watches from an older revision get 410, lists continue.
    pub fn forget_changes(&self) {
        let mut inner = self.lock();
        let revision = inner.revision;
        for collection in &mut inner.collections {
            collection.forget(revision);
        }
    }

    /// Sets how many changes per kind are kept for watches that resume.
    pub fn keep_changes(&self, window: usize) {
        self.lock().window = window;
    }

    /// Whether a list may continue from `revision`.
    pub(super) fn check_continue(&self, revision: u64) -> Result<(), Refusal> {
        let oldest = self.lock().compacted;
        if revision < oldest {
            return Err(Refusal::Expired {
                requested: revision,
                oldest,
            });
        }
        Ok(())
    }
}

/// Puts `field` of `new` back to what it was.
fn restore(new: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => new[field] = value.clone(),
        None => {
            if let Some(fields) = new.as_object_mut() {
                fields.remove(field);
            }
        }
    }
}

impl Inner {
    fn find(&self, resource: Resource, key: &Key) -> Result<&Arc<Object>, Refusal> {
        self.collections[resource.index()]
            .objects
            .get(key)
            .ok_or_else(|| Refusal::NotFound {
                resource,
                name: key.name.clone(),
            })
    }

    fn commit(
        &mut self,
        resource: Resource,
        kind: ChangeKind,
        value: Value,
        previous: Option<Arc<Object>>,
    ) -> Arc<Object> {
        self.revision += 1;
        let object = Arc::new(Object::new(resource, self.revision, value));
        let window = self.window;
        let collection = &mut self.collections[resource.index()];
        if kind == ChangeKind::Deleted {
            collection.objects.remove(&object.key);
        } else {
            collection
                .objects
                .insert(object.key.clone(), object.clone());
        }
        let change = Arc::new(Change {
            kind,
            object: object.clone(),
            previous,
        });
        collection.publish(change, window);
        object
    }
}
