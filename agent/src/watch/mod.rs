//! Follows one object of the API server, the node's own Node or Lease, and writes down what it says and when it could not be
//! seen.
//!
//! List, then watch from the list's version, then from the version of the last event: as long as that works, every change is
//! seen. kube-runtime's watcher does the same, but it neither tells when a watch was opened again nor shows bookmarks, and
//! blindness cannot be measured without both. What may not be watched is polled.

mod fellows;
mod line;
mod list;
mod poll;
mod pulse;
mod refusal;
mod sight;
mod stream;
mod target;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_kube::Pauses;
use nodegrace_proto::v1::BlindReason;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::fellows::Fellows;
pub(crate) use self::pulse::Heart;
pub(crate) use self::target::Target;
use self::{line::Line, poll::Polls, pulse::Pulse, refusal::Refusal};
use crate::{
    config::Timeouts,
    journal::Journal,
    moment::Moment,
    observe::{Glance, Observation, Observer, Outlook, Span, Trouble},
    rhythm::Rhythm,
};

/// First pause after a failure: blindness costs data, so the first attempts come fast.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause: thousands of agents that lost the same API server ask it a thousand times a second at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Follows one object for as long as the agent runs.
pub(crate) struct Follower<O: Observer> {
    line: Line,
    target: Target,
    observer: O,
    clock: Clock,
    journal: Arc<Journal>,
    timeouts: Timeouts,
    rhythm: watch::Sender<Rhythm>,
    fellows: Fellows,
    pulse: Pulse,
    outlook: Outlook,
    /// Version of the object last seen. `None`: there was none.
    seen: Option<String>,
    /// False until a list answered: what that one finds was there before the agent looked.
    looked: bool,
    /// How many times in a row the server said that it has no such API.
    not_found: u32,
    /// The last watch ended before it said anything.
    stillborn: bool,
    /// Last moment at which the channel was surely seen.
    sure: Duration,
    /// The last blind spell.
    spell: Option<Span>,
    /// When the object was looked at last, but for what a spell had held up.
    looked_at: Moment,
    /// Where it begins: with a list, or with a poll.
    first: Step,
    polls: Polls,
    /// The API server is read as the node itself.
    impersonates: bool,
}

/// What to do next.
#[derive(Clone)]
enum Step {
    /// List the object.
    List,
    /// Watch it from this version.
    Watch(String),
    /// Poll it.
    Poll,
}

/// Why a step failed.
struct Interruption {
    trouble: Trouble,
    /// Last moment at which the channel was surely seen.
    since: Duration,
    /// How long the server wants to be left alone.
    retry_after: Duration,
    /// True when the step had worked before it failed.
    worked: bool,
    next: Step,
}

impl<O: Observer> Follower<O> {
    /// `pulse` is that of a [`Heart`] which beats as long as this follows, by the same clock.
    pub(crate) fn new(
        client: kube::Client,
        target: Target,
        observer: O,
        pulse: Pulse,
        journal: Arc<Journal>,
        timeouts: Timeouts,
        rhythm: watch::Sender<Rhythm>,
    ) -> Self {
        let clock = pulse.clock();
        Self {
            outlook: Outlook::new(observer.channel()),
            sure: clock.now(),
            line: Line::new(client),
            target,
            observer,
            journal,
            timeouts,
            rhythm,
            fellows: Fellows::new(),
            pulse,
            seen: None,
            looked: false,
            not_found: 0,
            stillborn: false,
            spell: None,
            looked_at: Moment::now(&clock),
            first: Step::List,
            polls: Polls::new(clock.now()),
            impersonates: false,
            clock,
        }
    }

    /// Lets it hear of the API server from the agent's other watches, and tell them.
    pub(crate) fn beside(mut self, fellows: &Fellows) -> Self {
        self.fellows = fellows.clone();
        self
    }

    /// Polls the object, which may be got and not watched.
    pub(crate) fn polling(mut self) -> Self {
        self.first = Step::Poll;
        self
    }

    /// Knows that the API server is read as the node itself, so that it can say what that takes.
    pub(crate) fn impersonating(mut self) -> Self {
        self.impersonates = true;
        self
    }

    /// Follows the object until `shutdown`.
    pub(crate) async fn follow(mut self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.step_by_step()).await;
    }

    async fn step_by_step(&mut self) -> Infallible {
        let mut pauses = Pauses::between(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut step = self.first.clone();
        // Another watch ends one pause of a row, not each: two that get an answer and no more would chase each other.
        let mut woken = false;
        loop {
            // A list that works proves little: only a watch that does is the end of the trouble, or a poll.
            let (done, watched) = match step {
                Step::List => (self.list().await, false),
                Step::Watch(version) => (self.watch(version).await, true),
                Step::Poll => (self.poll().await, true),
            };
            let worked = watched && done.as_ref().map_or_else(|failed| failed.worked, |_| true);
            if worked {
                pauses.reset();
                woken = false;
            }
            step = match done {
                Ok(next) => next,
                Err(Interruption {
                    trouble,
                    since,
                    retry_after,
                    next,
                    ..
                }) => {
                    // An expired version needs another list, not patience; unless that did not help the last time.
                    let at_once = trouble.reason == BlindReason::Expired && pauses.is_fresh();
                    // Not all of a cluster's agents come back at the second that the server named.
                    let pause = pauses.next() + retry_after;
                    let may_wake = trouble.reason == BlindReason::Connection && !woken;
                    self.lose(since, trouble);
                    if !at_once {
                        tokio::select! {
                            () = self.clock.sleep(pause) => {}
                            () = self.fellows.told(), if may_wake => woken = true,
                        }
                    }
                    next
                }
            };
        }
    }

    /// Looks at an object that reached the agent at `at`, or perhaps before, during the spell `blind`. Returns when the
    /// heartbeat that it carries came at the earliest, since boot. None: it carries none.
    fn look(
        &mut self,
        object: &O::Object,
        at: Moment,
        baseline: bool,
        blind: Option<Span>,
    ) -> Option<Duration> {
        let glance = Glance {
            at,
            baseline,
            blind,
            stepped: at.stepped_since(&self.looked_at),
        };
        if blind.is_none() {
            self.looked_at = at;
        }
        let learned = self.observer.observe(object, glance);
        let mut earliest = None;
        for one in &learned {
            if let Observation::Heartbeat(heartbeat) = one {
                let uncertain = heartbeat.arrival_uncertainty;
                let uncertain = uncertain.and_then(|uncertain| Duration::try_from(uncertain).ok());
                earliest = Some(at.monotonic.saturating_sub(uncertain.unwrap_or_default()));
                let is_seen = |uncertain| matches!(self.first, Step::Poll) && Polls::see(uncertain);
                let exactly = !heartbeat.baseline && uncertain.is_none_or(is_seen);
                let mut gap = None;
                self.rhythm
                    .send_modify(|rhythm| gap = rhythm.beat(at.monotonic, exactly));
                if !heartbeat.baseline {
                    self.journal.tally().gap(gap);
                }
            }
        }
        self.journal.learn(learned);
        earliest
    }

    /// Why a request failed, with what it takes where the API server refuses what is asked as the own node.
    fn refusal(&self, error: &kube::Error) -> Refusal {
        let mut refusal = Refusal::from_error(error);
        if matches!(error, kube::Error::Api(_)) {
            refusal = refusal.at_earliest_after(self.line.retry_after());
        }
        if self.impersonates {
            return refusal.of_own_node(error);
        }
        refusal
    }

    /// Tells what is seen of the channel now.
    fn tell_view(&self) {
        let view = self.outlook.view();
        let (channel, visibility) = (view.channel(), view.visibility());
        let held_up = view.reason() == BlindReason::AgentStalled;
        self.rhythm.send_if_modified(|rhythm| {
            if held_up {
                rhythm.stand_still();
                return false;
            }
            rhythm.see(channel, visibility)
        });
        self.journal.view(view);
    }

    fn channel(&self) -> &'static str {
        self.observer.channel().as_str_name()
    }
}
