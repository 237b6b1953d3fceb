//! When to look closer: a heartbeat that does not come as usual is awaited with samples of the cheap sources every second, so
//! that the seconds that matter are seen. Pure: moments go in.

use std::{collections::VecDeque, time::Duration};

use nodegrace_proto::v1::Sample;

use crate::{config::FineAfter, rhythm::Awaited};

/// From this multiple of the usual gap on samples are taken, and kept to themselves: most heartbeats come soon after.
const NOT_QUITE_USUAL: f64 = 1.05;
/// From this multiple on they are told, by default: from here on a gap counts as long.
const LONG: f64 = 1.5;
/// Samples kept to themselves: at 10 s between heartbeats there are five of them before they are told, at 30 s fourteen.
const RING: usize = 16;
/// Time between two samples.
const PACE: Duration = Duration::from_secs(1);
/// How long they are told at that pace. What makes a heartbeat two minutes late does not change every second.
const AT_PACE: Duration = Duration::from_secs(120);
/// Time between two samples after that.
const SLOW_PACE: Duration = Duration::from_secs(5);
/// How long they are told at all: 230 samples a gap at most. A kubelet that is silent for longer is gone for now, which the
/// samples of the usual pace show as well.
const LONGEST: Duration = Duration::from_secs(600);

/// Watches over one awaited heartbeat after the other.
#[derive(Debug)]
pub(super) struct Vigil {
    fine_after: FineAfter,
    awaited: Option<Awaited>,
    /// When the next sample is due, since boot. `None`: none is.
    due: Option<Duration>,
    /// Samples that were not told, the oldest first.
    ring: VecDeque<Sample>,
    /// True once samples of this wait were told.
    told: bool,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The heartbeat came, or can no longer be seen to come: what was kept is dropped.
    Forgotten,
    /// The heartbeat came late: one more sample is wanted now, which closes the series.
    Late,
}

impl Vigil {
    pub(super) fn new(fine_after: FineAfter) -> Self {
        Self {
            fine_after,
            awaited: None,
            due: None,
            ring: VecDeque::new(),
            told: false,
        }
    }

    /// When the next sample is due, since boot. `None`: none is.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// This is awaited from `now` on. Returns how the wait before ended, if it did.
    pub(super) fn attend(&mut self, awaited: Option<Awaited>, now: Duration) -> Option<End> {
        if self.awaited == awaited {
            return None;
        }
        let ended = if self.told && awaited.is_some() {
            End::Late
        } else {
            End::Forgotten
        };
        self.awaited = awaited;
        self.ring.clear();
        self.told = false;
        self.due = awaited.and_then(|awaited| {
            let told = self.told_from(awaited)?;
            let kept = awaited.since + awaited.usual.mul_f64(NOT_QUITE_USUAL);
            // Sight may come back long after the heartbeat was due.
            (now < told + LONGEST).then(|| kept.min(told).max(now))
        });
        Some(ended)
    }

    /// Takes the sample that was due, at `now`. Returns what is to be told: nothing yet, or it and what was kept before.
    pub(super) fn take(&mut self, sample: Sample, now: Duration) -> impl Iterator<Item = Sample> {
        let told_from = self.awaited.and_then(|awaited| self.told_from(awaited));
        let told_for = told_from.and_then(|told_from| now.checked_sub(told_from));
        let pace = match told_for {
            Some(long) if long >= LONGEST => None,
            Some(long) if long >= AT_PACE => Some(SLOW_PACE),
            _ => Some(PACE),
        };
        // A sample that came late is not made up for.
        self.due = self.due.zip(pace).map(|(due, pace)| now.max(due + pace));
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(sample);
        self.told |= told_for.is_some();
        let told = if self.told { self.ring.len() } else { 0 };
        self.ring.drain(..told)
    }

    /// From when on samples are told while this is awaited. `None`: never.
    fn told_from(&self, awaited: Awaited) -> Option<Duration> {
        match self.fine_after {
            FineAfter::Auto => Some(awaited.since + awaited.usual.mul_f64(LONG)),
            FineAfter::After(after) => Some(awaited.since + after),
            FineAfter::Off => None,
        }
    }
}
