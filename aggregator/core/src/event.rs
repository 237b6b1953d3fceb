//! What happens to a fleet: agents come, report and go. The core's own form of the wire's messages, already validated.
//!
//! Every `monotonic` time here is read from the reporting node's clock since boot and compares only with values of the same
//! boot id.

use std::{sync::Arc, time::Duration};

use crate::{cause::Facts, time::WallTime};

/// One thing that happened, applied by [`Fleet::apply`](crate::Fleet::apply).
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a report, and none is kept: a box would cost an allocation each"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An agent opened its stream.
    Connected {
        /// The node it reports for.
        node: Arc<str>,
        /// The agent's instance.
        agent: AgentId,
    },
    /// An agent's stream ended.
    Disconnected {
        /// The node it reported for.
        node: Arc<str>,
        /// The agent's instance.
        agent: AgentId,
    },
    /// A batch arrived.
    Report(Report),
}

impl Event {
    /// Name of the node it is about.
    pub fn node(&self) -> &Arc<str> {
        match self {
            Self::Connected { node, .. } | Self::Disconnected { node, .. } => node,
            Self::Report(report) => &report.node,
        }
    }
}

/// One run of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AgentId {
    /// Boot id of the machine; monotonic times compare only within one boot.
    pub boot_id: Arc<str>,
    /// When the agent started, since boot.
    pub start: Duration,
}

/// One batch of an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Name of the node.
    pub node: Arc<str>,
    /// The agent's instance.
    pub agent: AgentId,
    /// When the batch was sent, since boot.
    pub sent: Duration,
    /// When the batch was sent, by the node's wall clock.
    pub sent_time: WallTime,
    /// The records with their sequence numbers, ascending.
    pub records: Vec<(u64, Record)>,
    /// Lowest and highest number it was sent with, where some of its records were refused or left out. Absent: as in `records`.
    pub sent_records: Option<(u64, u64)>,
    /// How many of the numbers right below these are of records that are gone from the agent's spool. `losses` may count them later.
    pub dropped_before: u64,
    /// What the agent sees of each channel now. A channel without an entry was not looked at yet.
    pub views: Vec<ChannelView>,
    /// uid of the Node object. Absent: not in this batch.
    pub node_uid: Option<Arc<str>>,
    /// How often the kubelet means to beat. Absent: not in this batch.
    pub rhythm: Option<Rhythm>,
    /// What the agent dropped since its start. Absent: nothing.
    pub losses: Option<Losses>,
    /// True for what an earlier run of the agent left behind: it belongs to the history and says nothing of now. `sent` is then
    /// the time of the newest record in it.
    pub replay: bool,
}

impl Report {
    /// Lowest and highest number it was sent with. Absent: it had no records.
    pub(crate) fn sent_records(&self) -> Option<(u64, u64)> {
        let ends = || Some((self.records.first()?.0, self.records.last()?.0));
        self.sent_records.or_else(ends)
    }

    /// When it begins, by the node's wall clock: the first record that says so, else when it was sent.
    pub(crate) fn begins(&self) -> WallTime {
        let time = |record: &Record| match record {
            Record::Heartbeat(heartbeat) => Some(heartbeat.arrival_time),
            Record::ReadyChange(change) => Some(change.arrival_time),
            Record::BlindSpell(_) | Record::Sample(_) => None,
        };
        let mut times = self.records.iter().filter_map(|(_, record)| time(record));
        times.next().unwrap_or(self.sent_time)
    }
}

/// How often the kubelet means to beat, by its settings. Absent: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rhythm {
    /// `nodeLeaseDurationSeconds`: the Lease is renewed every quarter of it.
    pub lease_duration: Option<Duration>,
    /// `nodeStatusUpdateFrequency`: how often the status is computed.
    pub status_update: Option<Duration>,
    /// `nodeStatusReportFrequency`: how often it is posted when nothing changed.
    pub status_report: Option<Duration>,
}

/// One numbered record of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A renewal that the controller would credit.
    Heartbeat(Heartbeat),
    /// A span in which a channel could not be seen, now over.
    BlindSpell(BlindSpell),
    /// A change of the Ready condition.
    ReadyChange(ReadyChange),
    /// A sample of the host.
    Sample(Box<Facts>),
}

impl Record {
    /// When it was made, since boot; of a blind spell when it ended.
    pub(crate) fn time(&self) -> Duration {
        match self {
            Self::Heartbeat(heartbeat) => heartbeat.arrival,
            Self::BlindSpell(spell) => spell.end,
            Self::ReadyChange(change) => change.arrival,
            Self::Sample(facts) => facts.at,
        }
    }
}

/// One of the two ways in which a kubelet shows that it is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// The Lease: a heartbeat is a renewTime that moved forward.
    Lease,
    /// The Node's Ready condition: a heartbeat is a lastHeartbeatTime that changed.
    NodeStatus,
}

impl Channel {
    /// Both channels, in the order in which figures list them.
    pub const ALL: [Self; 2] = [Self::Lease, Self::NodeStatus];

    /// Position in arrays that hold one entry a channel.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Lease => 0,
            Self::NodeStatus => 1,
        }
    }
}

/// One renewal.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Which channel carried it.
    pub channel: Channel,
    /// The kubelet's own stamp.
    pub stamp: WallTime,
    /// When it reached the agent, since boot.
    pub arrival: Duration,
    /// When it reached the agent, by the node's wall clock.
    pub arrival_time: WallTime,
    /// resourceVersion of the object that carried it.
    pub resource_version: Arc<str>,
    /// How much earlier than `arrival` it may have arrived. Zero: it was seen as it happened.
    pub arrival_uncertainty: Duration,
    /// True for what the agent's first list found: it begins the chains and is not counted.
    pub baseline: bool,
    /// Renewals since the previous heartbeat of the channel that the controller does not credit.
    pub uncredited_renewals: u32,
}

/// A span in which a channel could not be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct BlindSpell {
    /// The channel.
    pub channel: Channel,
    /// Last moment at which the channel was surely seen, since boot.
    pub start: Duration,
    /// Moment from which it was seen again, since boot.
    pub end: Duration,
    /// Why.
    pub reason: BlindReason,
    /// True when the watch resumed where it stopped: events were delayed, none was missed.
    pub resumed: bool,
}

/// Why a channel could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlindReason {
    /// The API server could not be reached, or the connection was lost or fell silent.
    Connection,
    /// The API server answered with an error (5xx, 429).
    ServerError,
    /// The API server refused the agent (401, 403).
    Forbidden,
    /// The resourceVersion was too old (410), so that the object had to be listed again.
    Expired,
    /// The agent itself did not run.
    AgentStalled,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// "True".
    True,
    /// "False": for Ready, written by the kubelet itself.
    False,
    /// "Unknown": for Ready, written by the controller when heartbeats stopped.
    Unknown,
}

/// A change of the Ready condition, or its first sight.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadyChange {
    /// New status.
    pub status: ConditionStatus,
    /// New reason.
    pub reason: Arc<str>,
    /// lastTransitionTime, by the clock of whoever wrote it; whole seconds.
    pub transition: WallTime,
    /// When it reached the agent, since boot.
    pub arrival: Duration,
    /// When it reached the agent, by the node's wall clock.
    pub arrival_time: WallTime,
    /// True for what the agent's first list found.
    pub baseline: bool,
}

/// What the agent sees of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Watched: every heartbeat is timed.
    Observed,
    /// There is none; the other channel alone keeps the node Ready.
    Absent,
    /// It cannot be seen since then (since boot): whether the kubelet beats is unknown.
    Blind {
        /// Last moment at which it was surely seen.
        since: Duration,
    },
}

/// What the agent sees of one channel now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelView {
    /// The channel.
    pub channel: Channel,
    /// What is seen of it.
    pub visibility: Visibility,
}

/// Records an agent had to drop since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Heartbeats dropped from the full buffer.
    pub dropped_heartbeats: u64,
    /// Samples dropped from the full buffer.
    pub dropped_samples: u64,
    /// Other records (blind spells, changes of Ready) dropped from the full buffer.
    pub dropped_others: u64,
    /// Records the aggregator refused.
    pub rejected_records: u64,
}

impl Losses {
    /// Records dropped, of every kind.
    pub const fn dropped(&self) -> u64 {
        self.dropped_heartbeats + self.dropped_samples + self.dropped_others
    }

    /// Records that never came, or that were refused when they did.
    pub(crate) const fn missing(&self) -> u64 {
        self.dropped() + self.rejected_records
    }

    /// The losses of two agents, or of two runs of one, together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            dropped_heartbeats: self.dropped_heartbeats + other.dropped_heartbeats,
            dropped_samples: self.dropped_samples + other.dropped_samples,
            dropped_others: self.dropped_others + other.dropped_others,
            rejected_records: self.rejected_records + other.rejected_records,
        }
    }

    /// True when nothing was lost.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
