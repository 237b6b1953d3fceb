//! Polling the object, where it may be got and not watched: the own Lease of an agent that reads the API server as its node.
//!
//! A poll tells that the object changed since the poll before. The heartbeat arrived in between, and no earlier than its stamp:
//! that much of its arrival is uncertain, and is told so. Its period is as exact as ever, for that is between stamps. A kubelet
//! renews no faster than it is polled, so that none is overlooked; where polls were further apart, a failed one, a server that
//! did not answer or an agent that stood still, that is a blind spell like any other.

use std::time::Duration;

use kube::api::GetParams;
use tokio::time::timeout;

use super::{Follower, Interruption, Step, refusal::Refusal};
use crate::{
    moment::Moment,
    observe::{Object, Observer, Span},
};

/// Between two polls while the next heartbeat is not due yet: one that comes early, from a kubelet that was restarted, is
/// uncertain by no more than that.
const AHEAD: Duration = Duration::from_secs(2);
/// Between two polls from when it is due until it came: no gap is uncertain by more than twice that.
const DUE: Duration = Duration::from_secs(1);
/// How long before it is due the polls become as frequent.
const LEAD: Duration = Duration::from_millis(500);
/// How late it must be for the polls to become rare again: longer than any grace period that is worth a thought.
const LATE: Duration = Duration::from_secs(120);
/// How late it must be for the API server's cache not to be taken at its word any more, and how often its storage is asked then.
const DOUBT: Duration = Duration::from_secs(5);
/// Share by which each pause is shorter or longer, so that a cluster's agents do not ask in step.
const JITTER: f64 = 0.1;
/// Period of a heartbeat that nothing is told of: the kubelet's default.
const USUAL: Duration = Duration::from_secs(10);

/// What the pace of the polls depends on.
#[derive(Debug)]
pub(super) struct Polls {
    /// When the last change may have come at the earliest, since boot.
    changed: Duration,
    /// How long after that the next is due.
    every: Duration,
    /// Last moment of which the server's storage, and not its cache alone, told that nothing had changed.
    confirmed: Duration,
}

impl Polls {
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            changed: now,
            every: USUAL,
            confirmed: now,
        }
    }

    /// How long to wait before the next poll.
    fn pause(&self, now: Duration) -> Duration {
        let due = self.changed + self.every;
        let pause = if now + AHEAD + LEAD <= due || now >= due + LATE {
            AHEAD
        } else {
            DUE
        };
        pause.mul_f64(rand::random_range(1.0 - JITTER..1.0 + JITTER))
    }

    /// Whether the cache may answer: it is behind the storage by no more than a watch is, which is fed from it, and costs the
    /// storage nothing. It may also have lost touch.
    fn trusts_cache(&self, now: Duration) -> bool {
        now < self.changed.max(self.confirmed) + self.every + DOUBT
    }

    /// Whether an arrival that is uncertain by this is seen as well as polls can see it.
    pub(super) fn see(uncertainty: Duration) -> bool {
        uncertainty <= AHEAD.mul_f64(1.0 + 2.0 * JITTER)
    }
}

impl<O: Observer> Follower<O> {
    /// Polls the object until that fails.
    pub(super) async fn poll(&mut self) -> Result<Step, Interruption> {
        let mut pulse = self.pulse.feel();
        let mut worked = false;
        // Whatever ended the last row of polls, the storage knows what has become of the object.
        let mut cached = false;
        loop {
            let asked = self.clock.now();
            let known = self.seen.clone().filter(|_| cached);
            let from_cache = known.is_some();
            let (answer, stood) = pulse.during(self.get(known)).await;
            if let Some(span) = stood {
                self.stood_still(self.sure, span);
            }
            match answer {
                Ok(object) => self.take_polled(object, asked, from_cache),
                Err(refusal) => return self.unpolled(refusal, worked).await,
            }
            worked = true;
            let pause = self.polls.pause(self.clock.now());
            let ((), stood) = pulse.during(self.clock.sleep(pause)).await;
            if let Some(span) = stood {
                self.stood_still(self.sure, span);
            }
            cached = self.polls.trusts_cache(self.clock.now());
        }
    }

    /// Gets the object as it is now, or from a cache that is no older than the version `known`. None: there is none.
    async fn get(&self, known: Option<String>) -> Result<Option<O::Object>, Refusal> {
        let request = self.target.get(&GetParams {
            resource_version: known,
        })?;
        match timeout(self.timeouts.request, self.line.client.request(request)).await {
            Ok(Ok(object)) => Ok(Some(object)),
            Ok(Err(error)) if self.target.is_missing(&error) => Ok(None),
            Ok(Err(error)) => Err(self.refusal(&error)),
            Err(_) => Err(Refusal::silence(self.timeouts.request)),
        }
    }

    /// Takes what a poll found that was sent at `asked`.
    fn take_polled(&mut self, object: Option<O::Object>, asked: Duration, from_cache: bool) {
        let at = Moment::now(&self.clock);
        let version = object
            .as_ref()
            .map(|object| object.metadata().resource_version.clone());
        let baseline = !self.looked;
        let unchanged = !baseline && version == self.seen;
        let appeared = self.seen.is_some() != version.is_some();
        let was_blind = self.outlook.is_blind();
        self.not_found = 0;
        self.looked = true;
        self.seen = version;
        self.is_answered();
        self.regain(at.monotonic, unchanged);

        let unseen = Span {
            start: if from_cache {
                self.sure
            } else {
                self.polls.confirmed
            },
            end: at.monotonic,
        };
        match object {
            _ if unchanged => {}
            Some(object) => {
                let blind = if was_blind { self.spell } else { Some(unseen) };
                let beat = self.look(&object, at, baseline, blind.filter(|_| !baseline));
                self.polls.every = object.beats_every().unwrap_or(USUAL);
                self.polls.changed = match beat {
                    // It came some time before: the next may be due at any moment.
                    Some(found) if baseline => found.saturating_sub(self.polls.every),
                    Some(earliest) => earliest,
                    // A write that is no heartbeat leaves the next one due when it was.
                    None => self.polls.changed,
                };
            }
            None => self.missing(),
        }
        if baseline || appeared {
            self.show();
        }
        self.sure = asked;
        self.looked_at = at;
        self.polls.confirmed = match (from_cache, unchanged) {
            (false, _) => asked,
            (true, true) => self.polls.confirmed,
            // What is new in the cache was new in the storage.
            (true, false) => unseen.start,
        };
    }

    /// A poll failed.
    async fn unpolled(&mut self, refusal: Refusal, worked: bool) -> Result<Step, Interruption> {
        if self.lacks_api(refusal.not_found) {
            self.no_such_api(refusal.trouble.message).await;
            return Ok(Step::Poll);
        }
        Err(Interruption {
            trouble: refusal.trouble,
            since: self.sure,
            retry_after: refusal.retry_after,
            worked,
            next: Step::Poll,
        })
    }
}
