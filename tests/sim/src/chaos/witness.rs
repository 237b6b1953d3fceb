//! Which heartbeats an agent must have seen, told by what the driver did and what the API server answered, not by the agent.
//!
//! An object holds its last value only. So a post is *surely observable* when one of three things is known:
//!
//! - an agent's watch from an older revision was open, on a way that carried bytes, for [`SETTLE`] at least after the post
//!   while the agent lived; the server sends such a watch every change since that revision;
//! - an agent later asked to watch from the post's revision or a newer one, and the post was still the newest at that
//!   revision: the list or the event that told the agent so also told it the post;
//!
//! - an agent asked to watch from one revision and later, in the same life and without a list in between, from a newer one:
//!   only the first watch can have told it so, and that one told it every change between the two, in order.
//!
//! The second does not count for the first watch of an agent's life: what its first list finds was there before it looked,
//! and is stored as a baseline, not counted as a heartbeat. A watch from a revision that the restarted server has forgotten
//! was answered by an error and brings nothing. Every other post came while nobody watched, or was on its way when something
//! broke.

use std::time::Duration;

use nodegrace_sim_cluster::kubelet::Posted;

/// How long, in real time, a change may be on its way from the server to the agent's spool: a millisecond, but on a machine
/// that has other things to do.
pub(super) const SETTLE: Duration = Duration::from_millis(1500);

/// A span of the cluster's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its beginning.
    pub(super) from: Duration,
    /// Its end. Absent: it goes on.
    pub(super) until: Option<Duration>,
}

/// The server forgot the changes that led to this revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forgot {
    /// When.
    pub(super) at: Duration,
    /// The revision.
    pub(super) revision: u64,
}

/// The server took a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// When.
    pub(super) at: Duration,
    /// The revision after which changes are to be sent.
    pub(super) revision: u64,
    /// Whether the object was listed since the watch before.
    pub(super) listed: bool,
}

/// Everything that decides what one node's agent could see of one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Witness<'a> {
    /// [`SETTLE`] in the cluster's time.
    pub(super) settle: Duration,
    /// The agent's processes.
    pub(super) lives: &'a [Span],
    /// When agents reached the server.
    pub(super) ways: &'a [Span],
    /// What the server forgot.
    pub(super) forgot: &'a [Forgot],
    /// The watches of the channel's object, in order.
    pub(super) opened: &'a [Opened],
}

impl Span {
    /// A span that begins.
    pub(super) const fn since(from: Duration) -> Self {
        Self { from, until: None }
    }

    /// A span that begins and ends at these seconds.
    #[cfg(test)]
    pub(super) const fn between(from: u64, until: u64) -> Self {
        Self {
            from: Duration::from_secs(from),
            until: Some(Duration::from_secs(until)),
        }
    }

    /// Whether `at` lies in it.
    pub(super) fn holds(&self, at: Duration) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Ends the last of `spans`, if it goes on.
pub(super) fn end(spans: &mut [Span], at: Duration) {
    if let Some(last) = spans.last_mut() {
        last.until.get_or_insert(at);
    }
}

impl Witness<'_> {
    /// Whether the agent surely saw `posted`, one of the `all` posts of the channel, as a heartbeat.
    pub(super) fn surely_saw(&self, posted: &Posted, all: &[Posted]) -> bool {
        self.opened.iter().any(|opened| {
            let sent = self.is_answered(opened) && self.is_sent(posted, opened);
            sent || self.is_known(posted, opened, all)
        }) || self.is_passed(posted)
    }

    /// Whether the server at least began to send `posted`.
    pub(super) fn was_sent(&self, posted: &Posted, all: &[Posted]) -> bool {
        let at_once = Witness {
            settle: Duration::ZERO,
            ..*self
        };
        at_once.surely_saw(posted, all)
    }

    /// The post that the first watch of a life found, for each life that surely wrote it down: it must be stored, if only as
    /// a baseline.
    pub(super) fn baselines<'p>(&self, all: &'p [Posted]) -> impl Iterator<Item = &'p Posted> {
        let firsts = self.lives.iter().filter_map(|life| {
            let first = self.first(life)?;
            lasts(first.at + self.settle, life.until).then_some(first)
        });
        firsts.filter_map(|first| newest(all, first.revision))
    }

    /// The server sent `posted` to this watch, in time.
    fn is_sent(&self, posted: &Posted, opened: &Opened) -> bool {
        let end = |spans: &[Span]| {
            let span = spans.iter().find(|span| span.holds(opened.at))?;
            Some(span.until.unwrap_or(Duration::MAX))
        };
        let (Some(life), Some(way)) = (end(self.lives), end(self.ways)) else {
            return false;
        };
        opened.revision < posted.revision && posted.at.max(opened.at) + self.settle <= life.min(way)
    }

    /// The agent that opened this watch had seen `posted` before, and not as the first that it saw at all.
    fn is_known(&self, posted: &Posted, opened: &Opened, all: &[Posted]) -> bool {
        let Some(life) = self.lives.iter().find(|life| life.holds(opened.at)) else {
            return false;
        };
        let after_first = self
            .first(life)
            .is_some_and(|first| first.revision < posted.revision);
        after_first
            && newest(all, opened.revision).is_some_and(|newest| newest.revision == posted.revision)
            && lasts(opened.at + self.settle, life.until)
    }

    /// A watch went past `posted`: the next one of the same life went on from a newer revision, and no list said so.
    fn is_passed(&self, posted: &Posted) -> bool {
        self.opened.windows(2).any(|pair| {
            let [before, after] = pair else {
                return false;
            };
            let between = before.revision < posted.revision && posted.revision <= after.revision;
            let mut lives = self.lives.iter().filter(|life| life.holds(before.at));
            between
                && !after.listed
                && lives
                    .any(|life| life.holds(after.at) && lasts(after.at + self.settle, life.until))
        })
    }

    /// The first watch of a life.
    fn first(&self, life: &Span) -> Option<&Opened> {
        self.opened.iter().find(|opened| life.holds(opened.at))
    }

    /// Whether the server still knew what came after the watch's revision.
    fn is_answered(&self, opened: &Opened) -> bool {
        let mut before = self.forgot.iter().filter(|forgot| forgot.at <= opened.at);
        before.all(|forgot| forgot.revision <= opened.revision)
    }
}

/// Whether a span with this end reached `at`.
fn lasts(at: Duration, until: Option<Duration>) -> bool {
    until.is_none_or(|until| at <= until)
}

/// The newest of all posts at a revision.
pub(super) fn newest(all: &[Posted], revision: u64) -> Option<&Posted> {
    let known = all.partition_point(|posted| posted.revision <= revision);
    known.checked_sub(1).map(|index| &all[index])
}

#[cfg(test)]
mod tests;
