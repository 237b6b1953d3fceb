//! Intervals for the mean of a count.

use super::gamma;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Interval {
    /// Both ends multiplied by `factor`.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            lower: self.lower * factor,
            upper: self.upper * factor,
        }
    }

    /// True when `value` lies in it.
    pub fn contains(&self, value: f64) -> bool {
        (self.lower..=self.upper).contains(&value)
    }
}

/// Upper 95 % bound when nothing was counted: -ln 0.05, the rule of three (Hanley and Lippman-Hand, JAMA 1983).
pub(crate) const RULE_OF_THREE: f64 = 3.0;

/// The 95 % interval of a mean of which `expected` was observed.
///
/// For whole numbers Garwood's exact interval (Biometrika 1936), half a chi-squared quantile with 2 n and 2 n + 2 degrees of
/// freedom; the same gamma quantiles carry it to the sums of probabilities counted here. Such a sum varies less than the
/// count of flips it stands for (the probabilities replace coin tosses by their mean), so the interval is rather too wide.
/// All that holds for gaps that come independently of each other. When one outage of the API server lengthens the gaps of many
/// nodes at once, they count as many though they are one, and the interval is too narrow.
/// With nothing risky seen it reaches from 0 to the rule of three.
pub fn poisson_interval(expected: f64) -> Interval {
    if expected <= 0.0 {
        return Interval {
            lower: 0.0,
            upper: RULE_OF_THREE,
        };
    }
    let lower = gamma::quantile(expected, 0.025);
    Interval {
        // Far below one flip in the age of any cluster is none.
        lower: if lower < LEAST { 0.0 } else { lower },
        upper: gamma::quantile(expected + 1.0, 0.975),
    }
}

/// Means below this are told as none.
const LEAST: f64 = 1e-9;

/// Whole numbers from `least` to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRange {
    /// The smallest.
    pub least: u64,
    /// The largest.
    pub most: u64,
}

impl CountRange {
    /// True when `count` is one of them.
    pub fn contains(&self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

/// The counts that come with 95 % probability where `expected` is the sum of the probabilities of what is counted: at most
/// 2.5 % lie on either side.
///
/// The count is taken to be a Poisson variable. A sum of coin tosses with these probabilities varies less, so the range is
/// rather too wide.
pub fn likely_counts(expected: f64) -> CountRange {
    if expected <= 0.0 {
        return CountRange { least: 0, most: 0 };
    }
    // P(count <= k) is the probability that a gamma variable of shape k + 1 is above the mean.
    let at_most = |count: u64| 1.0 - gamma::lower(count as f64 + 1.0, expected);
    // Both ends lie within five deviations, and a little more for small means.
    let deviations = 5.0 * expected.sqrt();
    let first = (expected - deviations).max(0.0) as u64;
    let last = (expected + deviations) as u64 + 5;
    CountRange {
        least: (first..last)
            .find(|&count| at_most(count) > 0.025)
            .unwrap_or(last),
        most: (first..last)
            .find(|&count| at_most(count) >= 0.975)
            .unwrap_or(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_counts_have_garwoods_limits() {
        for (count, lower, upper) in [
            (1.0, 0.0253, 5.572),
            (10.0, 4.795, 18.39),
            (100.0, 81.36, 121.63),
        ] {
            let interval = poisson_interval(count);
            assert!((interval.lower / lower - 1.0).abs() < 1e-2, "{interval:?}");
            assert!((interval.upper / upper - 1.0).abs() < 1e-3, "{interval:?}");
        }
    }

    #[test]
    fn likely_counts_leave_a_fortieth_on_either_side() {
        let range = |least, most| CountRange { least, most };
        // From tables of the Poisson distribution.
        assert_eq!(likely_counts(0.0), range(0, 0));
        assert_eq!(likely_counts(0.02), range(0, 0));
        assert_eq!(likely_counts(3.0), range(0, 7));
        assert_eq!(likely_counts(10.0), range(4, 17));
        assert_eq!(likely_counts(100.0), range(81, 120));
    }

    #[test]
    fn nothing_seen_leaves_the_rule_of_three() {
        assert!((poisson_interval(0.0).upper - RULE_OF_THREE).abs() < f64::EPSILON);
        assert!(poisson_interval(1e-6).upper < 3.7);
    }

    #[test]
    fn the_interval_grows_with_what_was_seen() {
        let mut before = poisson_interval(0.01);
        for expected in [0.1, 0.5, 1.0, 3.0, 20.0, 500.0] {
            let now = poisson_interval(expected);
            assert!(now.lower >= before.lower && now.upper > before.upper);
            assert!(now.contains(expected));
            before = now;
        }
    }
}
