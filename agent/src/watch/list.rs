//! Listing the object: where every watch starts, and what tells afterwards whether anything was missed.

use std::time::Duration;

use nodegrace_proto::v1::BlindReason;
use tokio::time::timeout;
use tracing::{info, warn};

use super::{Follower, Interruption, Step, refusal::Refusal};
use crate::{
    moment::Moment,
    observe::{List, Object as _, Observer, Trouble},
};

/// How often a cluster without the API is asked whether it has it now.
const ABSENT_RECHECK: Duration = Duration::from_secs(60);
/// How many times in a row the server must say that it has no such API: one such answer may be that of a proxy which does
/// not know the server yet. With the pauses between them that takes three seconds at least.
const NOT_FOUND: u32 = 6;

impl<O: Observer> Follower<O> {
    /// Lists the object and takes what was found.
    pub(super) async fn list(&mut self) -> Result<Step, Interruption> {
        let interruption = |trouble, since| Interruption {
            trouble,
            since,
            retry_after: Duration::ZERO,
            worked: false,
            next: Step::List,
        };
        let answer = self.fetch().await;
        let not_found = matches!(&answer, Err(refusal) if refusal.not_found);
        let lacks_api = self.lacks_api(not_found);
        let list = match answer {
            Ok(list) => list,
            Err(refusal) if lacks_api => {
                self.no_such_api(refusal.trouble.message).await;
                return Ok(Step::List);
            }
            Err(refusal) => {
                return Err(Interruption {
                    retry_after: refusal.retry_after,
                    ..interruption(refusal.trouble, self.sure)
                });
            }
        };
        let at = Moment::now(&self.clock);
        let version = list.resource_version().to_owned();
        if version.is_empty() {
            let trouble = Trouble {
                reason: BlindReason::ServerError,
                message: "the list carries no resourceVersion".into(),
            };
            return Err(interruption(trouble, self.sure));
        }
        self.is_answered();
        self.found(list.named(&self.target.name), at);
        Ok(Step::Watch(version))
    }

    /// Asks for the newest list (no resourceVersion): with a name it costs the server one key, and what an older list lacks
    /// would look like a heartbeat later.
    pub(super) async fn fetch(&self) -> Result<List<O::Object>, Refusal> {
        let request = self.target.list()?;
        match timeout(self.timeouts.request, self.line.client.request(request)).await {
            Ok(answer) => answer.map_err(|error| self.refusal(&error)),
            Err(_) => Err(Refusal::silence(self.timeouts.request)),
        }
    }

    /// Takes what a list found, for the first time or at the end of a spell.
    fn found(&mut self, object: Option<O::Object>, at: Moment) {
        let version = object
            .as_ref()
            .map(|object| object.metadata().resource_version.clone());
        // The version changes with every write: where it did not, nothing was missed.
        let unchanged = self.looked && version.is_some() && version == self.seen;
        let baseline = !self.looked;
        self.looked = true;
        self.sure = at.monotonic;
        self.seen = version;
        self.regain(at.monotonic, unchanged);
        match object {
            Some(_) if unchanged => {}
            Some(object) => {
                let blind = self.spell.filter(|_| !baseline);
                let _: Option<Duration> = self.look(&object, at, baseline, blind);
            }
            None => self.missing(),
        }
        self.show();
    }

    /// Takes that there is no such object, until a watch shows one.
    pub(super) fn missing(&mut self) {
        let (kind, name) = (self.target.kind, &self.target.name);
        warn!(
            channel = self.channel(),
            kind, name, "there is no such object, waiting for it"
        );
        self.journal.learn(self.observer.gone());
    }

    /// Whether the cluster does not have the API at all, now that it said once more (`not_found`) that it has not, or did not.
    pub(super) fn lacks_api(&mut self, not_found: bool) -> bool {
        self.not_found = if not_found {
            self.not_found.saturating_add(1)
        } else {
            0
        };
        self.target.optional && self.not_found >= NOT_FOUND
    }

    /// Waits on a cluster that does not have the API at all.
    pub(super) async fn no_such_api(&mut self, message: String) {
        self.seen = None;
        self.looked = false;
        self.regain(self.clock.now(), false);
        if !self.outlook.is_absent() {
            info!(
                channel = self.channel(),
                message, "the cluster does not serve this channel"
            );
        }
        self.outlook.absent(message);
        self.tell_view();
        self.clock.sleep(ABSENT_RECHECK).await;
        self.sure = self.clock.now();
    }
}
