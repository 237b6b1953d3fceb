//! Following all objects of a kind: list, then watch from there, then from the last event, and list again only when that fails.
//!
//! A streaming list is asked for first: the server sends objects one by one, and neither side holds them all at once. A server
//! that has none says so, and is asked page by page from then on.

use std::{collections::HashSet, convert::Infallible, pin::pin, time::Duration};

use futures::{Stream, StreamExt as _};
use http::Request;
use kube::core::WatchEvent;
use nodegrace_clock::Clock;
use nodegrace_kube::{Pauses, failure, flat};
use serde::de::DeserializeOwned;

use super::{
    Sink,
    object::{Object, Page},
    target,
};

/// First pause after a failure, and the longest: a cluster has a few aggregators, and each costs a list of everything.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest wait for the head of an answer, or for a page.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an open watch may say nothing: bookmarks come every minute, so that more than two are missing.
const QUIET: Duration = Duration::from_secs(150);
/// A watch that ends sooner than this was cut off: opened again without a pause it would be cut off again.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);
/// The annotation of the bookmark that ends a streaming list.
const LISTED: &str = "k8s.io/initial-events-end";

/// Follows one kind.
pub(super) struct Follower<S> {
    client: kube::Client,
    clock: Clock,
    sink: S,
    /// False once the server refused a streaming list.
    streaming: bool,
    /// Version from which a watch goes on. Absent: everything is to be listed.
    version: Option<String>,
    /// True once everything was listed: what differs then came about since.
    listed: bool,
}

/// Why a step failed.
struct Failed {
    words: String,
    /// The version is too old: everything is to be listed.
    expired: bool,
    /// The server answered, and what it was asked for it does not do.
    refused: bool,
}

impl Failed {
    fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            expired: false,
            refused: false,
        }
    }

    fn of(error: &kube::Error) -> Self {
        let code = match error {
            kube::Error::Api(status) => status.code,
            _ => 0,
        };
        Self {
            expired: code == 410,
            refused: matches!(code, 400 | 422 | 500 | 501),
            ..Self::new(flat(&failure(error)))
        }
    }
}

impl<S: Sink> Follower<S> {
    pub(super) const fn new(client: kube::Client, clock: Clock, sink: S) -> Self {
        Self {
            client,
            clock,
            sink,
            streaming: true,
            version: None,
            listed: false,
        }
    }

    pub(super) async fn follow(mut self) -> Infallible {
        let mut pauses = Pauses::between(SHORTEST_PAUSE, LONGEST_PAUSE);
        let begun = self.clock.now();
        loop {
            let before = self.sink.status().get().events;
            let failed = match self.step(begun).await {
                Ok(()) => {
                    pauses.reset();
                    continue;
                }
                Err(failed) => failed,
            };
            if self.sink.status().get().events > before {
                pauses.reset();
            }
            if failed.expired {
                self.version = None;
            }
            self.sink.status().fail(&failed.words, self.clock.now());
            tracing::warn!(kind = S::Object::KIND, reason = failed.words, "watch broke");
            self.clock.sleep(pauses.next()).await;
        }
    }

    /// Lists or watches until that ends.
    async fn step(&mut self, begun: Duration) -> Result<(), Failed> {
        if let Some(version) = self.version.clone() {
            let stream = self.open(target::watch::<S::Object>(&version)).await?;
            self.sink.status().resume(self.clock.now());
            return self.read(stream, None, begun).await;
        }
        if self.streaming {
            match self.list_streaming(begun).await {
                Err(failed) if failed.refused && self.version.is_none() => {
                    tracing::info!(
                        kind = S::Object::KIND,
                        reason = failed.words,
                        "no streaming lists, asking page by page"
                    );
                    self.streaming = false;
                }
                done => return done,
            }
        }
        self.list_pages(begun).await
    }

    async fn list_streaming(&mut self, begun: Duration) -> Result<(), Failed> {
        let stream = self.open(target::streaming_list::<S::Object>()).await?;
        self.read(stream, Some(HashSet::new()), begun).await
    }

    async fn list_pages(&mut self, begun: Duration) -> Result<(), Failed> {
        let (mut keys, mut next) = (HashSet::new(), String::new());
        loop {
            let request = target::page::<S::Object>(&next);
            let page: Page<S::Object> = self.ask(request).await?;
            for object in page.items.into_iter().flatten() {
                keys.insert(object.key());
                self.see(object);
            }
            next = page.metadata.next;
            if next.is_empty() {
                if page.metadata.resource_version.is_empty() {
                    return Err(Failed::new("the list carries no resourceVersion"));
                }
                self.complete(&keys, page.metadata.resource_version, begun);
                return Ok(());
            }
        }
    }

    /// Takes events until the watch ends. `listing`: the keys seen so far of a streaming list.
    async fn read(
        &mut self,
        stream: impl Stream<Item = kube::Result<WatchEvent<S::Object>>>,
        mut listing: Option<HashSet<String>>,
        begun: Duration,
    ) -> Result<(), Failed> {
        let mut stream = pin!(stream);
        let opened = self.clock.now();
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = self.clock.sleep(QUIET) => {
                    return Err(Failed::new("the watch fell silent"));
                }
            };
            let version = match event {
                None if listing.is_some() => {
                    return Err(Failed::new("the list ended before it was complete"));
                }
                None if self.clock.now() < opened + SHORTEST_WATCH => {
                    return Err(Failed::new("the watch ended as soon as it was opened"));
                }
                None => return Ok(()),
                Some(Err(error)) => return Err(Failed::of(&error)),
                Some(Ok(WatchEvent::Error(status))) => {
                    return Err(Failed::of(&kube::Error::Api(status)));
                }
                Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    let version = object.version().to_owned();
                    if let Some(keys) = &mut listing {
                        keys.insert(object.key());
                    }
                    self.see(object);
                    version
                }
                Some(Ok(WatchEvent::Deleted(object))) => {
                    if let Some(keys) = &mut listing {
                        keys.remove(&object.key());
                    }
                    self.sink.status().read();
                    self.sink.see_gone(&object);
                    object.version().to_owned()
                }
                Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                    let version = bookmark.metadata.resource_version;
                    let ends = bookmark.metadata.annotations.contains_key(LISTED);
                    if let Some(keys) = listing.take_if(|_| ends) {
                        self.complete(&keys, version.clone(), begun);
                    }
                    version
                }
            };
            // Until the list is complete its events are in no order that a watch could go on from.
            if listing.is_none() && !version.is_empty() {
                self.version = Some(version);
            }
        }
    }

    fn see(&self, object: S::Object) {
        self.sink.status().read();
        self.sink.see(object, self.listed);
    }

    fn complete(&mut self, keys: &HashSet<String>, version: String, begun: Duration) {
        self.sink.listed(keys);
        self.listed = true;
        self.version = Some(version);
        self.sink.status().complete(begun, self.clock.now());
    }

    async fn open(
        &self,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<impl Stream<Item = kube::Result<WatchEvent<S::Object>>> + use<S>, Failed> {
        let request = request.map_err(|error| Failed::new(error.to_string()))?;
        self.in_time(self.client.request_events(request)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<T, Failed> {
        let request = request.map_err(|error| Failed::new(error.to_string()))?;
        self.in_time(self.client.request(request)).await
    }

    async fn in_time<T>(&self, answer: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
        tokio::select! {
            answer = answer => answer.map_err(|error| Failed::of(&error)),
            () = self.clock.sleep(PATIENCE) => Err(Failed::new("no answer")),
        }
    }
}
