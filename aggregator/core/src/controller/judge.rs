//! A controller that judges many gaps: what it decides without a formula is decided at once.

use std::time::Duration;

use super::{ControllerSettings, GapStart, closed_form::Even, earned::Stretch};

/// A controller's settings with what follows from them for every gap. Most gaps are shorter than the earliest flip or longer
/// than the latest, and only those in between need the closed form.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    settings: ControllerSettings,
    earliest: Duration,
    latest: Duration,
    mean_detection: Duration,
    /// Absent: passes differ.
    even: Option<Even>,
}

/// The start of a gap, and what controllers that judge it share of it.
#[derive(Clone, Debug)]
pub(crate) struct Footing {
    start: GapStart,
    /// Its stretches, and the poll interval that they are of. Absent: not needed so far.
    stretches: Option<(Duration, Vec<Stretch>)>,
}

/// What a controller makes of a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Probability that it flips the node within the gap.
    pub flip_probability: f64,
    /// Mean time for which the node stands as not ready before the gap ends; see [`ControllerSettings::mean_outage`].
    pub mean_outage: Duration,
}

impl Judge {
    /// The judge with these settings, which are a controller's.
    pub fn new(settings: ControllerSettings) -> Self {
        Self {
            settings,
            earliest: settings.earliest_flip(GapStart::Once),
            latest: settings.latest_flip(GapStart::Once),
            mean_detection: settings.mean_detection(),
            even: Even::of(&settings),
        }
    }

    /// Its settings.
    pub const fn settings(&self) -> &ControllerSettings {
        &self.settings
    }

    /// What the controller makes of a gap. Absent: it never flips the node within it.
    pub fn judge(&self, length: Duration, start: GapStart) -> Option<Judgement> {
        self.judge_from(length, &mut Footing::of(start))
    }

    /// The same of a gap that others judge as well.
    pub(crate) fn judge_from(&self, length: Duration, footing: &mut Footing) -> Option<Judgement> {
        // A status post only ever adds grace.
        if length <= self.earliest {
            return None;
        }
        let start = footing.start;
        if length >= self.latest && !start.may_earn_a_poll() {
            return Some(Judgement {
                flip_probability: 1.0,
                mean_outage: length - self.mean_detection,
            });
        }
        let Some(even) = self.even.filter(|_| length > self.settings.grace_period) else {
            let flip_probability = self.settings.flip_probability(length, start);
            return (flip_probability > 0.0).then(|| Judgement {
                flip_probability,
                mean_outage: self.settings.mean_outage(length, start),
            });
        };
        let seconds = length.as_secs_f64();
        let (probability, outage) = if start.may_earn_a_poll() {
            even.judge_along(seconds, footing.stretches(even))
        } else {
            even.judge_once(seconds)
        };
        let flip_probability = probability.clamp(0.0, 1.0);
        (flip_probability > 0.0).then(|| Judgement {
            flip_probability,
            mean_outage: Duration::from_secs_f64(outage.clamp(0.0, seconds)),
        })
    }

    /// The longest gap that it surely does not flip, whatever it starts with.
    pub(crate) const fn earliest(&self) -> Duration {
        self.earliest
    }

    /// True when it judges every gap as `other` does.
    pub(crate) fn judges_as(&self, other: &Self) -> bool {
        match (self.even, other.even) {
            (Some(one), Some(other)) => one == other,
            _ => self.settings == other.settings,
        }
    }
}

impl Footing {
    pub(crate) const fn of(start: GapStart) -> Self {
        Self {
            start,
            stretches: None,
        }
    }

    fn stretches(&mut self, even: Even) -> &[Stretch] {
        let known = self.stretches.take().filter(|(of, _)| *of == even.interval);
        let (_, stretches) = self
            .stretches
            .insert(known.unwrap_or_else(|| (even.interval, even.stretches(self.start))));
        stretches
    }
}
