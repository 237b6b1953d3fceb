//! What is told of a late heartbeat: its causes, each with what speaks for it.

use std::time::Duration;

use super::{
    facts::Sources,
    figure::Figure,
    kind::{CauseKind, Vantage},
};
use crate::{event::Channel, time::WallTime};

/// Why one gap was so long.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// How much longer it was than gaps of the node usually are.
    pub lateness: Duration,
    /// Where the lateness arose. Absent: no stamp can be placed, or the wall clock was stepped meanwhile.
    pub vantage: Option<Vantage>,
    /// The channels that were late.
    pub late: LateChannels,
    /// The causes, the most likely first. Never empty: where nothing is known it says so.
    pub causes: Vec<Cause>,
    /// Sources that were read while the heartbeat was awaited.
    pub read: Sources,
    /// How much of the lateness samples cover.
    pub recorded: Duration,
    /// When the gap ended, on the aggregator's monotonic clock.
    pub ended: Duration,
}

impl Explanation {
    /// What it is told as: the first of its causes.
    pub fn main(&self) -> CauseKind {
        self.causes
            .first()
            .map_or(CauseKind::Unknown, |cause| cause.kind)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let evidence = |cause: &Cause| cause.evidence.capacity() * size_of::<Evidence>();
        self.causes.capacity() * size_of::<Cause>()
            + self.causes.iter().map(evidence).sum::<usize>()
    }
}

/// One cause of a late heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What it is.
    pub kind: CauseKind,
    /// How much of the lateness it accounts for; for [`CauseKind::Unknown`] what no cause accounts for.
    pub accounts_for: Duration,
    /// The same as a share of the lateness, 0 to 1.
    pub share: f32,
    /// The figures it rests on, the most telling first.
    pub evidence: Vec<Evidence>,
}

/// One figure recorded while the heartbeat was awaited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Which.
    pub figure: Figure,
    /// Its value: a mean over the time it was recorded for, or the largest value where the figure is a peak.
    pub value: f32,
    /// What is usual on this node. Absent: not learned yet, or the figure has no usual value.
    pub usual: Option<f32>,
    /// How far off the value is, in standard deviations estimated from the quartiles. Absent like `usual`.
    pub deviations: Option<f32>,
    /// The part of the lateness for which it was recorded.
    pub recorded: Duration,
}

/// The channels that were late. Both false: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateChannels([bool; 2]);

impl LateChannels {
    /// Those channels for which `late` holds.
    pub fn of(late: impl Fn(Channel) -> bool) -> Self {
        Self(Channel::ALL.map(late))
    }

    /// True when `channel` was late.
    pub const fn has(self, channel: Channel) -> bool {
        self.0[channel.index()]
    }

    /// The late channels, in order.
    pub fn iter(self) -> impl Iterator<Item = Channel> {
        Channel::ALL
            .into_iter()
            .filter(move |channel| self.has(*channel))
    }
}

/// One cause over the late heartbeats of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseTotal {
    /// What it is.
    pub kind: CauseKind,
    /// Gaps of which it is the first cause.
    pub gaps: u64,
    /// Lateness it accounts for, over all of them.
    pub accounts_for: Duration,
    /// End of the latest of them, by the node's wall clock.
    pub last: WallTime,
}
