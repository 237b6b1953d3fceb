//! Watching the object: events as they happen, and what the end of a watch says.

use std::{pin::pin, time::Duration};

use futures::{Stream, StreamExt as _};
use kube::core::WatchEvent;
use nodegrace_proto::v1::BlindReason;
use tokio::time::timeout;
use tracing::debug;

use super::{Follower, Interruption, Step, refusal::Refusal};
use crate::{
    moment::Moment,
    observe::{Object as _, Observer},
};

/// How long after it was opened a watch that said nothing is believed to work. A version that is too old is answered by
/// an error within milliseconds.
const PROOF: Duration = Duration::from_secs(2);
/// How long after a spell an event may still be one that the spell held up. The server sends those at once.
const BACKLOG: Duration = Duration::from_secs(5);
/// How long a watch may say nothing at all before the object is listed to see whether the watch tells the truth: a server
/// restored from a backup leaves watches of versions it has not reached open and silent. Bookmarks come every minute, so
/// that this costs nothing on a healthy cluster.
const QUIET: Duration = Duration::from_secs(75);
/// As [`QUIET`], over HTTP/1.1, where no ping notices a server that hangs: with the request's timeout of 5 s that takes 9 s.
/// The lists cost the server one key each; an API server that speaks no HTTP/2 is a small one or has a proxy before it.
const UNPINGED_QUIET: Duration = Duration::from_secs(4);
/// How much less than its time a watch may have lasted and still be ended by the server: its time runs from the request.
const PUNCTUAL: Duration = Duration::from_secs(5);
/// How long ago the last event of a watch may be for its end to be believed: nothing can have been kept back in between.
const FRESH: Duration = Duration::from_secs(1);

/// How far an open watch is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belief {
    /// It said nothing yet, or nothing since the agent itself stood still; the server may still answer that the version is
    /// too old, or the connection that it broke.
    Opened,
    /// It lived long enough to be taken as seeing the channel, though it has said nothing.
    Assumed,
    /// It said something.
    Proven,
    /// It was silent while the object changed.
    Doubted,
    /// It stayed silent.
    Deaf,
}

impl<O: Observer> Follower<O> {
    /// Watches the object from `version` until that ends.
    pub(super) async fn watch(&mut self, mut version: String) -> Result<Step, Interruption> {
        let mut pulse = self.pulse.feel();
        let (stream, stood) = pulse.during(self.open(&version)).await;
        let opened = self.clock.now();
        if let Some(span) = stood {
            self.stood_still(self.sure, span);
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(refusal) => return Err(self.broken(refusal, Belief::Opened, version)),
        };
        self.is_answered();
        self.slowly_opened(opened);
        let mut seen_from = opened;
        let mut belief = Belief::Opened;
        let mut stream = pin!(stream);
        loop {
            let mut stall = None;
            let event = tokio::select! {
                event = stream.next() => Some(event),
                span = pulse.stall() => {
                    stall = Some(span);
                    None
                }
                judged = self.judge_silence(belief) => {
                    let judged = match judged {
                        Ok(judged) => judged,
                        Err(refusal) => return Err(self.broken(refusal, belief, version)),
                    };
                    if judged == Belief::Deaf {
                        return Err(self.broken(Refusal::deaf_watch(), judged, version));
                    }
                    if belief == Belief::Opened {
                        self.regain(seen_from, true);
                    }
                    belief = judged;
                    self.stillborn = false;
                    continue;
                }
            };
            if let Some(span) = stall.or_else(|| pulse.check()) {
                self.stood_still(span.start, span);
                // What it says next tells whether it outlived that.
                (belief, seen_from) = (Belief::Opened, span.end);
            }
            let Some(event) = event else { continue };
            let at = Moment::now(&self.clock);
            match event {
                Some(Ok(WatchEvent::Error(status))) => {
                    // A watch that spoke told everything until now. One that only seemed to live may never have begun.
                    if belief == Belief::Proven {
                        self.sure = at.monotonic;
                    }
                    return Err(self.broken(Refusal::from_status(status), belief, version));
                }
                Some(Ok(event)) => {
                    belief = Belief::Proven;
                    self.stillborn = false;
                    self.regain(seen_from, true);
                    self.sure = at.monotonic;
                    version = self.take(event, at).unwrap_or(version);
                }
                Some(Err(error)) => {
                    if belief.is_well() {
                        self.sure = self.before_silence(at);
                    }
                    return Err(self.broken(Refusal::from_error(&error), belief, version));
                }
                None if belief.is_well() && !self.ended_in_time(at, opened) => {
                    self.sure = self.before_silence(at);
                    return Err(self.broken(Refusal::early_end(), belief, version));
                }
                None if belief.is_well() => {
                    debug!(channel = self.channel(), "watch ended, opening it again");
                    self.sure = at.monotonic;
                    return Ok(Step::Watch(version));
                }
                None => {
                    let again = std::mem::replace(&mut self.stillborn, true);
                    return Err(self.broken(Refusal::stillborn_watch(again), belief, version));
                }
            }
        }
    }

    async fn open(
        &self,
        version: &str,
    ) -> Result<impl Stream<Item = kube::Result<WatchEvent<O::Object>>> + use<O>, Refusal> {
        let request = self.target.watch(version)?;
        match timeout(
            self.timeouts.request,
            self.line.client.request_events(request),
        )
        .await
        {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.refusal(&error)),
            Err(_) => Err(Refusal::silence(self.timeouts.request)),
        }
    }

    fn broken(&self, refusal: Refusal, belief: Belief, version: String) -> Interruption {
        Interruption {
            next: if refusal.needs_list() {
                Step::List
            } else {
                Step::Watch(version)
            },
            retry_after: refusal.retry_after,
            trouble: refusal.trouble,
            since: self.sure,
            worked: belief.is_well(),
        }
    }

    /// Whether a watch that ended without an error did so because its time was up, or told all it had just before. Otherwise
    /// it was cut off: a TLS connection that is closed without a goodbye ends like that too, and what was sent may be lost.
    fn ended_in_time(&self, at: Moment, opened: Duration) -> bool {
        at.monotonic >= opened + self.target.watch_time() - PUNCTUAL
            || at.monotonic <= self.sure + FRESH
    }

    /// Takes an event. Returns the version from which to watch on.
    fn take(&mut self, event: WatchEvent<O::Object>, at: Moment) -> Option<String> {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                let blind = self
                    .spell
                    .filter(|spell| at.monotonic < spell.end + BACKLOG);
                let _: Option<Duration> = self.look(&object, at, false, blind);
                let version = object.metadata().resource_version.clone();
                let appeared = self.seen.replace(version.clone()).is_none();
                if appeared {
                    self.show();
                }
                Some(version)
            }
            WatchEvent::Deleted(object) => {
                self.seen = None;
                self.missing();
                self.show();
                Some(object.metadata().resource_version.clone())
            }
            WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version),
            WatchEvent::Error(_) => None,
        }
    }

    /// Waits until silence means something, and what it then means. An error: the server does not answer at all.
    async fn judge_silence(&self, belief: Belief) -> Result<Belief, Refusal> {
        let patience = match belief {
            _ if !belief.is_well() => PROOF,
            _ if self.line.is_pinged() => QUIET,
            _ => UNPINGED_QUIET,
        };
        self.clock.sleep(patience).await;
        Ok(match belief {
            Belief::Opened => Belief::Assumed,
            Belief::Assumed | Belief::Proven if self.changed_unseen().await? => Belief::Doubted,
            Belief::Assumed | Belief::Proven => belief,
            Belief::Doubted | Belief::Deaf => Belief::Deaf,
        })
    }

    /// Whether the object was written since it was last seen. False when the server does not tell; an error when it does not
    /// answer: one that hangs, or that hangs behind a proxy which answers the pings, says nothing on its watches either.
    async fn changed_unseen(&self) -> Result<bool, Refusal> {
        let list = match self.fetch().await {
            Ok(list) => list,
            Err(refusal) if refusal.trouble.reason == BlindReason::Connection => {
                return Err(refusal);
            }
            Err(_) => return Ok(false),
        };
        let object = list.named(&self.target.name);
        Ok(object.map(|object| object.metadata().resource_version.clone()) != self.seen)
    }
}

impl Belief {
    /// Whether the watch is taken as seeing the channel.
    fn is_well(self) -> bool {
        matches!(self, Self::Assumed | Self::Proven)
    }
}
