//! The intervals of the expected flips against flips drawn by chance.

use nodegrace_core::{likely_counts, poisson_interval};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// A source of numbers between 0 and 1, the same in every run.
fn chance() -> impl FnMut() -> f64 {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    move || {
        let number = (0.0..1.0_f64).new_tree(&mut runner);
        number.expect("a range has values").current()
    }
}

/// Share of 400 fleets whose flips are likely ones for the flips that were expected from their gaps. A fleet's risky gaps
/// come at random, `gaps` of them on average, each with a probability drawn by `probability`.
fn coverage(gaps: u32, probability: impl Fn(f64) -> f64) -> f64 {
    let mut chance = chance();
    let held = (0..400).filter(|_| {
        let (mut expected, mut flips) = (0.0, 0);
        for _ in 0..10 * gaps {
            if chance() < 0.1 {
                let probability = probability(chance());
                expected += probability;
                flips += u64::from(chance() < probability);
            }
        }
        likely_counts(expected).contains(flips)
    });
    held.count() as f64 / 400.0
}

#[test]
fn the_flips_that_come_are_likely_for_the_expected_ones() {
    for gaps in [3, 10, 50] {
        let even = coverage(gaps, |share| share);
        let rare = coverage(gaps, |share| share * share * 0.3);
        let certain = coverage(gaps, |_| 1.0);
        println!("{gaps} gaps: {even:.3} {rare:.3} {certain:.3}");
        assert!(even >= 0.95 && rare >= 0.95 && certain >= 0.95);
    }
}

#[test]
fn the_rate_behind_the_gaps_lies_in_its_interval() {
    let mut chance = chance();
    // 20 gaps on average, each with an even probability: 10 flips.
    let held = (0..400).filter(|_| {
        let gaps = (0..200).filter(|_| chance() < 0.1).count();
        let expected: f64 = (0..gaps).map(|_| chance()).sum();
        poisson_interval(expected).contains(10.0)
    });
    assert!(held.count() >= 380);
}
