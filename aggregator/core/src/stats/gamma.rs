//! The incomplete gamma function and its inverse.
//!
//! Source: Abramowitz and Stegun, *Handbook of Mathematical Functions*, 6.1.41 (Stirling's series), 6.5.29 (power series) and
//! 6.5.31 (continued fraction).

/// Relative accuracy at which series stop.
const ACCURACY: f64 = 1e-14;
/// Terms after which a series has converged or never will: both need about the square root of their argument.
const MOST_TERMS: u32 = 10_000;

/// The natural logarithm of the gamma function, for `x` > 0.
pub(super) fn ln_gamma(x: f64) -> f64 {
    // The series is good beyond 10; below, Γ(x) = Γ(x+1) / x.
    let mut shift = 0.0;
    let mut x = x;
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0))));
    shift + (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

/// The regularised lower incomplete gamma function P(a, x): the probability that a gamma variable of shape `a` is at most
/// `x`.
pub(super) fn lower(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        front * power_series(a, x)
    } else {
        1.0 - front * continued_fraction(a, x)
    }
}

/// The sum of x^n / (a (a+1) ... (a+n)).
fn power_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for n in 1..MOST_TERMS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * ACCURACY {
            break;
        }
    }
    sum
}

/// 1/(x+1-a- 1(1-a)/(x+3-a- 2(2-a)/(x+5-a- ...))), by Lentz's method.
fn continued_fraction(a: f64, x: f64) -> f64 {
    // Stands in for a zero denominator.
    const TINY: f64 = 1e-300;
    let mut partial = x + 1.0 - a;
    let mut above = 1.0 / TINY;
    let mut below = 1.0 / partial;
    let mut fraction = below;
    for term in 1..MOST_TERMS {
        let term = f64::from(term);
        let numerator = -term * (term - a);
        partial += 2.0;
        let denominator = numerator * below + partial;
        below = 1.0 / denominator.abs().max(TINY).copysign(denominator);
        above = partial + numerator / above;
        let change = above * below;
        fraction *= change;
        if (change - 1.0).abs() < ACCURACY {
            break;
        }
    }
    fraction
}

/// The value that a gamma variable of shape `a` > 0 stays below with this `probability`, to within a billionth of it. Newton's method, kept within bounds that close in on the value.
pub(super) fn quantile(a: f64, probability: f64) -> f64 {
    // Far above the mean by any standard: for the probabilities asked here the quantile lies below.
    let (mut low, mut high) = (0.0, a + 20.0 * a.sqrt() + 50.0);
    let ln_gamma = ln_gamma(a);
    let mut x = near_quantile(a, probability).clamp(f64::MIN_POSITIVE, high);
    // Five steps are usual; where Newton's method fails each step halves the bounds, and 80 leave nothing of them.
    for _ in 0..80 {
        let error = lower(a, x) - probability;
        if error < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let density = ((a - 1.0) * x.ln() - x - ln_gamma).exp();
        let newton = x - error / density;
        let next = if newton > low && newton < high {
            newton
        } else {
            f64::midpoint(low, high)
        };
        if (next - x).abs() <= 1e-10 * x {
            return next;
        }
        x = next;
    }
    x
}

/// A value near the quantile. For small shapes the first term of the power series; for others the cube of a normal variable
/// (Wilson and Hilferty, PNAS 1931), whose own quantile is taken from the logistic distribution of the same spread.
fn near_quantile(a: f64, probability: f64) -> f64 {
    if a < 1.0 {
        return ((probability.ln() + ln_gamma(a + 1.0)) / a).exp();
    }
    let normal = (probability / (1.0 - probability)).ln() / 1.702;
    let ninth = 1.0 / (9.0 * a);
    a * (1.0 - ninth + normal * ninth.sqrt()).max(0.1).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gamma_function_has_its_known_values() {
        assert!((ln_gamma(1.0)).abs() < 1e-12);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
        assert!((ln_gamma(11.0) - 3_628_800.0_f64.ln()).abs() < 1e-11);
    }

    #[test]
    fn shape_one_is_the_exponential_distribution() {
        for x in [0.1, 1.0, 3.0, 30.0] {
            assert!((lower(1.0, x) - (1.0 - (-x).exp())).abs() < 1e-12);
        }
    }

    #[test]
    fn the_quantile_inverts_the_distribution() {
        for a in [0.5, 1.0, 7.3, 250.0, 40_000.0] {
            for probability in [0.025, 0.5, 0.975] {
                let x = quantile(a, probability);
                assert!(
                    (lower(a, x) - probability).abs() < 1e-8,
                    "{a} {probability}"
                );
            }
        }
    }
}
