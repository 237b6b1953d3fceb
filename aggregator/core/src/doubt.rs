//! A late interval whose length is not known well enough to be counted: how short it may have been, until nothing more can be
//! learned of it.

use std::time::Duration;

use crate::gap::Gap;

/// How long after an agent sees a channel again heartbeats may still come that its blindness had held up. The API server sends
/// them at once; agents take what comes within five seconds for held up.
pub(crate) const BACKLOG: Duration = Duration::from_secs(5);

/// A late interval in doubt: at its longest it runs from the arrival of one heartbeat to that of the next one known, and in between
/// others may have come unseen, or that one have come earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// It at its longest. Its uncertainty is that of its start, until the end is settled.
    pub gap: Gap,
    /// Arrival of the heartbeat before it, since boot.
    pub start: Duration,
    /// Arrival of the one that ended it, since boot.
    pub end: Duration,
    /// The earliest moment at which one of the heartbeats that are known may have come.
    pub known_since: Duration,
    /// From when on a renewal of the Lease may have come unseen, unless the kubelet counted none. Absent: none can have.
    pub renewals_since: Option<Duration>,
    /// From when on others may have come unseen. Absent: none can have.
    pub unseen_since: Option<Duration>,
    /// When everything that the agent's blindness held up has come, since boot.
    pub settled_at: Duration,
}

impl Doubt {
    /// A heartbeat that came later may have come at `earliest` already.
    pub(crate) fn may_have_come(&mut self, earliest: Duration) {
        self.known_since = self.known_since.min(earliest.max(self.start));
    }

    /// A channel was seen again at `end`: what was held up of it comes then.
    pub(crate) fn await_backlog(&mut self, end: Duration) {
        self.settled_at = self.settled_at.max(end + BACKLOG);
    }

    /// Heartbeats may have come unseen from `since` on.
    pub(crate) fn may_hide(&mut self, since: Duration) {
        if since < self.end {
            self.unseen_since = Some(self.unseen_since.map_or(since, |known| known.min(since)));
        }
    }

    /// The gap with all that is uncertain of it: heartbeats of a channel that is still not seen may have come from `unseen` on.
    pub(crate) fn gap(&self, unseen: Option<Duration>) -> Gap {
        let hidden = [self.renewals_since, self.unseen_since, unseen];
        let earliest = hidden
            .into_iter()
            .flatten()
            .fold(self.known_since, Duration::min);
        let mut gap = self.gap;
        gap.uncertainty += self.end.saturating_sub(earliest.max(self.start));
        gap
    }
}
