//! The figures of one sample as causes are judged by them: totals turned into shares of time, shares no larger than one.

use std::time::Duration;

use super::{
    facts::Facts,
    figure::{Figure, Reading, Unit},
};

/// Processor use below which the kubelet is taken to do nothing at all: even an idle one lists its pods every second, which
/// takes some milliseconds.
const NO_CPU: f32 = 0.001;
/// Seconds that must pass without any use of a processor: the kernel counts that in ticks of 10 ms, and of an idle kubelet most
/// single seconds hold none.
const WITHOUT_A_TICK: f32 = 5.0;
/// Mean waiting below which nothing is taken to have waited.
const NO_WAIT: f32 = 0.02;
/// Share of the requests to the API server that must have gone unanswered for it to be called silent: an interval at whose edge a
/// connection died, or came back, holds some that were answered.
const NEARLY_ALL: f32 = 0.9;

/// One value for each figure that a sample can carry; not a number where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values([f32; Figure::SAMPLED]);

impl Values {
    /// The value of a figure. Absent: unknown.
    pub(crate) fn get(&self, figure: Figure) -> Option<f32> {
        self.0
            .get(figure.index())
            .copied()
            .filter(|value| !value.is_nan())
    }

    /// The figures that have a value, with it.
    pub(crate) fn known(&self) -> impl Iterator<Item = (Figure, f32)> {
        let values = Figure::all().zip(self.0);
        values.filter(|(_, value)| !value.is_nan())
    }

    fn set(&mut self, figure: Figure, value: f32) {
        let share = figure.unit() == Unit::Ratio && figure.reading() != Reading::Spent;
        self.0[figure.index()] = if share { value.min(1.0) } else { value };
    }

    /// The kubelet lives, is neither stopped nor waiting for anything, and does nothing.
    fn is_still(&self, interval: Duration) -> Option<bool> {
        if interval.as_secs_f32() < WITHOUT_A_TICK {
            return None;
        }
        let waits = |figure| self.get(figure).is_some_and(|share| share > NO_WAIT);
        let waiting = waits(Figure::KubeletRunQueueWait)
            || waits(Figure::Throttled)
            || waits(Figure::KubeletStopped)
            || waits(Figure::KubeletWaitsForIo);
        Some(self.get(Figure::KubeletCpu)? < NO_CPU && !waiting)
    }
}

/// The sample before in a series: what totals grow from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Series {
    /// When it was taken, since boot.
    pub at: Duration,
    /// The time that its means and shares cover. Zero: it was the first of its series.
    pub interval: Duration,
    /// Its totals in seconds, in the order of the figures; negative where there was none.
    pub totals: [f64; Figure::TOTALS],
}

impl Series {
    /// The values of a sample that comes after `before` in its series.
    pub(crate) fn values(before: Option<&Self>, facts: &Facts) -> Values {
        let mut values = Values([f32::NAN; Figure::SAMPLED]);
        for figure in Figure::all().take(Figure::SAMPLED) {
            let value = match figure.reading() {
                Reading::Total => before.and_then(|before| before.growth(facts, figure)),
                _ => facts.figures.get(figure),
            };
            if let Some(value) = value {
                values.set(figure, value as f32);
            }
        }
        let flag = |set: bool| f32::from(u8::from(set));
        if let Some(still) = values.is_still(facts.interval.unwrap_or_default()) {
            values.set(Figure::KubeletStill, flag(still));
        }
        if let Some(unanswered) = values.get(Figure::ApiUnanswered) {
            values.set(Figure::ApiSilent, flag(unanswered >= NEARLY_ALL));
        }
        values
    }

    /// What the next sample's totals grow from.
    pub(crate) fn of(facts: &Facts) -> Self {
        let mut totals = [-1.0; Figure::TOTALS];
        for (figure, total) in Figure::all().zip(&mut totals) {
            *total = facts.figures.get(figure).unwrap_or(-1.0);
        }
        Self {
            at: facts.at,
            interval: facts.interval.unwrap_or_default(),
            totals,
        }
    }

    /// How much of the time since then a total grew by. Absent: unknown.
    fn growth(&self, facts: &Facts, figure: Figure) -> Option<f64> {
        let before = self.totals[figure.index()];
        let grown = facts.figures.get(figure)? - before;
        let time = facts.at.checked_sub(self.at)?.as_secs_f64();
        (before >= 0.0 && grown >= 0.0 && time > 0.0).then(|| grown / time)
    }
}
