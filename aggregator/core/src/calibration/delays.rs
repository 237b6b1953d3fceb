//! One pass duration for all passes, from the delays of flips.
//!
//! While passes take d, flips come evenly between G' = n (P + d) and G' + P' after the last heartbeat, as far as the gap
//! lasts. The likeliest d is the one that maximises the product of these densities, each given that the gap did flip: so the
//! number of flips, which the model is to predict, does not enter (maximum likelihood under truncation).

use std::time::Duration;

use super::Trial;
use crate::controller::{ControllerSettings, GapStart, PassDuration};

/// Pass durations that are tried, evenly from a thousandth of a monitor period up to a whole one.
const CANDIDATES: u32 = 1000;
/// Share of flips that come at any time up to the end of the gap, for reasons the model does not know: it keeps one of them
/// from ruling out the truth.
const STRAY: f64 = 0.02;

/// The pass duration under which the flips of the trials are likeliest to come when they came.
pub(super) fn likeliest_pass(settings: &ControllerSettings, trials: &[Trial]) -> Duration {
    let step = settings.monitor_period / CANDIDATES;
    (1..=CANDIDATES)
        .map(|count| step * count)
        .map(|pass| (log_likelihood(settings, pass, trials), pass))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map_or(settings.pass.shortest, |(_, pass)| pass)
}

fn log_likelihood(settings: &ControllerSettings, pass: Duration, trials: &[Trial]) -> f64 {
    let settings = ControllerSettings {
        pass: PassDuration::constant(pass),
        ..*settings
    };
    let earliest = settings.effective_grace(pass);
    let interval = settings.monitor_period + pass;
    let likelihood = |trial: &Trial| {
        let after = trial.flipped_after?;
        let flipped = settings.flip_probability(trial.gap, GapStart::Once);
        let in_time = (earliest..=earliest + interval).contains(&after) && flipped > 0.0;
        let density = if in_time {
            1.0 / (interval.as_secs_f64() * flipped)
        } else {
            0.0
        };
        let stray = STRAY / trial.gap.as_secs_f64();
        Some((density * (1.0 - STRAY) + stray).ln())
    };
    trials.iter().filter_map(likelihood).sum()
}
