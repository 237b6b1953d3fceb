//! Where the length of the controller's passes comes from when its flips are known.

use std::time::Duration;

use super::{Trial, delays::likely_passes};
use crate::controller::{ControllerSettings, GapStart, Looks};

/// Fewest flips whose delays tell how long passes are; with fewer, the settings hold.
const FLIPS_TO_TELL: usize = 20;

/// The controller's passes. Whichever form they have, the grace period is that of the settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Passes {
    /// All of the length that the settings say.
    Settings(ControllerSettings),
    /// Between bounds under which the flips were likely to come when they came.
    Even(ControllerSettings),
    /// Each measured from its flips, which are clearly those of one controller.
    Measured {
        /// The passes.
        looks: Looks,
        /// Share of the flips that came in the very pass that the looks and the grace period say. Only a figure to look at:
        /// flips have a part in the looks that explain them.
        explained: f64,
    },
}

impl Passes {
    /// Measures the passes from the times of the trials' flips; how many flipped does not enter. Flips that are not clearly
    /// those of one controller give only bounds of the pass duration, and few flips not even these.
    pub fn of(settings: ControllerSettings, trials: &[Trial]) -> Self {
        let flips: Vec<(Duration, Duration)> = trials
            .iter()
            .filter_map(|trial| Some((trial.start, trial.start + trial.flipped_after?)))
            .collect();
        let times: Vec<Duration> = flips.iter().map(|&(_, flip)| flip).collect();
        if let Some(looks) = Looks::measure(&settings, &times) {
            let explained = looks.explained(&flips);
            Self::Measured { looks, explained }
        } else if flips.len() >= FLIPS_TO_TELL {
            let pass = likely_passes(&settings, trials);
            Self::Even(ControllerSettings { pass, ..settings })
        } else {
            Self::Settings(settings)
        }
    }

    /// The probability that the trial's gap contains a flip, the phase of the poll being unknown.
    pub fn flip_probability(&self, trial: &Trial) -> f64 {
        match self {
            Self::Settings(settings) | Self::Even(settings) => {
                settings.flip_probability(trial.gap, GapStart::Once)
            }
            Self::Measured { looks, .. } => looks.flip_probability(trial.start, trial.gap),
        }
    }
}
