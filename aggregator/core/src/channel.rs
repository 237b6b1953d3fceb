//! The heartbeats of one channel: periods between stamps, delivery delays, and whether the next one follows the last.

use std::time::Duration;

use crate::{
    blindness::Blindness,
    doubt::BACKLOG,
    event::{Channel, Heartbeat, Visibility},
    figures::ChannelFigures,
    sketch::Sketch,
    snapshot::{ChannelSnapshot, LastHeartbeat},
    time::WallTime,
};

/// Periods longer than this are steps of a clock: no kubelet pauses for an hour and goes on.
const LONGEST_PERIOD: Duration = Duration::from_secs(3600);
/// Periods that must be known before their median says what a blind spell can hide.
const PERIODS_FOR_MEDIAN: u64 = 10;
/// Lease stamps have microseconds; lastHeartbeatTime has whole seconds.
const STATUS_RESOLUTION: Duration = Duration::from_secs(1);

/// The heartbeats of one channel.
#[derive(Clone, Debug)]
pub(crate) struct ChannelHistory {
    channel: Channel,
    heartbeats: u64,
    uncredited_renewals: u64,
    period: Sketch,
    delivery_delay: Sketch,
    /// The last heartbeat or baseline.
    last: Option<LastHeartbeat>,
    /// True while the last one is surely the predecessor of the next.
    continuous: bool,
    /// True from a new agent instance until its baseline says whether something was missed.
    awaits_baseline: bool,
    blindness: Blindness,
    /// The last span in which it was not seen, whether or not anything was missed in it.
    spell: Option<(Duration, Duration)>,
    view: Option<Visibility>,
}

impl ChannelHistory {
    pub(crate) const fn new(channel: Channel) -> Self {
        Self {
            channel,
            heartbeats: 0,
            uncredited_renewals: 0,
            period: Sketch::new(),
            delivery_delay: Sketch::new(),
            last: None,
            continuous: false,
            awaits_baseline: false,
            blindness: Blindness::NONE,
            spell: None,
            view: None,
        }
    }

    pub(crate) fn import(channel: Channel, snapshot: ChannelSnapshot) -> Self {
        Self {
            channel,
            heartbeats: snapshot.heartbeats,
            uncredited_renewals: snapshot.uncredited_renewals,
            period: Sketch::import(&snapshot.period),
            delivery_delay: Sketch::import(&snapshot.delivery_delay),
            last: snapshot.last,
            continuous: snapshot.continuous,
            awaits_baseline: snapshot.awaits_baseline,
            blindness: Blindness::of(snapshot.blindness),
            spell: snapshot.spell,
            view: snapshot.view,
        }
    }

    pub(crate) fn export(&self) -> ChannelSnapshot {
        ChannelSnapshot {
            heartbeats: self.heartbeats,
            uncredited_renewals: self.uncredited_renewals,
            period: self.period.export(),
            delivery_delay: self.delivery_delay.export(),
            last: self.last.clone(),
            continuous: self.continuous,
            awaits_baseline: self.awaits_baseline,
            blindness: self.blindness.span(),
            spell: self.spell,
            view: self.view,
        }
    }

    /// Takes a baseline; true when it is the heartbeat already known, so that nothing was missed.
    pub(crate) fn take_baseline(&mut self, heartbeat: &Heartbeat) -> bool {
        self.awaits_baseline = false;
        self.blindness.forget_until(heartbeat.arrival);
        let known = |last: &LastHeartbeat| last.resource_version == heartbeat.resource_version;
        if self.last.as_ref().is_some_and(known) {
            return true;
        }
        self.last = Some(LastHeartbeat {
            stamp: heartbeat.stamp,
            resource_version: heartbeat.resource_version.clone(),
            arrival: None,
        });
        self.continuous = true;
        false
    }

    /// Takes a heartbeat.
    pub(crate) fn take(&mut self, heartbeat: &Heartbeat) {
        self.heartbeats += 1;
        self.uncredited_renewals += u64::from(heartbeat.uncredited_renewals);
        if self.follows(heartbeat.arrival)
            && let Some(last) = &self.last
            && let Some(period) = heartbeat.stamp.since(last.stamp).positive()
            && !period.is_zero()
            && period <= LONGEST_PERIOD
        {
            self.period.insert(period);
        }
        // One that arrived before its stamp met a clock that was set back in between: how long it took is not known.
        if heartbeat.arrival_uncertainty.is_zero()
            && let Some(delay) = heartbeat.arrival_time.since(heartbeat.stamp).positive()
        {
            self.delivery_delay.insert(delay);
        }
        self.last = Some(LastHeartbeat {
            stamp: heartbeat.stamp,
            resource_version: heartbeat.resource_version.clone(),
            arrival: Some((heartbeat.arrival, heartbeat.arrival_time)),
        });
        self.continuous = true;
        self.awaits_baseline = false;
        self.blindness.forget_until(heartbeat.arrival);
    }

    /// True when a heartbeat that arrives at `arrival` is the one after the last.
    fn follows(&self, arrival: Duration) -> bool {
        let after = self
            .last
            .as_ref()
            .and_then(|last| last.arrival)
            .map_or(Duration::ZERO, |(arrival, _)| arrival);
        self.continuous && !self.awaits_baseline && !self.blindness.hides(after, arrival)
    }

    /// Heartbeats of this channel may have come unseen in this span.
    pub(crate) fn blind(&mut self, start: Duration, end: Duration) {
        self.blindness.add(start, end);
    }

    /// Start of the span that hides, between `after` and `until`, heartbeats of this channel for good. Absent: none does.
    pub(crate) fn hiding_since(&self, after: Duration, until: Duration) -> Option<Duration> {
        self.blindness.hiding_since(after, until)
    }

    /// It was not seen in this span.
    pub(crate) const fn end_spell(&mut self, start: Duration, end: Duration) {
        self.spell = Some((start, end));
    }

    /// Start of the span in which the channel was not seen and that may have held up what arrived at `at`. Absent: none did.
    pub(crate) fn held_up_since(&self, at: Duration) -> Option<Duration> {
        let (start, end) = self.spell?;
        (start < at && at < end + BACKLOG).then_some(start)
    }

    /// True unless the span is shorter than half of the usual period: that may delay a heartbeat, but then both its
    /// neighbours are seen. `asked`: the period that the kubelet's settings ask for, which is usual until another is known.
    pub(crate) fn can_hide(&self, span: Duration, asked: Option<Duration>) -> bool {
        let usual = self.usual_period().or(asked);
        usual.is_none_or(|usual| span >= usual / 2)
    }

    /// The next heartbeat does not follow the last one.
    pub(crate) const fn break_chain(&mut self) {
        self.continuous = false;
    }

    /// A new agent instance of the same boot: its baseline will say whether something was missed.
    pub(crate) const fn await_baseline(&mut self) {
        self.awaits_baseline = true;
        self.view = None;
    }

    /// There is nothing any more that a baseline could be of, and what came before it went may have been missed.
    pub(crate) const fn await_nothing(&mut self) {
        self.awaits_baseline = false;
        self.continuous = false;
    }

    /// Another boot: arrivals of the one before compare with nothing.
    pub(crate) fn forget_arrivals(&mut self) {
        self.continuous = false;
        self.blindness = Blindness::NONE;
        self.spell = None;
        self.view = None;
        if let Some(last) = &mut self.last {
            last.arrival = None;
        }
    }

    pub(crate) const fn see(&mut self, view: Option<Visibility>) {
        self.view = view;
    }

    pub(crate) const fn view(&self) -> Option<Visibility> {
        self.view
    }

    pub(crate) const fn awaits_its_baseline(&self) -> bool {
        self.awaits_baseline && self.last.is_some()
    }

    /// True once a heartbeat or a baseline was seen.
    pub(crate) const fn was_seen(&self) -> bool {
        self.last.is_some()
    }

    /// Its median period. Absent: none is known.
    pub(crate) fn median_period(&self) -> Option<Duration> {
        self.period.median()
    }

    /// Its usual period: the median. Absent: too few are known.
    pub(crate) fn usual_period(&self) -> Option<Duration> {
        let known = self.period.count() >= PERIODS_FOR_MEDIAN;
        self.median_period().filter(|_| known)
    }

    /// Its median delivery delay. Absent: too few are known.
    pub(crate) fn usual_delay(&self) -> Option<Duration> {
        let known = self.delivery_delay.count() >= PERIODS_FOR_MEDIAN;
        self.delivery_delay.median().filter(|_| known)
    }

    /// Stamp of the last heartbeat or baseline. Absent: none was seen.
    pub(crate) fn last_stamp(&self) -> Option<WallTime> {
        self.last.as_ref().map(|last| last.stamp)
    }

    /// When the last heartbeat arrived, since boot. Absent: none was seen arriving on this boot.
    pub(crate) fn last_arrival(&self) -> Option<Duration> {
        let arrival = self.last.as_ref()?.arrival;
        arrival.map(|(since_boot, _)| since_boot)
    }

    pub(crate) const fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    pub(crate) fn figures(&self) -> ChannelFigures {
        let resolution = match self.channel {
            Channel::Lease => None,
            Channel::NodeStatus => Some(STATUS_RESOLUTION),
        };
        let last = self.last.as_ref();
        ChannelFigures {
            channel: self.channel,
            view: self.view,
            heartbeats: self.heartbeats,
            uncredited_renewals: self.uncredited_renewals,
            period: self.period.quantiles(resolution),
            delivery_delay: self.delivery_delay.quantiles(resolution),
            last_stamp: last.map(|last| last.stamp),
            last_arrival_time: last.and_then(|last| last.arrival).map(|(_, time)| time),
        }
    }

    pub(crate) const fn heap_bytes(&self) -> usize {
        self.period.heap_bytes() + self.delivery_delay.heap_bytes()
    }
}
