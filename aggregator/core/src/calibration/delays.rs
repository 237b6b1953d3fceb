//! Bounds of the pass duration, from the delays of flips.
//!
//! The delay of the flip that would come in an endless gap is distributed like the flip probability over the length of the
//! gap, so its density is that probability's slope. The product of these densities, each given that the gap did flip, weighs
//! the possible longest passes, from none on: so the number of flips, which the model is to predict, does not enter (likelihood
//! under truncation). The weighted mean is taken and not the heaviest, which puts G' at the very first flip and so always a
//! little late.
//!
//! Long enough passes would explain flips at any delay, those of another grace period too. But whatever the grace period is,
//! flips of short passes come within one monitor period, and those of long passes do not. So passes are only taken for long
//! when the delays are spread wider than that. Otherwise they put off the flips by a fraction of a monitor period, while a
//! grace period of another number of polls moves them by whole ones.

use std::time::Duration;

use super::Trial;
use crate::controller::{ControllerSettings, GapStart, PassDuration};

/// Longest passes that are tried, evenly in proportion.
const CANDIDATES: u32 = 60;
/// The shortest of them, as a share of the longest.
const RANGE: f64 = 0.0005;
/// How far short passes may put off a flip on average, as a share of the monitor period. With a grace of 40 s and a period of
/// 5 s they take up to 0.3 s; those of an idle controller take 0.002 to 0.03 s.
const SHORT: f64 = 0.25;
/// How much wider than a monitor period the delays of long passes are spread, as a share of it.
const WIDER: f64 = 0.05;
/// Share of flips that come at any time up to the end of the gap, for reasons the model does not know: it keeps one of them
/// from ruling out the truth. Half of them are left out at either end of the delays.
const STRAY: f64 = 0.02;

/// Bounds of the passes under which the flips of the trials were likely to come when they came.
pub(super) fn likely_passes(settings: &ControllerSettings, trials: &[Trial]) -> PassDuration {
    let period = settings.monitor_period.as_secs_f64();
    let polls = (settings.grace_period.as_secs_f64() / period).floor() + 1.0;
    let limit = if spread(trials) > period * (1.0 + WIDER) {
        period
    } else {
        2.0 * period * SHORT / polls
    };
    let candidates: Vec<(f64, f64)> = (0..=CANDIDATES)
        .map(|count| limit * RANGE.powf(f64::from(count) / f64::from(CANDIDATES)))
        .map(|longest| (longest, log_likelihood(settings, up_to(longest), trials)))
        .collect();
    let largest = candidates
        .iter()
        .map(|&(_, log)| log)
        .fold(f64::NEG_INFINITY, f64::max);
    let (sum, weights) = candidates
        .iter()
        .map(|&(longest, log)| (longest.ln(), (log - largest).exp()))
        .fold((0.0, 0.0), |(sum, weights), (longest, weight)| {
            (sum + longest * weight, weights + weight)
        });
    up_to((sum / weights).exp())
}

/// Passes of any length up to `longest` seconds.
fn up_to(longest: f64) -> PassDuration {
    PassDuration {
        shortest: Duration::ZERO,
        longest: Duration::from_secs_f64(longest),
    }
}

/// Seconds between the first and the last delay, but for strays.
fn spread(trials: &[Trial]) -> f64 {
    let mut delays: Vec<Duration> = trials.iter().filter_map(|t| t.flipped_after).collect();
    delays.sort_unstable();
    let left_out = (delays.len() as f64 * STRAY / 2.0) as usize;
    let kept = delays.get(left_out..delays.len() - left_out);
    kept.and_then(|kept| Some((*kept.last()? - *kept.first()?).as_secs_f64()))
        .unwrap_or(0.0)
}

/// Logarithm of the product that the module describes.
fn log_likelihood(settings: &ControllerSettings, pass: PassDuration, trials: &[Trial]) -> f64 {
    let settings = ControllerSettings { pass, ..*settings };
    let by = |length: Duration| settings.flip_probability(length, GapStart::Once);
    let step = settings.monitor_period / 1000;
    let likelihood = |trial: &Trial| {
        let after = trial.flipped_after?;
        let flipped = by(trial.gap);
        let slope = by(after + step) - by(after.saturating_sub(step));
        let density = if flipped > 0.0 {
            (slope / (2.0 * step.as_secs_f64() * flipped)).max(0.0)
        } else {
            0.0
        };
        let stray = STRAY / trial.gap.as_secs_f64();
        Some((density * (1.0 - STRAY) + stray).ln())
    };
    trials.iter().filter_map(likelihood).sum()
}
