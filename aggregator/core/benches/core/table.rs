//! Measuring, and a table of it.

use std::time::{Duration, Instant};

/// Runs of each measurement; the best counts, since everything else on the machine only ever adds time.
const RUNS: u32 = 3;

/// A table of times by the size of the input.
pub(crate) struct Table {
    before: Option<(u32, Duration)>,
}

impl Table {
    pub(crate) fn new(title: &str, size: &str) -> Self {
        println!(
            "\n{title}\n{size:>28}  {:>10}  growth of time / of input",
            "time"
        );
        Self { before: None }
    }

    /// Measures `run` for an input of `size`, and how much more that is than for the size before.
    pub(crate) fn row(&mut self, size: u32, run: impl FnMut()) {
        let time = best(run);
        print!("{size:>28}  {:>10}", format!("{time:.1?}"));
        match self.before {
            None => println!(),
            Some((before, took)) => println!(
                "  x {:.2} / x {:.2}",
                time.as_secs_f64() / took.as_secs_f64(),
                f64::from(size) / f64::from(before)
            ),
        }
        self.before = Some((size, time));
    }

    /// Measures `run` on its own.
    #[expect(
        clippy::unused_self,
        reason = "a row belongs to the table whose head is printed"
    )]
    pub(crate) fn named(&mut self, name: &str, run: impl FnMut()) {
        println!("{name:>28}  {:>10}", format!("{:.1?}", best(run)));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real time is what a benchmark measures"
)]
fn best(mut run: impl FnMut()) -> Duration {
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}
