//! The chain of arrivals merged over both channels, in which each link is a gap as the controller sees it.

use std::time::Duration;

use crate::{
    blindness::Blindness,
    controller::{EarlierPosts, GapStart},
    doubt::{BACKLOG, Doubt},
    event::{Channel, Heartbeat},
    gap::Gap,
    snapshot::{ChainSnapshot, LastArrival},
};

/// Longest interval between heartbeats that is taken for a gap. No kubelet that lives is silent for a day: the machine was off or
/// suspended, or its clock is not to be believed, and the days would count as observed.
const LONGEST_GAP: Duration = Duration::from_secs(24 * 3600);

/// The last arrival of any channel, and whether the next is the end of a gap that starts there.
#[derive(Clone, Debug)]
pub(crate) struct GapChain {
    last: Option<LastArrival>,
    /// Arrival of the last Lease heartbeat.
    last_lease: Option<Duration>,
    /// Arrival of the last status post since then, and the posts before it. Absent: there was none.
    last_post: Option<(Duration, EarlierPosts)>,
    /// True once a heartbeat or a baseline was seen: the interval before the next one counts as unmeasured when it is no gap.
    begun: bool,
    /// True when heartbeats after `last` may be missing for good.
    broken: bool,
    blindness: Blindness,
    /// What is not seen of each channel: whether heartbeats were missed shows when it is seen again.
    unseen: [Blindness; 2],
    /// Spans whose heartbeats came late but came, once they were over.
    delayed: Blindness,
    flip_seen: bool,
}

/// What a heartbeat did to the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It began the chain: there is nothing before it.
    First,
    /// It ended a gap.
    Gap(Gap),
    /// What came before it cannot be measured; with what is known of it all the same. Absent: nothing is.
    Unmeasured(Option<Doubt>),
}

impl GapChain {
    /// A chain that has not begun.
    pub(crate) const fn new() -> Self {
        Self {
            last: None,
            last_lease: None,
            last_post: None,
            begun: false,
            broken: false,
            blindness: Blindness::NONE,
            unseen: [Blindness::NONE; 2],
            delayed: Blindness::NONE,
            flip_seen: false,
        }
    }

    pub(crate) const fn import(snapshot: &ChainSnapshot) -> Self {
        Self {
            last: snapshot.last,
            last_lease: snapshot.last_lease,
            last_post: snapshot.last_post,
            begun: snapshot.begun,
            broken: snapshot.broken,
            blindness: Blindness::of(snapshot.blindness),
            unseen: [
                Blindness::of(snapshot.unseen[0]),
                Blindness::of(snapshot.unseen[1]),
            ],
            delayed: Blindness::of(snapshot.delayed),
            flip_seen: snapshot.flip_seen,
        }
    }

    pub(crate) const fn export(&self) -> ChainSnapshot {
        ChainSnapshot {
            last: self.last,
            last_lease: self.last_lease,
            last_post: self.last_post,
            begun: self.begun,
            broken: self.broken,
            blindness: self.blindness.span(),
            unseen: [self.unseen[0].span(), self.unseen[1].span()],
            delayed: self.delayed.span(),
            flip_seen: self.flip_seen,
        }
    }

    /// Takes a heartbeat that arrived now. `has_lease` says whether the node has a Lease; `tolerance` is the most uncertainty
    /// that a gap may have (one monitor period: what the phase of the poll leaves open anyway).
    pub(crate) fn take(
        &mut self,
        heartbeat: &Heartbeat,
        has_lease: bool,
        tolerance: Duration,
    ) -> Link {
        let link = match self.last {
            Some(last) => match self.gap(&last, heartbeat) {
                Some(gap) if self.is_measured(&last, heartbeat, tolerance) => Link::Gap(gap),
                gap => Link::Unmeasured(gap.map(|gap| self.doubt(gap, &last, heartbeat))),
            },
            None if self.begun => Link::Unmeasured(None),
            None => Link::First,
        };
        self.start_at(heartbeat, has_lease);
        link
    }

    /// The interval between two heartbeats, if none is missing for good in between.
    fn gap(&self, last: &LastArrival, heartbeat: &Heartbeat) -> Option<Gap> {
        let duration = heartbeat.arrival.saturating_sub(last.at);
        let is_one = !self.broken && duration <= LONGEST_GAP;
        is_one.then(|| Gap {
            duration,
            start_time: last.time,
            end_time: heartbeat.arrival_time,
            start_channel: last.channel,
            end_channel: heartbeat.channel,
            since_lease: last.since_lease,
            earlier_posts: last.earlier_posts,
            uncertainty: last.uncertainty + heartbeat.arrival_uncertainty,
            flip_seen: self.flip_seen,
            uncounted: false,
        })
    }

    fn is_measured(&self, last: &LastArrival, next: &Heartbeat, tolerance: Duration) -> bool {
        last.uncertainty + next.arrival_uncertainty <= tolerance
            && !self.hides(last.at, next.arrival)
    }

    fn doubt(&self, gap: Gap, last: &LastArrival, next: &Heartbeat) -> Doubt {
        let earliest = next.arrival.saturating_sub(next.arrival_uncertainty);
        let delayed = self
            .delayed
            .span()
            .filter(|_| self.delayed.covers(next.arrival));
        let held_up_until = delayed.map_or(next.arrival, |(_, end)| end);
        Doubt {
            gap: Gap {
                uncertainty: last.uncertainty,
                uncounted: true,
                ..gap
            },
            start: last.at,
            end: next.arrival,
            known_since: earliest.max(last.at),
            renewals_since: None,
            unseen_since: None,
            settled_at: held_up_until + BACKLOG,
        }
    }

    /// True when a heartbeat after `after` and before `until` may not be known.
    fn hides(&self, after: Duration, until: Duration) -> bool {
        let mut missing = self.unseen.iter().chain([&self.blindness]);
        missing.any(|blindness| blindness.hides(after, until)) || self.delayed.covers(until)
    }

    /// Start of the span that hides, between `after` and `until`, heartbeats for good. Absent: none does.
    pub(crate) fn missing_since(&self, after: Duration, until: Duration) -> Option<Duration> {
        self.blindness.hiding_since(after, until)
    }

    /// The same of heartbeats of which more is known once their channel is seen again.
    pub(crate) fn unseen_since(&self, after: Duration, until: Duration) -> Option<Duration> {
        let unseen = self.unseen.iter();
        unseen
            .filter_map(|blindness| blindness.hiding_since(after, until))
            .min()
    }

    fn start_at(&mut self, heartbeat: &Heartbeat, has_lease: bool) {
        let arrival = heartbeat.arrival;
        let mut earlier_posts = EarlierPosts::none();
        let since_lease = match heartbeat.channel {
            Channel::Lease => {
                self.last_lease = Some(arrival);
                self.last_post = None;
                None
            }
            Channel::NodeStatus if has_lease => {
                if let Some((post, before)) = self.last_post {
                    earlier_posts = before.followed(arrival.saturating_sub(post));
                }
                self.last_post = Some((arrival, earlier_posts));
                let since = |lease| arrival.saturating_sub(lease);
                Some(self.last_lease.map_or(Duration::MAX, since))
            }
            Channel::NodeStatus => None,
        };
        self.last = Some(LastArrival {
            at: arrival,
            time: heartbeat.arrival_time,
            channel: heartbeat.channel,
            uncertainty: heartbeat.arrival_uncertainty,
            since_lease,
            earlier_posts,
        });
        self.begun = true;
        self.broken = false;
        self.flip_seen = false;
        self.blindness.forget_until(arrival);
        self.delayed.forget_until(arrival);
        for unseen in &mut self.unseen {
            unseen.forget_until(arrival);
        }
    }

    /// The last arrival. Absent: none was seen on this boot.
    pub(crate) const fn last(&self) -> Option<LastArrival> {
        self.last
    }

    /// A baseline was seen: an interval before the next heartbeat that is no gap is unmeasured.
    pub(crate) const fn begin(&mut self) {
        self.begun = true;
    }

    /// Heartbeats of some channel may have come unseen in this span.
    pub(crate) fn blind(&mut self, start: Duration, end: Duration) {
        self.blindness.add(start, end);
    }

    /// `channel` is not seen since `start`, as far as is known at `now`.
    pub(crate) fn unseen(&mut self, channel: Channel, start: Duration, now: Duration) {
        self.unseen[channel.index()].add(start, now);
    }

    /// What came of `channel` up to `end`, while it was not seen, is known now.
    pub(crate) fn seen_again(&mut self, channel: Channel, end: Duration) {
        self.unseen[channel.index()].settle(end);
    }

    /// Heartbeats of this span arrived at its end or later: those of the other channel that arrived within it may have come
    /// after them.
    pub(crate) fn delayed(&mut self, start: Duration, end: Duration) {
        self.delayed.add(start, end);
    }

    /// Heartbeats after the last one are missing for good.
    pub(crate) const fn break_here(&mut self) {
        self.broken = true;
    }

    /// Another boot: arrivals of the one before compare with nothing.
    pub(crate) fn forget_arrivals(&mut self) {
        *self = Self {
            begun: self.begun,
            ..Self::new()
        };
    }

    /// Ready was seen to turn Unknown.
    pub(crate) const fn see_flip(&mut self) {
        self.flip_seen = true;
    }

    /// Arrival of the last heartbeat where no later one can be missing, with the Lease's part in it. Absent: not known.
    pub(crate) fn running(&self) -> Option<Running> {
        let last = self.last.filter(|_| !self.broken)?;
        Some(Running {
            since: last.at,
            uncertainty: last.uncertainty,
            start: GapStart::after(last.since_lease, last.earlier_posts),
        })
    }
}

/// The start of the gap that runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Arrival of the last heartbeat, since boot.
    pub(crate) since: Duration,
    /// How much sooner it may have arrived.
    pub(crate) uncertainty: Duration,
    /// What the controller made of that heartbeat.
    pub(crate) start: GapStart,
}
