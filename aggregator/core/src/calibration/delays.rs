//! One pass duration for all passes, from the delays of flips.
//!
//! While passes take d, flips come evenly between G' = n (P + d) and G' + P' after the last heartbeat, as far as the gap
//! lasts. The product of these densities, each given that the gap did flip, weighs the possible d: so the number of flips,
//! which the model is to predict, does not enter (likelihood under truncation). The weighted mean is taken and not the
//! heaviest d, which puts G' at the very first flip and so always a little late.
//!
//! A long enough pass would explain flips at any delay, those of another grace period too. So a pass is only as long as it
//! puts off the flips by a fraction of a monitor period, while a grace period of another number of polls moves them by whole
//! ones.

use std::time::Duration;

use super::Trial;
use crate::controller::{ControllerSettings, GapStart, PassDuration};

/// Pass durations that are tried, evenly up to the longest.
const CANDIDATES: u32 = 200;
/// How far the passes of one grace period may put off a flip, as a share of the monitor period. With a grace of 40 s and a
/// period of 5 s passes take up to 0.16 s; those of an idle controller take 0.002 to 0.03 s.
const LONGEST_DELAY: f64 = 0.25;
/// Share of flips that come at any time up to the end of the gap, for reasons the model does not know: it keeps one of them
/// from ruling out the truth.
const STRAY: f64 = 0.02;

/// The mean of the pass durations, weighted by how likely the flips of the trials were to come when they came.
pub(super) fn mean_pass(settings: &ControllerSettings, trials: &[Trial]) -> Duration {
    let period = settings.monitor_period.as_secs_f64();
    let polls = (settings.grace_period.as_secs_f64() / period).floor() + 1.0;
    let step = period * LONGEST_DELAY / polls / f64::from(CANDIDATES);
    let candidates: Vec<(f64, f64)> = (1..=CANDIDATES)
        .map(|count| step * f64::from(count))
        .map(|pass| (pass, log_likelihood(settings, pass, trials)))
        .collect();
    let largest = candidates
        .iter()
        .map(|&(_, log)| log)
        .fold(f64::NEG_INFINITY, f64::max);
    let (sum, weights) = candidates
        .iter()
        .map(|&(pass, log)| (pass, (log - largest).exp()))
        .fold((0.0, 0.0), |(sum, weights), (pass, weight)| {
            (sum + pass * weight, weights + weight)
        });
    Duration::from_secs_f64(sum / weights)
}

fn log_likelihood(settings: &ControllerSettings, pass: f64, trials: &[Trial]) -> f64 {
    let pass = Duration::from_secs_f64(pass);
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
