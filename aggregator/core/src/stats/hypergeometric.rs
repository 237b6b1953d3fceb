//! Whether things that share a mark were drawn more often than by chance: Fisher's exact test, one-sided.

use super::gamma::ln_gamma;

/// Probability that at least `seen` of `drawn` things are marked, when they are drawn at random from `population` things of
/// which `marked` are. (Fisher, Journal of the Royal Statistical Society 1922; the upper tail of the hypergeometric
/// distribution.)
pub(crate) fn at_least(population: u64, marked: u64, drawn: u64, seen: u64) -> f64 {
    let most = marked.min(drawn);
    let least = (marked + drawn).saturating_sub(population);
    if seen <= least {
        return 1.0;
    }
    let all = ln_choose(population, drawn);
    let exactly = |hits: u64| {
        let ways = ln_choose(marked, hits) + ln_choose(population - marked, drawn - hits);
        (ways - all).exp()
    };
    (seen..=most).map(exactly).sum::<f64>().min(1.0)
}

/// Logarithm of the number of ways to choose `k` of `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    let ln_factorial = |n: u64| ln_gamma(n as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fishers_lady_tasting_tea() {
        // Eight cups, four of them with milk first: all four told right has one chance in seventy, three or more 17 in 70.
        assert!((at_least(8, 4, 4, 4) - 1.0 / 70.0).abs() < 1e-9);
        assert!((at_least(8, 4, 4, 3) - 17.0 / 70.0).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_otherwise_is_certain() {
        assert!((at_least(10, 10, 4, 4) - 1.0).abs() < 1e-12);
        assert!((at_least(10, 7, 5, 2) - 1.0).abs() < 1e-12);
        assert!(at_least(1000, 10, 5, 6).abs() < 1e-12);
    }
}
