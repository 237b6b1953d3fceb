//! What a node was like over the last hours, coarsely: the worst of every two minutes, for whoever looks at it afterwards.
//!
//! It is in memory only and bounded: a step is 14 bytes, so that the 128 of a node take 1.8 KiB. Values are cut to what people can see
//! on a plot; a step in which nothing was measured stays unknown, and what is older than the oldest step is left out.

use std::{collections::VecDeque, time::Duration};

use nodegrace_core::{AgentId, Channel, Report, event::Record};
use nodegrace_proto::v1;

/// Length of a step: some ten heartbeats and samples of a healthy node.
pub(crate) const STEP: Duration = Duration::from_secs(120);
/// Steps kept: a little more than four hours.
const STEPS: usize = 128;

/// No value. Real ones end below.
const NONE: u16 = u16::MAX;
const NO_SHARE: u8 = u8::MAX;
/// What one unit of a kept value stands for.
const TENTH: f64 = 0.1;
const HUNDREDTH: f64 = 0.01;
const SHARE: f64 = 0.005;

/// What a sample says for a course.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// Its number among the agent's records.
    number: u64,
    /// When it was taken, since boot.
    at: Duration,
    /// Stalls on processor, IO and memory: shares of the last 10 s in which some task waited. Absent: unknown.
    pressure: [Option<f64>; 3],
    /// Processors that the kubelet used. Absent: unknown.
    kubelet_cores: Option<f64>,
    /// The slowest call to the runtime, in seconds. Absent: none is known.
    runtime_call: Option<f64>,
}

/// What a batch says for a course.
#[derive(Debug)]
pub(super) struct Marks {
    agent: AgentId,
    /// When it was sent, since boot.
    sent: Duration,
    /// With their numbers among the agent's records.
    records: Vec<(u64, Mark)>,
    looks: Vec<Look>,
}

#[derive(Debug)]
enum Mark {
    Beat(Beat),
    /// A channel could not be seen.
    Blind,
}

/// A heartbeat.
#[derive(Debug)]
struct Beat {
    /// 0: the Lease; 1: the Node status.
    channel: usize,
    /// The kubelet's stamp, in nanoseconds.
    stamp: i64,
    /// Since boot.
    arrival: Duration,
    /// False where it may have arrived long before.
    is_timed: bool,
}

/// The worst within one step, in the units above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    gap: u16,
    periods: [u16; 2],
    kubelet_cores: u16,
    runtime_call: u16,
    pressure: [u8; 3],
}

/// The worst within one step. Absent: nothing is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// The longest gap that ended in it, in seconds.
    pub(crate) gap: Option<f64>,
    /// The longest period of each channel that ended in it, in seconds.
    pub(crate) periods: [Option<f64>; 2],
    /// Stalls on processor, IO and memory.
    pub(crate) pressure: [Option<f64>; 3],
    /// Processors that the kubelet used.
    pub(crate) kubelet_cores: Option<f64>,
    /// The slowest call to the runtime, in seconds.
    pub(crate) runtime_call: Option<f64>,
}

/// The course of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// The latest step's number, counted from the begin of the aggregator's timeline.
    newest: u64,
    /// Steps one after the other up to the newest.
    kept: VecDeque<Kept>,
    /// The agent whose clock the moments below are of.
    agent: Option<AgentId>,
    /// Arrival of the last heartbeat, and the stamps of the last on each channel. Absent: none, or something may have been missed since.
    arrival: Option<Duration>,
    stamps: [Option<i64>; 2],
}

impl Look {
    /// What `sample` says. Absent: it does not say when it was taken.
    pub(crate) fn of(sample: &v1::Sample) -> Option<Self> {
        let at = Duration::try_from(sample.sample_monotonic?).ok()?;
        let pressure = sample.pressure.unwrap_or_default();
        let stall = |stall: Option<v1::PressureStall>| stall.map(|stall| stall.some_avg10_ratio);
        let own = sample.kubelet_process.as_ref();
        let told = sample.kubelet_metrics.as_ref();
        let calls = sample.runtime.iter().flat_map(|runtime| &runtime.calls);
        let timed = calls.filter_map(|call| call.took).map(seconds);
        // Where the runtime is not asked by the agent, the kubelet says how long it waits on average.
        let means = told.iter().flat_map(|told| &told.runtime_operations);
        let means = means.filter_map(|latency| latency.mean).map(seconds);
        Some(Self {
            number: sample.sequence_number,
            at,
            pressure: [pressure.cpu, pressure.io, pressure.memory].map(stall),
            kubelet_cores: own
                .and_then(|own| own.cpu_cores)
                .or_else(|| told.and_then(|told| told.cpu_cores)),
            runtime_call: timed.reduce(f64::max).or_else(|| means.reduce(f64::max)),
        })
    }
}

impl Marks {
    /// What is in a batch. What an earlier run of the agent left behind is of no known age, and not told.
    pub(super) fn of(report: &Report, looks: Vec<Look>) -> Option<Self> {
        let mark = |(number, record): &(u64, Record)| {
            let mark = match record {
                Record::Heartbeat(heartbeat) => Mark::Beat(Beat {
                    channel: usize::from(heartbeat.channel == Channel::NodeStatus),
                    stamp: heartbeat.stamp.unix_nanos(),
                    arrival: heartbeat.arrival,
                    is_timed: !heartbeat.baseline && heartbeat.arrival_uncertainty.is_zero(),
                }),
                Record::BlindSpell(_) => Mark::Blind,
                Record::ReadyChange(_) | Record::Sample(_) => return None,
            };
            Some((*number, mark))
        };
        (!report.replay).then(|| Self {
            agent: report.agent.clone(),
            sent: report.sent,
            records: report.records.iter().filter_map(mark).collect(),
            looks,
        })
    }
}

impl Course {
    /// Takes those of `marks` that are new, from the record with the number `first_new` on; `received` is on the aggregator's timeline.
    pub(super) fn take(&mut self, marks: &Marks, first_new: u64, received: Duration) {
        if self.agent.as_ref() != Some(&marks.agent) {
            self.lose_track();
            self.agent = Some(marks.agent.clone());
        }
        // By how long ago it was on the node: its wall clock may step.
        let moment = |at: Duration| received.saturating_sub(marks.sent.saturating_sub(at));
        let is_new = |number: u64| number >= first_new;
        for (_, mark) in marks.records.iter().filter(|(number, _)| is_new(*number)) {
            match mark {
                Mark::Beat(beat) => self.beat(beat, moment(beat.arrival)),
                // What came meanwhile may have been missed, and when the next one came is not known well.
                Mark::Blind => self.lose_track(),
            }
        }
        for look in marks.looks.iter().filter(|look| is_new(look.number)) {
            if let Some(kept) = self.at(moment(look.at)) {
                kept.look(look);
            }
        }
    }

    /// Nothing is known any more of what came last.
    const fn lose_track(&mut self) {
        (self.arrival, self.stamps) = (None, [None; 2]);
    }

    fn beat(&mut self, beat: &Beat, moment: Duration) {
        let last = self.arrival.filter(|_| beat.is_timed);
        let gap = last.map(|last| beat.arrival.saturating_sub(last).as_secs_f64());
        let last = self.stamps[beat.channel].replace(beat.stamp);
        let period = last.map(|last| beat.stamp.saturating_sub(last) as f64 / 1e9);
        self.arrival = beat.is_timed.then_some(beat.arrival);
        if let Some(kept) = self.at(moment) {
            raise(&mut kept.gap, gap, TENTH);
            // A stamp that did not move forward ends no period.
            let period = period.filter(|period| *period > 0.0);
            raise(&mut kept.periods[beat.channel], period, TENTH);
        }
    }

    /// The step of this moment. Absent: it is older than what is kept.
    fn at(&mut self, moment: Duration) -> Option<&mut Kept> {
        let number = moment.as_secs() / STEP.as_secs();
        if self.kept.is_empty() {
            self.newest = number;
            self.kept.push_back(Kept::UNKNOWN);
        }
        // A pause of any length costs no more than what is kept.
        let ahead = number.saturating_sub(self.newest).min(STEPS as u64);
        for _ in 0..ahead {
            if self.kept.len() == STEPS {
                self.kept.pop_front();
            }
            self.kept.push_back(Kept::UNKNOWN);
        }
        self.newest = self.newest.max(number);
        let back = usize::try_from(self.newest - number).ok()?;
        // Backlog of an agent that was cut off is older than what came first.
        while back >= self.kept.len() && self.kept.len() < STEPS && back < STEPS {
            self.kept.push_front(Kept::UNKNOWN);
        }
        let index = self.kept.len().checked_sub(back + 1)?;
        self.kept.get_mut(index)
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.kept.capacity() * size_of::<Kept>()
    }

    /// When the oldest step began, on the aggregator's timeline. Absent: there is none.
    pub(crate) fn begin(&self) -> Option<Duration> {
        let back = (self.kept.len() as u64).checked_sub(1)?;
        let first = u32::try_from(self.newest.saturating_sub(back)).ok()?;
        Some(STEP.saturating_mul(first))
    }

    /// Its steps, the oldest first.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        self.kept.iter().map(Kept::step)
    }
}

impl Kept {
    const UNKNOWN: Self = Self {
        gap: NONE,
        periods: [NONE; 2],
        kubelet_cores: NONE,
        runtime_call: NONE,
        pressure: [NO_SHARE; 3],
    };

    fn look(&mut self, look: &Look) {
        raise(&mut self.kubelet_cores, look.kubelet_cores, HUNDREDTH);
        raise(&mut self.runtime_call, look.runtime_call, HUNDREDTH);
        for (kept, share) in self.pressure.iter_mut().zip(look.pressure) {
            let Some(share) = share.filter(|share| share.is_finite()) else {
                continue;
            };
            let units = (share.clamp(0.0, 1.0) / SHARE).round() as u8;
            *kept = if *kept == NO_SHARE {
                units
            } else {
                units.max(*kept)
            };
        }
    }

    fn step(&self) -> Step {
        let value = |kept: u16, unit: f64| (kept != NONE).then(|| f64::from(kept) * unit);
        Step {
            gap: value(self.gap, TENTH),
            periods: self.periods.map(|kept| value(kept, TENTH)),
            pressure: self
                .pressure
                .map(|kept| (kept != NO_SHARE).then(|| f64::from(kept) * SHARE)),
            kubelet_cores: value(self.kubelet_cores, HUNDREDTH),
            runtime_call: value(self.runtime_call, HUNDREDTH),
        }
    }
}

/// Keeps the larger one. What is too large for the plot is as large as can be kept.
fn raise(kept: &mut u16, value: Option<f64>, unit: f64) {
    let Some(value) = value.filter(|value| *value >= 0.0) else {
        return;
    };
    let units = (value / unit).round().min(f64::from(NONE - 1)) as u16;
    *kept = if *kept == NONE {
        units
    } else {
        units.max(*kept)
    };
}

fn seconds(duration: nodegrace_proto::prost_types::Duration) -> f64 {
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(course: &Course) -> Vec<Option<f64>> {
        course.steps().map(|step| step.runtime_call).collect()
    }

    fn note(course: &mut Course, minute: u64, value: f64) {
        if let Some(kept) = course.at(Duration::from_secs(60 * minute)) {
            raise(&mut kept.runtime_call, Some(value), HUNDREDTH);
        }
    }

    #[test]
    fn the_worst_of_a_step_is_kept_and_nothing_where_nothing_was_measured() {
        let mut course = Course::default();
        for (minute, value) in [(10, 0.5), (11, 0.25), (16, 1.0), (12, 2.0)] {
            note(&mut course, minute, value);
        }
        assert_eq!(steps(&course), [Some(0.5), Some(2.0), None, Some(1.0)]);
        assert_eq!(course.begin(), Some(Duration::from_secs(600)));
    }

    #[test]
    fn backlog_comes_before_what_came_first_and_too_old_is_left_out() {
        let mut course = Course::default();
        note(&mut course, 1000, 1.0);
        note(&mut course, 996, 2.0);
        note(&mut course, 1, 9.0);
        assert_eq!(steps(&course), [Some(2.0), None, Some(1.0)]);
    }

    #[test]
    fn a_course_never_takes_more_than_two_kibibytes() {
        let mut course = Course::default();
        for minute in (0..100_000).step_by(7) {
            note(&mut course, minute, 1e9);
        }
        assert_eq!(course.kept.len(), STEPS);
        assert!(course.bytes() <= 2048, "{}", course.bytes());
        let most = f64::from(NONE - 1) * HUNDREDTH;
        assert_eq!(steps(&course).last(), Some(&Some(most)));
    }
}
