//! What samples say of the time in which a heartbeat was due and did not come.
//!
//! Two series of samples cover that time, one coarse and one fine. A coarse sample speaks for its whole interval, so it
//! replaces what fine ones said of it; fine ones fill the time after the last coarse one, up to the moment of the heartbeat.
//! So nothing counts twice, and it does not matter which series is heard first.

use std::time::Duration;

use super::{
    facts::Sources,
    figure::{Figure, Reading},
    values::Values,
};
use crate::event::{BlindReason, Channel};

/// What was recorded of a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// When the heartbeat was due, since boot.
    pub from: Duration,
    /// When it came. Absent: not yet.
    pub until: Option<Duration>,
    /// By coarse samples, and by what is true at a moment.
    pub settled: [Part; Figure::SAMPLED],
    /// By fine samples since the last coarse one.
    pub pending: [Part; Figure::SAMPLED],
    /// Up to when coarse samples speak.
    pub coarse_until: Duration,
    /// Up to when any samples speak.
    pub covered_until: Duration,
    /// Seconds of it that samples cover: coarse ones, and fine ones after the last of these.
    pub covered: [f32; 2],
    /// Seconds of it in which the agent could not reach the API server, of each channel.
    pub unconnected: [f32; 2],
    /// Seconds of it in which the API server answered the agent with errors, of each channel.
    pub refused: [f32; 2],
    /// Sources that were read within it.
    pub read: Sources,
}

/// What was recorded of one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// The sum of its values, each times the seconds it held; of a peak the largest.
    pub sum: f32,
    /// The seconds it was recorded for.
    pub seconds: f32,
}

impl Part {
    /// One value that held for this many seconds.
    pub(super) fn constant(figure: Figure, value: f32, seconds: f32) -> Self {
        let mut part = Self::default();
        part.add(figure, value, seconds);
        part
    }

    pub(super) fn add(&mut self, figure: Figure, value: f32, seconds: f32) {
        if figure.reading() == Reading::Peak {
            self.sum = self.sum.max(value);
        } else {
            self.sum += value * seconds;
        }
        self.seconds += seconds;
    }

    fn merge(&mut self, figure: Figure, other: Self) {
        if figure.reading() == Reading::Peak {
            self.sum = self.sum.max(other.sum);
        } else {
            self.sum += other.sum;
        }
        self.seconds += other.seconds;
    }
}

/// The interval of a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    /// Its start.
    pub(crate) start: Duration,
    /// Its end: when the sample was taken.
    pub(crate) end: Duration,
    /// Whether the sample is a fine one.
    pub(crate) fine: bool,
}

impl Seen {
    /// Nothing yet, of the time from `from` on.
    pub(crate) const fn new(from: Duration) -> Self {
        let nothing = Part {
            sum: 0.0,
            seconds: 0.0,
        };
        Self {
            from,
            until: None,
            settled: [nothing; Figure::SAMPLED],
            pending: [nothing; Figure::SAMPLED],
            coarse_until: from,
            covered_until: from,
            covered: [0.0; 2],
            unconnected: [0.0; 2],
            refused: [0.0; 2],
            read: Sources::NONE,
        }
    }

    /// Takes the values of a sample that speak for its interval.
    pub(crate) fn take(&mut self, values: &Values, interval: Interval, read: Sources) {
        let until = self
            .until
            .map_or(interval.end, |until| until.min(interval.end));
        let known_until = if interval.fine {
            self.covered_until
        } else {
            self.coarse_until
        };
        let start = interval.start.max(known_until);
        if start >= until {
            return;
        }
        self.read = self.read.or(read);
        let whole = seconds(interval.end.saturating_sub(interval.start));
        for (figure, value) in values.known() {
            let of_interval = match figure.reading() {
                Reading::Moment | Reading::Found => continue,
                Reading::Spent => whole,
                Reading::Total | Reading::Mean | Reading::Peak => seconds(until - start),
            };
            let index = figure.index();
            if interval.fine {
                self.pending[index].add(figure, value, of_interval);
            } else if interval.end > until {
                // Fine samples know better where in it the heartbeat came: it speaks for the rest alone.
                let pending = std::mem::take(&mut self.pending[index]);
                self.settled[index].merge(figure, pending);
                let rest = (of_interval - pending.seconds).max(0.0);
                self.settled[index].add(figure, value, rest);
            } else {
                self.pending[index] = Part::default();
                self.settled[index].add(figure, value, of_interval);
            }
        }
        if interval.fine {
            self.covered[1] += seconds(until - start);
        } else {
            self.covered = [self.covered[0] + seconds(until - start), 0.0];
            self.coarse_until = until;
        }
        self.covered_until = self.covered_until.max(until);
    }

    /// Takes what was true at a moment, and is taken to have held from `start` to `end`.
    pub(crate) fn hold(&mut self, moment: &Moment, start: Duration, end: Duration) {
        let held = self.overlap(start, end);
        if held > 0.0 {
            for (figure, value) in moment.known() {
                self.settled[figure.index()].add(figure, value, held);
            }
        }
    }

    /// The agent could not see `channel` from `start` to `end`.
    pub(crate) fn blind(
        &mut self,
        channel: Channel,
        reason: BlindReason,
        start: Duration,
        end: Duration,
    ) {
        let blind = self.overlap(start, end);
        match reason {
            BlindReason::Connection => self.unconnected[channel.index()] += blind,
            BlindReason::ServerError => self.refused[channel.index()] += blind,
            // An agent that stood still says nothing of the way to the API server.
            BlindReason::Forbidden | BlindReason::Expired | BlindReason::AgentStalled => {}
        }
    }

    fn overlap(&self, start: Duration, end: Duration) -> f32 {
        let until = self.until.map_or(end, |until| until.min(end));
        seconds(until.saturating_sub(start.max(self.from)))
    }

    /// The mean of a figure, or its peak, and the seconds for which it was recorded. Absent: it was not.
    pub(crate) fn figure(&self, figure: Figure) -> Option<(f32, f32)> {
        let mut part = *self.settled.get(figure.index())?;
        part.merge(figure, self.pending[figure.index()]);
        if part.seconds <= 0.0 {
            return None;
        }
        let peak = figure.reading() == Reading::Peak;
        let value = if peak {
            part.sum
        } else {
            part.sum / part.seconds
        };
        Some((value, part.seconds))
    }
}

fn seconds(duration: Duration) -> f32 {
    duration.as_secs_f32()
}

/// What was true at the moment of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// When it was taken, since boot.
    pub at: Duration,
    /// The figures that hold at a moment, in their order; negative where unknown.
    pub values: [f32; Figure::MOMENTS],
}

impl Moment {
    /// What `values`, taken at `at`, say of that moment.
    pub(crate) fn of(at: Duration, values: &Values) -> Self {
        let figures = Figure::all().skip(Figure::TOTALS);
        let mut moments = [-1.0; Figure::MOMENTS];
        for (figure, moment) in figures.zip(&mut moments) {
            *moment = values.get(figure).unwrap_or(-1.0);
        }
        Self {
            at,
            values: moments,
        }
    }

    fn known(&self) -> impl Iterator<Item = (Figure, f32)> {
        let figures = Figure::all().skip(Figure::TOTALS).zip(self.values);
        figures.filter(|(_, value)| *value >= 0.0)
    }
}
