//! A node's history as plain data, for whoever keeps it across restarts.
//!
//! [`NodeHistory::export`](crate::NodeHistory::export) gives it and [`Fleet::import`](crate::Fleet::import) takes it back: the
//! figures before and after are the same, to the digit. Nothing here means anything by itself; the meaning of each part
//! stands where it is used. Times without another word are since the node's boot.

use std::{sync::Arc, time::Duration};

use crate::{
    cause::CauseHistory,
    controller::EarlierPosts,
    event::{AgentId, Channel, Losses, Visibility},
    figures::Ready,
    gap::Gap,
    node::SeenFlip,
    time::WallTime,
};
pub use crate::{
    doubt::Doubt,
    renewals::{Count, Renewals},
};

/// One node's history. What is open only while a stream is, is left out: after a restart no agent is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSnapshot {
    /// Its name in Kubernetes.
    pub name: Arc<str>,
    /// uid of the Node object. Absent: not known.
    pub uid: Option<Arc<str>>,
    /// Whose records are kept, and up to which number.
    pub instance: InstanceSnapshot,
    /// Lease and Node status, in this order.
    pub channels: [ChannelSnapshot; 2],
    /// Both channels merged.
    pub chain: ChainSnapshot,
    /// The late interval whose length is in doubt. Absent: there is none.
    pub doubt: Option<Doubt>,
    /// Renewals by the kubelet's own count.
    pub renewals: Renewals,
    /// The gaps.
    pub gaps: GapsSnapshot,
    /// Why some were long.
    pub causes: CauseHistory,
    /// Ready as seen last. Absent: not seen.
    pub ready: Option<Ready>,
    /// Times Ready was seen to turn Unknown.
    pub flips_seen: u64,
    /// The last of them, oldest first; `at` is on the aggregator's monotonic clock.
    pub flips: Vec<SeenFlip>,
    /// What replaced agents had to drop.
    pub losses_before: Losses,
    /// What the current one had to drop.
    pub losses: Losses,
    /// When the newest batch was sent, and when it was received on the aggregator's monotonic clock. Absent: none came.
    pub last_report: Option<(Duration, Duration)>,
    /// First report kept, on the aggregator's monotonic clock. Absent: none came.
    pub since: Option<Duration>,
    /// The counters.
    pub counters: NodeCounters,
    /// From when the records are here, by the node's wall clock.
    pub coverage: Coverage,
}

/// What is counted of a node beside its heartbeats and gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// Blind spells that ended.
    pub blind_spells: u64,
    /// Their length; spells of both channels at once count twice.
    pub blind: Duration,
    /// Records that were acknowledged elsewhere and never came here.
    pub forgotten_records: u64,
    /// Records received more than once.
    pub duplicate_records: u64,
    /// Records of a replaced agent that came too late to be put in order.
    pub late_records: u64,
}

/// Which of an agent's records are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The first record that came, by the node's wall clock. Absent: none did.
    pub begins: Option<WallTime>,
    /// The first record after the latest hole: records before it went elsewhere and never came here. Absent: there is no hole.
    pub after_hole: Option<WallTime>,
}

/// Which run of the agent reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceSnapshot {
    /// The one whose records are kept. Absent: none came.
    pub current: Option<AgentId>,
    /// Highest sequence number kept of it. 0: none.
    pub highest: u64,
    /// Those it replaced with their highest numbers, the latest last.
    pub replaced: Vec<(AgentId, u64)>,
    /// True when the current one had a stream: it is gone now, and what is not heard of it since is its own silence.
    pub had_stream: bool,
}

/// The heartbeats of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSnapshot {
    /// Heartbeats counted.
    pub heartbeats: u64,
    /// Renewals the controller does not credit.
    pub uncredited_renewals: u64,
    /// Between stamps.
    pub period: SketchSnapshot,
    /// Arrival minus stamp.
    pub delivery_delay: SketchSnapshot,
    /// The last heartbeat or baseline. Absent: none was seen.
    pub last: Option<LastHeartbeat>,
    /// True while the last one is surely the predecessor of the next.
    pub continuous: bool,
    /// True from a new agent instance until its baseline.
    pub awaits_baseline: bool,
    /// Span in which a heartbeat may have come unseen. Absent: there is none.
    pub blindness: Option<(Duration, Duration)>,
    /// The last span in which it was not seen. Absent: there was none on this boot.
    pub spell: Option<(Duration, Duration)>,
    /// What the agent sees of the channel. Absent: not looked at yet.
    pub view: Option<Visibility>,
}

/// The last heartbeat or baseline of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastHeartbeat {
    /// The kubelet's stamp.
    pub stamp: WallTime,
    /// resourceVersion of the object that carried it.
    pub resource_version: Arc<str>,
    /// Arrival since boot and by the wall clock. Absent: a baseline, whose arrival is unknown.
    pub arrival: Option<(Duration, WallTime)>,
}

/// The chain of arrivals merged over both channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSnapshot {
    /// The last arrival. Absent: none was seen.
    pub last: Option<LastArrival>,
    /// Arrival of the last Lease heartbeat. Absent: none was seen.
    pub last_lease: Option<Duration>,
    /// Arrival of the last status post since then, and the posts before it. Absent: there was none.
    pub last_post: Option<(Duration, EarlierPosts)>,
    /// True once a heartbeat or a baseline was seen.
    pub begun: bool,
    /// True when heartbeats after the last one may be missing for good.
    pub broken: bool,
    /// Span in which a heartbeat may have come unseen. Absent: there is none.
    pub blindness: Option<(Duration, Duration)>,
    /// Span in which each channel is not seen; whether heartbeats were missed is not known yet. Absent: there is none.
    pub unseen: [Option<(Duration, Duration)>; 2],
    /// Span whose heartbeats came late but came, once it was over. Absent: there is none.
    pub delayed: Option<(Duration, Duration)>,
    /// True when Ready was seen to turn Unknown since the last arrival.
    pub flip_seen: bool,
}

/// An arrival that starts a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastArrival {
    /// When it came.
    pub at: Duration,
    /// When it came, by the node's wall clock.
    pub time: WallTime,
    /// Which channel carried it.
    pub channel: Channel,
    /// How much earlier it may have come.
    pub uncertainty: Duration,
    /// As in [`Gap::since_lease`].
    pub since_lease: Option<Duration>,
    /// As in [`Gap::earlier_posts`].
    pub earlier_posts: EarlierPosts,
}

/// The gaps of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct GapsSnapshot {
    /// All of them.
    pub all: SketchSnapshot,
    /// Those that are not kept exactly.
    pub rest: SketchSnapshot,
    /// Those that are, in the order of their heap: sums over them are the same to the digit only in the same order.
    pub exact: Vec<Gap>,
    /// Gaps that were kept exactly once and had to make room.
    pub dropped: u64,
    /// Intervals between heartbeats that were not counted as gaps.
    pub unmeasured: u64,
    /// Gaps that are told and in no figure, oldest first.
    pub uncounted: Vec<Gap>,
}

/// A distribution of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SketchSnapshot {
    /// Index and count of each bucket in use, ascending.
    pub buckets: Vec<(i16, u32)>,
    /// Values in it.
    pub count: u64,
    /// Sum of all values in nanoseconds.
    pub sum_nanos: u128,
    /// Smallest value. Absent: there is none.
    pub min: Option<Duration>,
    /// Largest value. Absent: there is none.
    pub max: Option<Duration>,
}
