//! The model held against what a controller really did: predicted and actual flips, Brier score and reliability.

mod days;
mod delays;
mod passes;

use std::time::Duration;

pub use days::{Day, by_day};
pub use passes::Passes;

/// Width of a row of the reliability table, in seconds of gap.
const BIN: f64 = 0.5;

/// One gap and what the controller made of it. All times are of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Arrival of the heartbeat before the gap.
    pub start: Duration,
    /// Its length.
    pub gap: Duration,
    /// Time from `start` to the flip. Absent: there was none.
    pub flipped_after: Option<Duration>,
}

/// How well predictions and outcomes agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Gaps.
    pub gaps: usize,
    /// Sum of the flip probabilities.
    pub predicted: f64,
    /// Standard deviation of the number of flips, if the model is right.
    pub standard_deviation: f64,
    /// Flips.
    pub actual: usize,
    /// Mean squared difference of probability and outcome: 0 is perfect, 0.25 what tossing a coin reaches (Brier, Monthly
    /// Weather Review 1950).
    pub brier_score: f64,
    /// Every half-second of gap that holds a trial.
    pub bins: Vec<Bin>,
}

/// A half-second of gap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Its lower end, in seconds.
    pub from: f64,
    /// Gaps in it.
    pub gaps: usize,
    /// Flips predicted.
    pub predicted: f64,
    /// Standard deviation of the flips, if the model is right.
    pub standard_deviation: f64,
    /// Flips.
    pub actual: usize,
}

impl Bin {
    /// Actual minus predicted share of flips.
    pub fn error(&self) -> f64 {
        (self.actual as f64 - self.predicted) / self.gaps as f64
    }
}

impl Calibration {
    /// Holds predictions against outcomes. Absent: there are no trials.
    pub fn of(passes: &Passes, trials: &[Trial]) -> Option<Self> {
        if trials.is_empty() {
            return None;
        }
        let mut bins: Vec<Bin> = Vec::new();
        let mut squares = 0.0;
        for trial in trials {
            let probability = passes.flip_probability(trial);
            let flipped = trial.flipped_after.is_some();
            squares += (probability - f64::from(u8::from(flipped))).powi(2);
            let from = (trial.gap.as_secs_f64() / BIN).floor() * BIN;
            let bin = match bins.binary_search_by(|bin| bin.from.total_cmp(&from)) {
                Ok(at) => &mut bins[at],
                Err(at) => {
                    let empty = Bin {
                        from,
                        ..Bin::default()
                    };
                    bins.insert(at, empty);
                    &mut bins[at]
                }
            };
            bin.gaps += 1;
            bin.predicted += probability;
            // The variance while adding up; its root below.
            bin.standard_deviation += probability * (1.0 - probability);
            bin.actual += usize::from(flipped);
        }
        let variance: f64 = bins.iter().map(|bin| bin.standard_deviation).sum();
        for bin in &mut bins {
            bin.standard_deviation = bin.standard_deviation.sqrt();
        }
        Some(Self {
            gaps: trials.len(),
            predicted: bins.iter().map(|bin| bin.predicted).sum(),
            standard_deviation: variance.sqrt(),
            actual: bins.iter().map(|bin| bin.actual).sum(),
            brier_score: squares / trials.len() as f64,
            bins,
        })
    }

    /// How many standard deviations the actual flips are above the predicted ones; negative: below. Infinite when the model
    /// left no room and was wrong.
    pub fn deviations(&self) -> f64 {
        let difference = self.actual as f64 - self.predicted;
        if difference.abs() < 1e-9 {
            0.0
        } else {
            difference / self.standard_deviation
        }
    }
}
