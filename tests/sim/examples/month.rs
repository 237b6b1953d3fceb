//! Predicted against actual flips over a simulated month, for ten seeds: `cargo run --release -p nodegrace-sim --example month`, a
//! few seconds. Fails when fewer than nine lie within what was predicted.

use std::process::ExitCode;

use nodegrace_sim::month;

/// Days of the month.
const DAYS: u64 = 30;
/// Seeds, and how many may miss an interval that covers 95 %.
const SEEDS: u64 = 10;
const MISSES: u64 = 1;

fn main() -> ExitCode {
    let mut misses = 0;
    for seed in 1..=SEEDS {
        let outcome = match month::live(seed, DAYS) {
            Ok(outcome) => outcome,
            Err(error) => {
                eprintln!("month: {error}");
                return ExitCode::FAILURE;
            }
        };
        let verdict = if outcome.is_as_predicted() {
            "as predicted"
        } else {
            misses += 1;
            "missed"
        };
        println!(
            "seed {seed:2}: {:5.1} flips predicted ({} to {}), {:2} came: {verdict}",
            outcome.predicted, outcome.likely.least, outcome.likely.most, outcome.actual
        );
    }
    println!("{} of {SEEDS} as predicted", SEEDS - misses);
    if misses <= MISSES {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
