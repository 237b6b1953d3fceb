//! What is counted as it happens: heartbeats, gaps, periods, blindness, samples.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nodegrace_proto::{
    prost_types::{self, Timestamp},
    v1::{BlindSpell, Channel, ChannelView, ConditionStatus, Heartbeat, Runtime, Sample},
};

use super::histogram::Histogram;
use crate::observe::Observation;

/// Bounds of times between heartbeats, in seconds: the usual period and its jitter, the grace periods people have, and the edges of
/// what the controller may do.
pub(super) const BEATS: &[f64] = &[
    5.0, 10.0, 10.5, 11.0, 12.5, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 60.0, 90.0, 120.0,
    300.0, 600.0,
];
/// Bounds of times that a request takes, in seconds.
pub(super) const REQUESTS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Methods of the runtime that are told apart at most. The agent calls five.
const MOST_METHODS: usize = 8;

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

/// The counts.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) lease: ChannelCounts,
    pub(super) node_status: ChannelCounts,
    /// Gaps between arrivals, of both channels together.
    pub(super) gaps: Histogram,
    /// Heartbeats that ended no gap that can be told.
    pub(super) unmeasured_gaps: u64,
    /// Times Ready was seen to turn Unknown.
    pub(super) flips_seen: u64,
    pub(super) samples: u64,
    pub(super) fine_samples: u64,
    /// What the last sample that has it says of the runtime.
    pub(super) runtime: Option<Runtime>,
    /// Calls to the runtime by method.
    pub(super) calls: BTreeMap<String, Calls>,
}

/// Counts of one channel.
#[derive(Clone, Debug)]
pub(super) struct ChannelCounts {
    pub(super) heartbeats: u64,
    pub(super) uncredited_renewals: u64,
    pub(super) periods: Histogram,
    pub(super) delays: Histogram,
    /// What is seen of it. Absent: nothing was told yet.
    pub(super) view: Option<ChannelView>,
    pub(super) blind: Duration,
    pub(super) blind_spells: u64,
    /// The stamp that the next period begins with. Absent: what came since is not known.
    stamp: Option<Timestamp>,
}

/// Calls of one method.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) took: Histogram,
    pub(super) failures: u64,
}

impl Tally {
    /// Takes what an observer learned.
    pub(crate) fn learn(&self, learned: &[Observation]) {
        let mut counts = self.counts();
        for one in learned {
            match one {
                Observation::Heartbeat(heartbeat) => {
                    if let Some(channel) = counts.channel(heartbeat.channel()) {
                        channel.beat(heartbeat);
                    }
                }
                Observation::ReadyChange(change) => {
                    let flipped = change.status() == ConditionStatus::Unknown && !change.baseline;
                    counts.flips_seen += u64::from(flipped);
                }
                Observation::Facts(_) | Observation::LeaseDuration(_) => {}
            }
        }
    }

    /// A heartbeat ended this gap. Absent: nobody can tell when the one before arrived, or this one.
    pub(crate) fn gap(&self, gap: Option<Duration>) {
        let mut counts = self.counts();
        match gap {
            Some(gap) => counts.gaps.observe(gap),
            None => counts.unmeasured_gaps += 1,
        }
    }

    /// Takes a blind spell that ended.
    pub(crate) fn spell(&self, spell: &BlindSpell) {
        let mut counts = self.counts();
        let Some(channel) = counts.channel(spell.channel()) else {
            return;
        };
        let time = |time: Option<prost_types::Duration>| {
            time.and_then(|time| Duration::try_from(time).ok())
                .unwrap_or_default()
        };
        let (start, end) = (time(spell.start_monotonic), time(spell.end_monotonic));
        channel.blind += end.saturating_sub(start);
        channel.blind_spells += 1;
        if !spell.resumed {
            channel.stamp = None;
        }
    }

    /// Takes what is seen of a channel now.
    pub(crate) fn view(&self, view: &ChannelView) {
        if let Some(channel) = self.counts().channel(view.channel()) {
            channel.view = Some(view.clone());
        }
    }

    /// Takes a sample.
    pub(crate) fn sample(&self, sample: &Sample) {
        let mut counts = self.counts();
        if sample.fine {
            counts.fine_samples += 1;
        } else {
            counts.samples += 1;
        }
        let Some(runtime) = &sample.runtime else {
            return;
        };
        for call in &runtime.calls {
            let is_known = counts.calls.contains_key(&call.method);
            if !is_known && counts.calls.len() >= MOST_METHODS {
                continue;
            }
            let calls = counts.calls.entry(call.method.clone());
            let calls = calls.or_insert_with(|| Calls {
                took: Histogram::new(REQUESTS),
                failures: 0,
            });
            let took = call.took.and_then(|took| Duration::try_from(took).ok());
            calls.took.observe(took.unwrap_or_default());
            calls.failures += u64::from(!call.error.is_empty());
        }
        counts.runtime = Some(Runtime {
            calls: Vec::new(),
            ..runtime.clone()
        });
    }

    /// The counts as they are now.
    pub(super) fn read(&self) -> Counts {
        self.counts().clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Whoever panicked left at worst one of many counts behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// The channels by name.
    pub(super) fn channels(&self) -> [(&'static str, &ChannelCounts); 2] {
        [("LEASE", &self.lease), ("NODE_STATUS", &self.node_status)]
    }

    fn channel(&mut self, channel: Channel) -> Option<&mut ChannelCounts> {
        match channel {
            Channel::Lease => Some(&mut self.lease),
            Channel::NodeStatus => Some(&mut self.node_status),
            Channel::Unspecified => None,
        }
    }
}

impl ChannelCounts {
    fn new() -> Self {
        Self {
            heartbeats: 0,
            uncredited_renewals: 0,
            periods: Histogram::new(BEATS),
            delays: Histogram::new(REQUESTS),
            view: None,
            blind: Duration::ZERO,
            blind_spells: 0,
            stamp: None,
        }
    }

    fn beat(&mut self, heartbeat: &Heartbeat) {
        self.uncredited_renewals += u64::from(heartbeat.uncredited_renewals);
        let before = std::mem::replace(&mut self.stamp, heartbeat.stamp_time);
        if heartbeat.baseline {
            return;
        }
        self.heartbeats += 1;
        if heartbeat.arrival_uncertainty.is_some() {
            // It may not be the one after the one before, and when it came is not known.
            return;
        }
        if let Some(period) = between(before, heartbeat.stamp_time) {
            self.periods.observe(period);
        }
        if let Some(delay) = between(heartbeat.stamp_time, heartbeat.arrival_time) {
            self.delays.observe(delay);
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            lease: ChannelCounts::new(),
            node_status: ChannelCounts::new(),
            gaps: Histogram::new(BEATS),
            unmeasured_gaps: 0,
            flips_seen: 0,
            samples: 0,
            fine_samples: 0,
            runtime: None,
            calls: BTreeMap::new(),
        }
    }
}

/// The time from one to the other. Absent: one is not known, or the clock was set back in between.
fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<Duration> {
    let nanoseconds =
        |time: Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let between = nanoseconds(to?) - nanoseconds(from?);
    u64::try_from(between).ok().map(Duration::from_nanos)
}
