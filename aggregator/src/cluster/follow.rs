//! Following all objects of a kind: list, then watch from there, then from the last event, and list again only when that fails.
//!
//! A streaming list is asked for first: the server sends objects one by one, and neither side holds them all at once. A server
//! that has none says so, and is asked page by page for a while.

mod failed;

use std::{collections::HashSet, convert::Infallible, pin::pin, time::Duration};

use futures::{Stream, StreamExt as _};
use http::Request;
use kube::core::WatchEvent;
use nodegrace_clock::Clock;
use nodegrace_kube::Pauses;
use serde::de::DeserializeOwned;

use self::failed::Failed;
use super::{
    Sink,
    object::{Object, Page},
    target,
};

/// First pause after a failure, and the longest: a cluster has a few aggregators, and each costs a list of everything. A server that has
/// too much to do asks for a second at least, in a header that the client does not hand on.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Pause once the server has said for as long that it does not permit it. Until then it may only have begun to run: it refuses
/// everybody while it has not read yet who may do what.
const UNTIL_PERMITTED: Duration = Duration::from_secs(60);
/// Longest wait for the head of an answer, or for a page.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an open watch may say nothing: bookmarks come every minute, so that more than two are missing.
const QUIET: Duration = Duration::from_secs(150);
/// A watch that was opened goes on when the server says so, or has refused nothing for so long: what it refuses it refuses at once, as
/// an event of a stream that seems to be one, and what was missed it sends at once.
const PROOF: Duration = Duration::from_secs(1);
/// A watch that ends sooner than this was cut off: opened again without a pause it would be cut off again.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);
/// A watch that went on for so long is well: what breaks after it is a new trouble. Until then pauses between lists grow, whatever
/// was read of them: a list of everything that is broken off each time costs the server as much as a whole one.
const STEADY: Duration = LONGEST_PAUSE;
/// Failures in a row, without any event between them, after which a version is not believed to lead anywhere.
const MOST_FAILURES: u32 = 5;
/// How long a server that refused a streaming list is asked page by page. It may have been a passing fault, or the server of before
/// an upgrade.
const PAGES_FOR: Duration = Duration::from_secs(600);
/// The annotation of the bookmark that ends a streaming list.
const LISTED: &str = "k8s.io/initial-events-end";

/// Follows one kind.
pub(super) struct Follower<S> {
    client: kube::Client,
    clock: Clock,
    sink: S,
    /// When a streaming list is asked for again, after one was refused.
    streaming_from: Duration,
    /// Version from which a watch goes on. Absent: everything is to be listed.
    version: Option<String>,
    /// True once everything was listed: what differs then came about since.
    listed: bool,
    /// When the server said something last that shows that nothing before is missing.
    heard: Duration,
    /// Since when the watch that is open goes on. Absent: none is.
    open_since: Option<Duration>,
    /// Failures since anything was read of a watch.
    failures: u32,
    /// Whether anything was read of the last watch, beyond the list that it may have begun with.
    has_read: bool,
    /// Since when the server says that it does not permit it. Absent: it does not say so.
    forbidden_since: Option<Duration>,
}

impl<S: Sink> Follower<S> {
    pub(super) const fn new(client: kube::Client, clock: Clock, sink: S) -> Self {
        Self {
            client,
            clock,
            sink,
            streaming_from: Duration::ZERO,
            version: None,
            listed: false,
            heard: Duration::ZERO,
            open_since: None,
            failures: 0,
            has_read: false,
            forbidden_since: None,
        }
    }

    pub(super) async fn follow(mut self) -> Infallible {
        let mut pauses = Pauses::between(SHORTEST_PAUSE, LONGEST_PAUSE);
        let begun = self.clock.now();
        self.heard = begun;
        loop {
            let Err(failed) = self.step(begun).await else {
                continue;
            };
            let now = self.clock.now();
            let opened = self.open_since.take();
            let is_steady = opened.is_some_and(|opened| now >= opened + STEADY);
            if failed.expired || self.failures >= MOST_FAILURES {
                self.version = None;
            }
            // To go on from a version costs the server little.
            let goes_on = self.version.is_some() && std::mem::take(&mut self.has_read);
            if is_steady || goes_on {
                pauses.reset();
            }
            self.failures += 1;
            self.sink.status().fail(&failed.words, now);
            self.sink.breaks(now.saturating_sub(self.heard));
            let (kind, reason) = (S::Object::KIND, failed.words);
            if failed.forbidden {
                // Nothing to be done here, and no fault: it may be permitted some day. Where it was before, it may be at once.
                if self.forbidden_since.is_none() {
                    tracing::info!(kind, reason, "the API server does not permit the watch");
                }
                let since = *self.forbidden_since.get_or_insert(now);
                let pause = if self.listed || now < since + UNTIL_PERMITTED {
                    pauses.next()
                } else {
                    UNTIL_PERMITTED
                };
                self.clock.sleep(pause).await;
            } else {
                self.forbidden_since = None;
                tracing::warn!(kind, reason, "watch broke");
                self.clock.sleep(pauses.next()).await;
            }
        }
    }

    /// Lists or watches until that ends.
    async fn step(&mut self, begun: Duration) -> Result<(), Failed> {
        if let Some(version) = self.version.clone() {
            let stream = self.open(target::watch::<S::Object>(&version)).await?;
            self.open_since = Some(self.clock.now());
            return self.read(stream, None, begun).await;
        }
        let now = self.clock.now();
        if now >= self.streaming_from {
            match self.list_streaming(begun).await {
                Err(failed) if failed.refused && self.version.is_none() => {
                    tracing::info!(
                        kind = S::Object::KIND,
                        reason = failed.words,
                        "no streaming lists, asking page by page"
                    );
                    self.streaming_from = now + PAGES_FOR;
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
        // A list proves itself by its end.
        let mut goes_on = listing.is_some();
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = self.clock.sleep(PROOF), if !goes_on => {
                    goes_on = true;
                    self.go_on();
                    continue;
                }
                () = self.clock.sleep(QUIET) => {
                    return Err(Failed::new("the watch fell silent"));
                }
            };
            let is_bookmark = matches!(event, Some(Ok(WatchEvent::Bookmark(_))));
            let was_listing = listing.is_some();
            let version = match event {
                None if listing.is_some() => {
                    return Err(Failed::new("the list ended before it was complete"));
                }
                None if self.clock.now() < opened + SHORTEST_WATCH => {
                    return Err(Failed::new("the watch ended as soon as it was opened"));
                }
                None => {
                    self.heard = self.clock.now();
                    return Ok(());
                }
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
            if !was_listing {
                self.failures = 0;
                self.has_read = true;
                let now = self.clock.now();
                self.heard = now;
                if !goes_on && (is_bookmark || now >= opened + PROOF) {
                    goes_on = true;
                    self.go_on();
                }
            }
        }
    }

    /// The watch goes on where it broke.
    fn go_on(&mut self) {
        self.heard = self.clock.now();
        self.forbidden_since = None;
        self.sink.status().resume(self.heard);
        self.sink.goes_on();
    }

    fn see(&self, object: S::Object) {
        self.sink.status().read();
        self.sink.see(object, self.listed);
    }

    fn complete(&mut self, keys: &HashSet<String>, version: String, begun: Duration) {
        self.sink.listed(keys);
        self.listed = true;
        self.version = Some(version);
        self.failures = 0;
        self.heard = self.clock.now();
        self.forbidden_since = None;
        self.sink.status().complete(begun, self.heard);
        self.sink.goes_on();
        // Of a streaming list: what comes next are changes.
        self.open_since = Some(self.heard);
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
