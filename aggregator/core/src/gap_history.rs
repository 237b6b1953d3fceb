//! All gaps of a node: the long ones exactly, the others as a sketch.
//!
//! What-if is a replay over the exact gaps; the sketch serves the quantiles, and grace periods below everything kept exactly.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use crate::{
    controller::{ControllerSettings, GapStart},
    gap::Gap,
    sketch::Sketch,
    snapshot::GapsSnapshot,
};

/// Gaps kept that no figure counts, the oldest dropped first: a node has them when its whole network or the API server was gone.
const UNCOUNTED_KEPT: usize = 16;

/// How many gaps are kept exactly, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapBounds {
    /// Gaps longer than this are kept exactly.
    pub exact_above: Duration,
    /// Most gaps kept exactly for one node; beyond it the shortest goes first, into the sketch.
    pub most: usize,
}

impl Default for GapBounds {
    /// Longer than 15 s: any gap that a grace period worth considering could judge. 100 gaps of 104 bytes: a node that only
    /// posts its status every 20 to 50 s fills that in an hour and then keeps those above some 45 s.
    fn default() -> Self {
        Self {
            exact_above: Duration::from_secs(15),
            most: 100,
        }
    }
}

/// A gap, or several of one length, as a controller judges it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongGap {
    /// Its length; within the sketch's error when it is not exact.
    pub duration: Duration,
    /// What the controller made of the heartbeat before it. Not known of what is not exact, and taken to be credited once.
    pub start: GapStart,
    /// Gaps of this length.
    pub count: u64,
    /// False when it comes from the sketch.
    pub exact: bool,
}

/// The gaps of one node.
#[derive(Clone, Debug)]
pub struct GapHistory {
    bounds: GapBounds,
    /// Every gap, for the quantiles.
    all: Sketch,
    /// The gaps that are not kept exactly.
    rest: Sketch,
    /// The gaps kept exactly; the shortest on top.
    exact: BinaryHeap<Reverse<Gap>>,
    dropped: u64,
    unmeasured: u64,
    /// Gaps that are told and in no figure, the oldest first.
    uncounted: Vec<Gap>,
}

impl GapHistory {
    /// A history of no gap.
    pub const fn new(bounds: GapBounds) -> Self {
        Self {
            bounds,
            all: Sketch::new(),
            rest: Sketch::new(),
            exact: BinaryHeap::new(),
            dropped: 0,
            unmeasured: 0,
            uncounted: Vec::new(),
        }
    }

    /// The history that was exported, under bounds that may have changed meanwhile: fewer exact gaps make room as ever.
    pub fn import(bounds: GapBounds, snapshot: GapsSnapshot) -> Self {
        let mut exact = snapshot.exact;
        let mut uncounted = snapshot.uncounted;
        let too_old = uncounted.len().saturating_sub(UNCOUNTED_KEPT);
        uncounted.drain(..too_old);
        let too_many = exact.split_off(exact.len().min(bounds.most));
        let mut history = Self {
            bounds,
            all: Sketch::import(&snapshot.all),
            rest: Sketch::import(&snapshot.rest),
            // A heap's own order is a heap already, and stays as it is.
            exact: exact.into_iter().map(Reverse).collect::<Vec<_>>().into(),
            dropped: snapshot.dropped,
            unmeasured: snapshot.unmeasured,
            uncounted,
        };
        for gap in too_many {
            history.keep(gap);
        }
        history
    }

    /// The history as plain data.
    pub fn export(&self) -> GapsSnapshot {
        GapsSnapshot {
            all: self.all.export(),
            rest: self.rest.export(),
            exact: self.exact().copied().collect(),
            dropped: self.dropped,
            unmeasured: self.unmeasured,
            uncounted: self.uncounted.clone(),
        }
    }

    /// True when a gap of this length is kept exactly, at first.
    pub fn is_long(&self, duration: Duration) -> bool {
        duration > self.bounds.exact_above
    }

    /// Adds a gap.
    pub fn insert(&mut self, gap: Gap) {
        self.all.insert(gap.duration);
        if self.is_long(gap.duration) {
            self.keep(gap);
        } else {
            self.rest.insert(gap.duration);
        }
    }

    fn keep(&mut self, gap: Gap) {
        let kept = self.exact.len();
        if kept < self.bounds.most {
            if kept == self.exact.capacity() {
                // Half as much again, not twice as much: most nodes have few.
                let more = (kept / 2).max(4).min(self.bounds.most - kept);
                self.exact.reserve_exact(more);
            }
            self.exact.push(Reverse(gap));
            return;
        }
        self.dropped += 1;
        let mut shorter = gap;
        if let Some(mut shortest) = self.exact.peek_mut()
            && shortest.0 < gap
        {
            shorter = shortest.0;
            *shortest = Reverse(gap);
        }
        self.rest.insert(shorter.duration);
    }

    /// Counts an interval between heartbeats that is no measured gap.
    pub const fn skip(&mut self) {
        self.unmeasured += 1;
    }

    /// Keeps a gap that is in no figure: the interval was skipped.
    pub fn tell(&mut self, gap: Gap) {
        if self.uncounted.len() == UNCOUNTED_KEPT {
            self.uncounted.remove(0);
        }
        self.uncounted.push(gap);
    }

    /// The gaps that are in no figure because too little is known of their ends, the oldest first.
    pub fn uncounted(&self) -> &[Gap] {
        &self.uncounted
    }

    /// Adds the gaps of `other`; the same as having inserted them here, where both have the same bounds. Those that are in no figure stay
    /// with it.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        self.rest.merge(&other.rest);
        self.dropped += other.dropped;
        self.unmeasured += other.unmeasured;
        for &Reverse(gap) in &other.exact {
            self.keep(gap);
        }
    }

    /// The distribution of all gaps.
    pub const fn sketch(&self) -> &Sketch {
        &self.all
    }

    /// The gaps kept exactly, in no order.
    pub fn exact(&self) -> impl ExactSizeIterator<Item = &Gap> {
        self.exact.iter().map(|Reverse(gap)| gap)
    }

    /// Every gap longer than this is kept exactly.
    pub fn exact_above(&self) -> Duration {
        self.rest.max().map_or(self.bounds.exact_above, |longest| {
            longest.max(self.bounds.exact_above)
        })
    }

    /// Gaps that were kept exactly once and had to make room.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Intervals between heartbeats that were not counted as gaps.
    pub const fn unmeasured(&self) -> u64 {
        self.unmeasured
    }

    /// Time in which gaps were measured: the sum of all of them.
    pub fn measured(&self) -> Duration {
        self.all.sum()
    }

    /// The gaps longer than `grace_period`: the only ones that such a controller can judge.
    pub fn beyond(&self, grace_period: Duration) -> impl Iterator<Item = LongGap> {
        let longest = self.all.max().unwrap_or_default();
        // Most nodes have none, and are done here.
        let any = (longest > grace_period).then_some(());
        any.into_iter().flat_map(move |()| {
            let exact = self.exact().map(|gap| LongGap {
                duration: gap.duration,
                start: gap.start(),
                count: 1,
                exact: true,
            });
            let rest = self.rest.values().rev().map(|(duration, count)| LongGap {
                duration,
                start: GapStart::Once,
                count,
                exact: false,
            });
            let long = move |gap: &LongGap| gap.duration > grace_period;
            exact.filter(long).chain(rest.take_while(long))
        })
    }

    /// Mean flip probability of the gaps that lasted longer than `duration`. Absent: none did.
    pub fn flip_probability_beyond(
        &self,
        duration: Duration,
        controller: &ControllerSettings,
    ) -> Option<f64> {
        let (flips, gaps) = self.beyond(duration).fold((0.0, 0), |(flips, gaps), gap| {
            let probability = controller.flip_probability(gap.duration, gap.start);
            (flips + probability * gap.count as f64, gaps + gap.count)
        });
        (gaps > 0).then(|| flips / gaps as f64)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.all.heap_bytes()
            + self.rest.heap_bytes()
            + (self.exact.capacity() + self.uncounted.capacity()) * size_of::<Gap>()
    }
}
