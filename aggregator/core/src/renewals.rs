//! Renewals of the Lease as the kubelet counts them itself: where an agent was blind and found a newer Lease afterwards, that
//! count tells whether others came in between.

use std::time::Duration;

/// That a renewal succeeded reaches its kubelet and whoever watches the Lease at about the same time.
const ABOUT: Duration = Duration::from_millis(250);
/// Renewals remembered since the first reading: a hundred are a quarter of an hour, and more can be proven of no longer one.
const MOST: usize = 100;

/// The kubelet's own count of its renewals at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// When it was asked for, since boot.
    pub asked: Duration,
    /// When it was answered, since boot: it was counted in between.
    pub answered: Duration,
    /// Renewals that succeeded since the kubelet's start.
    pub renewals: u64,
}

/// What the kubelet counted, and what was seen, since the last heartbeat that leaves no doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewals {
    /// The last count before that heartbeat. Absent: the kubelet did not tell, or is another one since.
    pub first: Option<Count>,
    /// The latest count. Absent like the first.
    pub latest: Option<Count>,
    /// The renewals seen since the first count: when they may have come at the earliest, and when they were seen.
    pub seen: Vec<(Duration, Duration)>,
}

impl Renewals {
    /// The kubelet told its count.
    pub(crate) fn count(&mut self, count: Count) {
        let falls = |known: Count| count.renewals < known.renewals;
        if self.latest.is_some_and(falls) {
            self.forget();
        }
        self.latest = Some(count);
    }

    /// The kubelet is another one: its count starts anew.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A renewal was seen at `at` that came at `earliest` at the earliest. `settled`: what was before it is of no interest any more.
    pub(crate) fn see(&mut self, earliest: Duration, at: Duration, settled: bool) {
        if settled {
            self.first = self.latest;
            let since = self.first.map_or(at, |first| first.asked);
            self.seen.retain(|(_, seen)| *seen > since);
        }
        if self.seen.len() < MOST {
            self.seen.push((earliest, at));
        }
    }

    /// Whether the kubelet counted no other renewals than were seen, from before `since` until after `until`. It counts by the
    /// answers: of one that got through while its answer was lost it knows nothing. It repeats that one after its timeout of 10 s,
    /// five times at most, so that the end of what is proven may be off by as much where answers alone are lost.
    pub(crate) fn are_all_seen(&self, since: Duration, until: Duration) -> bool {
        let Some((first, latest)) = self.first.zip(self.latest) else {
            return false;
        };
        let (from, to) = (first.answered, latest.asked);
        let between =
            |(earliest, at): &&(Duration, Duration)| *earliest > from + ABOUT && *at + ABOUT < to;
        let seen = self.seen.iter().filter(between).count() as u64;
        from <= since && until < to && latest.renewals.saturating_sub(first.renewals) <= seen
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<(Duration, Duration)>()
    }
}
