//! What is known of one node, built up from what its agents report.

mod apply;
mod cause;
mod doubt;
mod flip;
mod instance;
mod read;
mod records;
mod snapshot;

use std::{sync::Arc, time::Duration};

pub use flip::{FlipCause, SeenFlip};
use instance::Instance;

use crate::{
    cause::CauseHistory,
    channel::ChannelHistory,
    doubt::Doubt,
    event::{Channel, Losses},
    figures::Ready,
    gap::Gap,
    gap_chain::GapChain,
    gap_history::{GapBounds, GapHistory},
    renewals::Renewals,
    snapshot::{Coverage, NodeCounters},
    standing::after,
};

/// Seen flips kept for each node, the oldest dropped first: enough to infer the grace period from one node alone.
const FLIPS_KEPT: usize = 16;

/// One node's history.
#[derive(Clone, Debug)]
pub struct NodeHistory {
    name: Arc<str>,
    uid: Option<Arc<str>>,
    instance: Instance,
    channels: [ChannelHistory; 2],
    chain: GapChain,
    doubt: Option<Doubt>,
    renewals: Renewals,
    gaps: GapHistory,
    causes: CauseHistory,
    ready: Option<Ready>,
    flips_seen: u64,
    flips: Vec<SeenFlip>,
    losses_before: Losses,
    losses: Losses,
    last_report: Option<LastReport>,
    since: Option<Duration>,
    counters: NodeCounters,
    coverage: Coverage,
}

/// When the newest batch was sent and received.
#[derive(Clone, Copy, Debug)]
struct LastReport {
    /// Since the node's boot.
    sent: Duration,
    /// On the aggregator's monotonic clock.
    received: Duration,
}

impl LastReport {
    /// When what the agent saw at `arrival` since boot would have been here, on the aggregator's monotonic clock.
    const fn received_at(self, arrival: Duration) -> Duration {
        // One of the two is zero.
        let before = self.sent.saturating_sub(arrival);
        let after = arrival.saturating_sub(self.sent);
        self.received.saturating_add(after).saturating_sub(before)
    }
}

impl NodeHistory {
    pub(crate) fn new(name: Arc<str>, bounds: GapBounds) -> Self {
        Self {
            name,
            uid: None,
            instance: Instance::default(),
            channels: Channel::ALL.map(ChannelHistory::new),
            chain: GapChain::new(),
            doubt: None,
            renewals: Renewals::default(),
            gaps: GapHistory::new(bounds),
            causes: CauseHistory::default(),
            ready: None,
            flips_seen: 0,
            flips: Vec::new(),
            losses_before: Losses::default(),
            losses: Losses::default(),
            last_report: None,
            since: None,
            counters: NodeCounters::default(),
            coverage: Coverage::default(),
        }
    }

    /// Its name in Kubernetes.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// All its gaps.
    pub const fn gaps(&self) -> &GapHistory {
        &self.gaps
    }

    /// Its long gaps, the latest first.
    pub fn long_gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.gaps.exact().copied().collect();
        gaps.sort_unstable_by_key(|gap| std::cmp::Reverse((gap.end_time, gap.duration)));
        gaps
    }

    /// Long gaps that are in no figure: over reboots, and those of which too little is known because the agent was blind at
    /// their ends.
    pub fn uncounted_gaps(&self) -> impl Iterator<Item = &Gap> {
        let reboots = self.reboots().iter().map(|reboot| &reboot.gap);
        self.gaps.uncounted().iter().chain(reboots)
    }

    /// The flips seen last, oldest first.
    pub fn flips(&self) -> &[SeenFlip] {
        &self.flips
    }

    /// Times Ready was seen to turn Unknown.
    pub const fn flips_seen(&self) -> u64 {
        self.flips_seen
    }

    /// Heartbeats counted, over both channels.
    pub fn heartbeats(&self) -> u64 {
        self.channels.iter().map(ChannelHistory::heartbeats).sum()
    }

    /// What its agents had to drop.
    pub const fn losses(&self) -> Losses {
        self.losses_before.plus(self.losses)
    }

    /// True while a stream of its agent is open.
    pub fn is_connected(&self) -> bool {
        self.instance.is_connected()
    }

    /// True once a report came, be it of an earlier run of the agent alone.
    pub const fn has_reported(&self) -> bool {
        self.since.is_some()
    }

    /// Age of the last report at `now` of the aggregator's clock. Absent: none came.
    pub fn report_age(&self, now: Duration) -> Option<Duration> {
        self.last_report
            .map(|report| now.saturating_sub(report.received))
    }

    /// Records acknowledged by an earlier run and forgotten with it.
    pub const fn forgotten_records(&self) -> u64 {
        self.counters.forgotten_records
    }

    /// Records received more than once.
    pub const fn duplicate_records(&self) -> u64 {
        self.counters.duplicate_records
    }

    /// Records of a replaced agent that came too late to be put in order, and were not kept.
    pub const fn late_records(&self) -> u64 {
        self.counters.late_records
    }

    /// Which of its agents' records are here.
    pub const fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// When the newest batch was received, on the aggregator's clock. Absent: none was.
    pub(crate) fn received(&self) -> Option<Duration> {
        self.last_report.map(|report| report.received)
    }

    /// From when on it is to be forgotten, on the aggregator's clock: once it was silent for longer than `forget_after`, since the
    /// last report or, where an earlier run of the agent alone was heard, since its first. Absent: a stream of its agent is open.
    pub(crate) fn gone_at(&self, forget_after: Duration) -> Option<Duration> {
        let heard = self.received().or(self.since);
        let gone_at = heard.map_or(Duration::ZERO, |heard| after(heard, forget_after));
        (!self.is_connected()).then_some(gone_at)
    }

    /// True when it was silent for longer than `forget_after` and no stream of its agent is open.
    pub(crate) fn is_gone(&self, now: Duration, forget_after: Duration) -> bool {
        self.gone_at(forget_after).is_some_and(|gone| now >= gone)
    }

    /// Bytes of memory, without the name and short strings it shares.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.instance.heap_bytes()
            + self.gaps.heap_bytes()
            + self.causes.heap_bytes()
            + self.renewals.heap_bytes()
            + self.flips.capacity() * size_of::<SeenFlip>()
            + self
                .channels
                .iter()
                .map(ChannelHistory::heap_bytes)
                .sum::<usize>()
    }
}
