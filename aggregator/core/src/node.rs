//! What is known of one node, built up from what its agents report.

mod apply;
mod flip;
mod instance;
mod read;

use std::{sync::Arc, time::Duration};

pub use flip::{FlipCause, SeenFlip};
use instance::Instance;

use crate::{
    channel::ChannelHistory,
    event::{Channel, Losses},
    figures::Ready,
    gap::Gap,
    gap_chain::GapChain,
    gap_history::{GapBounds, GapHistory},
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
    gaps: GapHistory,
    ready: Option<Ready>,
    flips_seen: u64,
    flips: Vec<SeenFlip>,
    losses_before: Losses,
    losses: Losses,
    last_report: Option<LastReport>,
    since: Option<Duration>,
    blind_spells: u64,
    blind: Duration,
    forgotten_records: u64,
    duplicate_records: u64,
}

/// When the newest batch was sent and received.
#[derive(Clone, Copy, Debug)]
struct LastReport {
    /// Since the node's boot.
    sent: Duration,
    /// On the aggregator's monotonic clock.
    received: Duration,
}

impl NodeHistory {
    pub(crate) fn new(name: Arc<str>, bounds: GapBounds) -> Self {
        Self {
            name,
            uid: None,
            instance: Instance::default(),
            channels: Channel::ALL.map(ChannelHistory::new),
            chain: GapChain::new(),
            gaps: GapHistory::new(bounds),
            ready: None,
            flips_seen: 0,
            flips: Vec::new(),
            losses_before: Losses::default(),
            losses: Losses::default(),
            last_report: None,
            since: None,
            blind_spells: 0,
            blind: Duration::ZERO,
            forgotten_records: 0,
            duplicate_records: 0,
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
    pub const fn is_connected(&self) -> bool {
        self.instance.is_connected()
    }

    /// True once a report came.
    pub const fn has_reported(&self) -> bool {
        self.last_report.is_some()
    }

    /// Age of the last report at `now` of the aggregator's clock. Absent: none came.
    pub fn report_age(&self, now: Duration) -> Option<Duration> {
        self.last_report
            .map(|report| now.saturating_sub(report.received))
    }

    /// Records acknowledged by an earlier run and forgotten with it.
    pub const fn forgotten_records(&self) -> u64 {
        self.forgotten_records
    }

    /// Records received more than once.
    pub const fn duplicate_records(&self) -> u64 {
        self.duplicate_records
    }

    /// Bytes of memory, without the name and short strings it shares.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.gaps.heap_bytes()
            + self.flips.capacity() * size_of::<SeenFlip>()
            + self
                .channels
                .iter()
                .map(ChannelHistory::heap_bytes)
                .sum::<usize>()
    }
}
