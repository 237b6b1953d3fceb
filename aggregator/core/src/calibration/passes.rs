//! Where the length of the controller's passes comes from when its flips are known.

use std::time::Duration;

use super::{Trial, delays::likeliest_pass};
use crate::controller::{ControllerSettings, GapStart, Looks, PassDuration};

/// Fewest flips from which passes are measured; with fewer, the settings hold.
const FLIPS_TO_MEASURE: usize = 20;
/// Share of the flips that must come in the pass that the measured passes say. By chance it would be a twentieth; a busy
/// controller reaches nineteen twentieths.
const SHARE_TO_EXPLAIN: f64 = 0.7;

/// The controller's passes.
#[derive(Clone, Debug, PartialEq)]
pub enum Passes {
    /// All of the length that the settings say.
    Settings(ControllerSettings),
    /// All of one length: the one under which the flips are likeliest to come when they came.
    Even(ControllerSettings),
    /// Each measured from its flips.
    Measured {
        /// The passes.
        looks: Looks,
        /// Share of the flips that came in the very pass that the looks say.
        explained: f64,
    },
}

impl Passes {
    /// Measures the passes from the times of the trials' flips; how many flipped does not enter. Flips that are not those of
    /// one controller give one pass duration for all, and few flips give none.
    pub fn of(settings: ControllerSettings, trials: &[Trial]) -> Self {
        let flips: Vec<(Duration, Duration)> = trials
            .iter()
            .filter_map(|trial| Some((trial.start, trial.start + trial.flipped_after?)))
            .collect();
        if flips.len() < FLIPS_TO_MEASURE {
            return Self::Settings(settings);
        }
        let measured = measure(&settings, trials, &flips);
        measured.unwrap_or_else(|| {
            let pass = PassDuration::constant(likeliest_pass(&settings, trials));
            Self::Even(ControllerSettings { pass, ..settings })
        })
    }

    /// The probability that the trial's gap contains a flip, the phase of the poll being unknown.
    pub fn flip_probability(&self, trial: &Trial) -> f64 {
        match self {
            Self::Settings(settings) | Self::Even(settings) => {
                settings.flip_probability(trial.gap, GapStart::Once)
            }
            Self::Measured { looks, .. } => looks
                .ramp(trial.start)
                .map_or(0.0, |ramp| ramp.flip_probability(trial.gap)),
        }
    }
}

fn measure(
    settings: &ControllerSettings,
    trials: &[Trial],
    flips: &[(Duration, Duration)],
) -> Option<Passes> {
    let times: Vec<Duration> = flips.iter().map(|&(_, flip)| flip).collect();
    let from = trials.iter().map(|trial| trial.start).min()?;
    let to = trials.iter().map(|trial| trial.start + trial.gap).max()?;
    let looks = Looks::measure(settings, &times, from, to)?;
    let explained = looks.explained(flips);
    (explained >= SHARE_TO_EXPLAIN).then_some(Passes::Measured { looks, explained })
}
