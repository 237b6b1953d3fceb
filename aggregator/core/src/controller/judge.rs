//! A controller that judges many gaps: what it decides without a formula is decided at once.

use std::time::Duration;

use super::{ControllerSettings, GapStart};

/// A controller's settings with what follows from them for every gap. Most gaps are shorter than the earliest flip or longer
/// than the latest, and only those in between need the closed form.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    settings: ControllerSettings,
    earliest: Duration,
    latest: Duration,
    mean_detection: Duration,
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
        }
    }

    /// Its settings.
    pub const fn settings(&self) -> &ControllerSettings {
        &self.settings
    }

    /// What the controller makes of a gap. Absent: it never flips the node within it.
    pub fn judge(&self, length: Duration, start: GapStart) -> Option<Judgement> {
        // A status post only ever adds grace.
        if length <= self.earliest {
            return None;
        }
        if length >= self.latest && !start.may_earn_a_poll() {
            return Some(Judgement {
                flip_probability: 1.0,
                mean_outage: length - self.mean_detection,
            });
        }
        let flip_probability = self.settings.flip_probability(length, start);
        (flip_probability > 0.0).then(|| Judgement {
            flip_probability,
            mean_outage: self.settings.mean_outage(length, start),
        })
    }
}
