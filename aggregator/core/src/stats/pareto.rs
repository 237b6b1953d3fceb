//! The tail of a distribution beyond what was seen: peaks over a threshold.
//!
//! Exceedances over a high threshold tend to a generalised Pareto distribution (Pickands, Annals of Statistics 1975),
//! whose survival function is (1 + k y/s)^(-1/k): k > 0 is a heavy tail, k = 0 the exponential, k < 0 has an end. What the
//! exceedances say of k and s is their posterior (Coles, An Introduction to Statistical Modeling of Extreme Values, 2001,
//! chapters 4 and 9), here on a grid: no iteration, so that it always ends, and no random numbers. The prior is flat in
//! log s; on k it is a weak normal one around the exponential, which keeps twenty exceedances from claiming an infinite mean
//! or an end right behind the largest of them. The estimate is the posterior's median, the interval its own.

use super::{Interval, poisson_interval};

/// Fewest exceedances that a tail is fitted to: below, the posterior is hardly more than the prior.
pub(crate) const FEWEST_EXCEEDANCES: usize = 20;
/// Standard deviation of the prior of k: from an end at three times the scale to a heavy tail without variance.
const PRIOR_DEVIATION: f64 = 0.3;
/// Values of k lie between minus and plus this: three deviations of the prior.
const MOST_K: f64 = 0.9;
/// The scale lies within this factor of the mean exceedance, which is s / (1 - k).
const SCALE_FACTOR: f64 = 4.0;
/// Largest values that the fit must hold one by one: as many as what-if leaves to it instead of counting them.
const LARGEST: usize = 10;
/// Points of the grid each way.
const POINTS: u32 = 25;
/// What weighs no more than this moves no sum of weights: all points together are far below the rounding of one that counts.
const NO_WEIGHT: f64 = 1e-30;

/// A fitted tail: how often, and how far, values exceed a threshold.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    threshold: f64,
    exceedances: f64,
    /// Distributions and their weights, which add up to 1.
    posterior: Vec<(Pareto, f64)>,
}

/// A generalised Pareto distribution.
#[derive(Clone, Copy, Debug)]
struct Pareto {
    k: f64,
    scale: f64,
}

impl Pareto {
    /// Below this k the exponential is the same to within rounding.
    const EXPONENTIAL: f64 = 1e-9;

    /// ln(1 + k y/s) / k: how unlikely it is to exceed `y`, as a negative logarithm. Infinite beyond its end.
    fn hazard(self, y: f64) -> f64 {
        if self.k.abs() < Self::EXPONENTIAL {
            return y / self.scale;
        }
        let inner = self.k * y / self.scale;
        if inner <= -1.0 {
            f64::INFINITY
        } else {
            inner.ln_1p() / self.k
        }
    }

    fn survival(self, y: f64) -> f64 {
        (-self.hazard(y)).exp()
    }

    /// `exceedances` ascend.
    fn log_likelihood(self, exceedances: &[f64]) -> f64 {
        // What the largest cannot be from needs no look at the others.
        if exceedances
            .last()
            .is_some_and(|&y| self.hazard(y).is_infinite())
        {
            return f64::NEG_INFINITY;
        }
        let hazards: f64 = exceedances.iter().map(|&y| self.hazard(y)).sum();
        -(exceedances.len() as f64) * self.scale.ln() - (1.0 + self.k) * hazards
    }
}

impl Tail {
    /// Fits the tail of `values`, of which every one above `complete_above` is among them. Absent: too few of them, or they
    /// follow no such distribution.
    pub(crate) fn fit(mut values: Vec<f64>, complete_above: f64) -> Option<Self> {
        values.retain(|&value| value > complete_above);
        // The highest 3 sqrt(n), as for the same fit in Vehtari et al., Pareto smoothed importance sampling (JMLR 2024):
        // enough to fit, few enough to be tail.
        let count = ((3.0 * (values.len() as f64).sqrt()) as usize).max(FEWEST_EXCEEDANCES);
        if values.len() < count {
            return None;
        }
        let below = values.len() - count;
        let threshold = if below == 0 {
            complete_above
        } else {
            // Only those above it need to be in order.
            let (_, threshold, _) = values.select_nth_unstable_by(below - 1, f64::total_cmp);
            *threshold
        };
        values[below..].sort_unstable_by(f64::total_cmp);
        let exceedances: Vec<f64> = values[below..]
            .iter()
            .map(|value| value - threshold)
            .filter(|&y| y > 0.0)
            .collect();
        // Many equal values leave none above one of them.
        if exceedances.len() < FEWEST_EXCEEDANCES {
            return None;
        }
        let tail = Self {
            threshold,
            exceedances: exceedances.len() as f64,
            posterior: posterior(&exceedances),
        };
        tail.holds(&values).then_some(tail)
    }

    /// False when so many of the largest values were seen that their interval and the fit's do not meet: they come from something else than the others
    /// (a timeout, say), and what the others say of values as large is worth nothing. The largest `values` come last and ascend.
    fn holds(&self, values: &[f64]) -> bool {
        let largest = values.iter().rev().take(LARGEST);
        let exceeding = largest.filter(|value| **value > self.threshold);
        exceeding.zip(1_u32..).all(|(&value, seen)| {
            let (_, expected) = self.count(&[(value, 1.0)]);
            poisson_interval(f64::from(seen)).lower <= expected.upper
        })
    }

    /// The value that every exceedance is above.
    pub(crate) const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The expected sum of `probability` over as many values as were seen, where it rises from 0 at `from`, which is not
    /// below the threshold, to 1 at `to`; with its 95 % interval.
    pub(crate) fn expected(
        &self,
        from: f64,
        to: f64,
        probability: impl Fn(f64) -> f64,
    ) -> (f64, Interval) {
        self.count(&rise(from, to, probability))
    }

    /// The expected sum of steps up at values, with its 95 % interval.
    fn count(&self, steps: &[(f64, f64)]) -> (f64, Interval) {
        let share = |pareto: Pareto| -> f64 {
            steps
                .iter()
                .map(|(value, step)| step * pareto.survival(value - self.threshold))
                .sum()
        };
        let mut shares: Vec<(f64, f64)> = self
            .posterior
            .iter()
            .map(|&(pareto, weight)| (share(pareto), weight))
            .collect();
        shares.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        let [lower, share, upper] =
            [0.025, 0.5, 0.975].map(|quantile| weighted_quantile(&shares, quantile));
        let count = poisson_interval(self.exceedances);
        let interval = Interval {
            lower: further(share, lower, count.lower / self.exceedances),
            upper: further(share, upper, count.upper / self.exceedances),
        };
        (self.exceedances * share, interval.times(self.exceedances))
    }
}

/// The end of an interval of a product of two independent estimates: `share`, whose interval ends at `end`, and one whose
/// interval ends at `factor` times its value. Distances add up as squares of logarithms.
fn further(share: f64, end: f64, factor: f64) -> f64 {
    if share <= 0.0 || end <= 0.0 {
        return end * factor;
    }
    let distance = (end / share).ln().hypot(factor.ln());
    share * distance.copysign(factor - 1.0).exp()
}

/// Where and by how much the probability rises.
fn rise(from: f64, to: f64, probability: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    /// Enough for a rise made of a few straight lines.
    const STEPS: u32 = 64;
    let at = |step: f64| from + (to - from) * step / f64::from(STEPS);
    (0..STEPS)
        .map(f64::from)
        .map(|step| {
            (
                at(step + 0.5),
                probability(at(step + 1.0)) - probability(at(step)),
            )
        })
        .collect()
}

/// Every distribution of the grid with its weight.
fn posterior(exceedances: &[f64]) -> Vec<(Pareto, f64)> {
    let mean = exceedances.iter().sum::<f64>() / exceedances.len() as f64;
    // From -1 to 1.
    let points = || (0..POINTS).map(|point| 2.0 * f64::from(point) / f64::from(POINTS - 1) - 1.0);
    let logarithms: Vec<(Pareto, f64)> = points()
        .flat_map(|across| {
            points().map(move |along| Pareto {
                k: MOST_K * across,
                scale: mean * SCALE_FACTOR.powf(along),
            })
        })
        .map(|pareto| {
            let prior = -(pareto.k / PRIOR_DEVIATION).powi(2) / 2.0;
            (pareto, pareto.log_likelihood(exceedances) + prior)
        })
        .collect();
    let best = logarithms
        .iter()
        .map(|(_, logarithm)| *logarithm)
        .fold(f64::MIN, f64::max);
    let weight = |logarithm: f64| (logarithm - best).exp();
    let total: f64 = logarithms
        .iter()
        .map(|(_, logarithm)| weight(*logarithm))
        .sum();
    logarithms
        .into_iter()
        .map(|(pareto, logarithm)| (pareto, weight(logarithm) / total))
        .filter(|(_, weight)| *weight > NO_WEIGHT)
        .collect()
}

/// The value up to which `share` of the weight lies. `values` ascend.
fn weighted_quantile(values: &[(f64, f64)], share: f64) -> f64 {
    let mut weight = 0.0;
    values
        .iter()
        .find(|(_, own)| {
            weight += own;
            weight >= share
        })
        .or(values.last())
        .map_or(0.0, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1 without a pattern, others for each seed (splitmix64).
    fn uniform(seed: u64, count: usize) -> impl Iterator<Item = f64> {
        let mix = |state: u64| {
            let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        let mut state = mix(seed);
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            (mix(state) >> 11) as f64 / (1_u64 << 53) as f64
        })
        .take(count)
    }

    /// How often the interval holds the truth, and the median of estimate / truth, over 100 samples of `count` values above 15
    /// with this `quantile` function; asked at the value that one in `5 * count` exceeds.
    fn validate(count: usize, quantile: impl Fn(f64) -> f64) -> (f64, f64) {
        let beyond = 15.0 + quantile(1.0 - 0.2 / count as f64);
        let mut held = 0;
        let mut ratios = Vec::new();
        for seed in 1..=100 {
            let values = uniform(seed, count).map(|u| 15.0 + quantile(u)).collect();
            let Some(tail) = Tail::fit(values, 15.0) else {
                println!("seed {seed}: refused");
                continue;
            };
            let (expected, interval) = tail.expected(beyond - 1e-6, beyond, |value| {
                f64::from(u8::from(value >= beyond))
            });
            held += u32::from(interval.contains(0.2));
            ratios.push(expected / 0.2);
        }
        ratios.sort_unstable_by(f64::total_cmp);
        (f64::from(held) / 100.0, ratios[50])
    }

    #[test]
    fn exponential_heavy_and_light_tails_are_extrapolated_within_the_interval() {
        let exponential = |u: f64| -5.0 * (1.0 - u).ln();
        let heavy = |u: f64| 4.0 * ((1.0 - u).powf(-0.25) - 1.0) / 0.25;
        let light = |u: f64| 20.0 * (1.0 - (1.0 - u).powf(0.3));
        for (name, quantile) in [
            ("exponential", &exponential as &dyn Fn(f64) -> f64),
            ("heavy", &heavy),
            ("light", &light),
        ] {
            for count in [40, 400] {
                let (coverage, ratio) = validate(count, quantile);
                println!("{name} {count}: coverage {coverage:.2}, estimate / truth {ratio:.2}");
                assert!(coverage >= 0.85, "{name} {count}: {coverage}");
                assert!((0.3..3.0).contains(&ratio), "{name} {count}: {ratio}");
            }
        }
    }

    #[test]
    fn few_exceedances_are_no_tail() {
        let values = (0..19).map(|value| 20.0 + f64::from(value)).collect();
        assert!(Tail::fit(values, 15.0).is_none());
    }

    #[test]
    fn a_second_kind_of_large_values_is_no_tail_of_the_first() {
        let ordinary = (0..80).map(|value| 15.0 + f64::from(value) / 16.0);
        assert!(Tail::fit(ordinary.clone().collect(), 15.0).is_some());
        let both = ordinary.chain([98.0; 9]).collect();
        assert!(Tail::fit(both, 15.0).is_none());
    }

    #[test]
    fn values_that_are_all_equal_are_no_tail() {
        assert!(Tail::fit(vec![20.0; 400], 15.0).is_none());
    }

    #[test]
    fn a_bounded_tail_ends_soon_after_its_bound() {
        let values = uniform(7, 400).map(|u| 15.0 + 35.0 * u).collect();
        let tail = Tail::fit(values, 15.0).expect("enough values");
        let (expected, interval) = tail.expected(60.0, 65.0, |value| (value - 60.0) / 5.0);
        assert!(
            expected < 0.01 && interval.upper < 0.1,
            "{expected} {interval:?}"
        );
    }
}
