//! What an agent could not see of a channel, as far as a chain of heartbeats must know it.

use std::time::Duration;

/// Spans of the node's time since boot in which a heartbeat may have come unseen. Several count as one that covers them all:
/// what lies between two blind spells and no heartbeat is no evidence either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blindness(Option<(Duration, Duration)>);

impl Blindness {
    /// Everything was seen.
    pub(crate) const NONE: Self = Self(None);

    /// These spans, as one that covers them all. Absent: there is none.
    pub(crate) const fn of(span: Option<(Duration, Duration)>) -> Self {
        Self(span)
    }

    /// The span that covers all. Absent: there is none.
    pub(crate) const fn span(self) -> Option<(Duration, Duration)> {
        self.0
    }

    /// Adds a span.
    pub(crate) fn add(&mut self, start: Duration, end: Duration) {
        self.0 = Some(match self.0 {
            None => (start, end),
            Some((from, to)) => (from.min(start), to.max(end)),
        });
    }

    /// True when a heartbeat may have come unseen after `after` and up to `until`.
    pub(crate) fn hides(&self, after: Duration, until: Duration) -> bool {
        self.0
            .is_some_and(|(start, end)| start < until && end > after)
    }

    /// The start of the span in which it may. Absent: none can have.
    pub(crate) fn hiding_since(&self, after: Duration, until: Duration) -> Option<Duration> {
        let (start, _) = self.0.filter(|_| self.hides(after, until))?;
        Some(start)
    }

    /// True when a heartbeat that arrived at `at` may have come after others that are not known yet.
    pub(crate) fn covers(&self, at: Duration) -> bool {
        self.0.is_some_and(|(start, end)| start < at && at < end)
    }

    /// A span that began before `end` was over then. It may have been said to last longer: that something is seen shows only some
    /// time after it is.
    pub(crate) fn settle(&mut self, end: Duration) {
        self.0 = self.0.filter(|(from, _)| *from >= end);
    }

    /// Forgets what was over by `now`: a heartbeat seen then starts anew.
    pub(crate) fn forget_until(&mut self, now: Duration) {
        if self.0.is_some_and(|(_, end)| end <= now) {
            self.0 = None;
        }
    }
}
