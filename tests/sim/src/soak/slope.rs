//! A line through measurements of processes that were restarted in between.

use std::time::Duration;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// When.
    pub(super) at: Duration,
    /// Which run of the process, from 0.
    pub(super) run: usize,
    /// What was measured.
    pub(super) value: f64,
}

/// A slope and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slope {
    /// Units a minute.
    pub(super) per_minute: f64,
    /// Its standard error.
    pub(super) error: f64,
    /// Mean of the values.
    pub(super) mean: f64,
    /// Minutes from the first point to the last.
    pub(super) minutes: f64,
}

/// A growth over the whole span below this share of the mean is none.
const FLAT_SHARE: f64 = 0.01;
/// A slope within so many standard errors of zero is none.
const FLAT_ERRORS: f64 = 2.0;

impl Slope {
    /// The least-squares slope that all runs share, each with a level of its own (a restart changes the level, not the leak).
    /// Absent: too few points.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let runs = points.iter().map(|point| point.run).max()? + 1;
        let (mut xx, mut xy, mut yy, mut used) = (0.0, 0.0, 0.0, 0.0);
        for run in 0..runs {
            let of_run = || points.iter().filter(|point| point.run == run);
            let number = of_run().count() as f64;
            if number < 1.0 {
                continue;
            }
            let mean_x = of_run().map(Point::minute).sum::<f64>() / number;
            let mean_y = of_run().map(|point| point.value).sum::<f64>() / number;
            for point in of_run() {
                let (x, y) = (point.minute() - mean_x, point.value - mean_y);
                xx += x * x;
                xy += x * y;
                yy += y * y;
            }
            // Each level takes one degree of freedom.
            used += 1.0;
        }
        let free = points.len() as f64 - used - 1.0;
        if free < 1.0 || xx <= 0.0 {
            return None;
        }
        let per_minute = xy / xx;
        let residual = (yy - per_minute * xy).max(0.0);
        Some(Self {
            per_minute,
            error: (residual / free / xx).sqrt(),
            mean: points.iter().map(|point| point.value).sum::<f64>() / points.len() as f64,
            minutes: last.minute() - first.minute(),
        })
    }

    /// Whether it is none: not above zero by more than two standard errors, or less than 1 % of the mean over the whole span.
    pub(super) fn is_flat(&self) -> bool {
        self.per_minute <= FLAT_ERRORS * self.error
            || self.per_minute * self.minutes <= FLAT_SHARE * self.mean
    }
}

impl Point {
    fn minute(&self) -> f64 {
        self.at.as_secs_f64() / 60.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(value: impl Fn(f64, usize) -> f64) -> Vec<Point> {
        (0..120_u64)
            .map(|number| {
                let run = usize::from(number >= 60);
                Point {
                    at: Duration::from_secs(number * 5),
                    run,
                    value: value(number as f64 / 12.0, run),
                }
            })
            .collect()
    }

    #[test]
    fn a_leak_is_found_across_a_restart_that_frees_it() {
        let leak = points(|minute, run| 50_000.0 + 200.0 * minute - 900.0 * run as f64);
        let slope = Slope::of(&leak).expect("enough points");
        assert!((slope.per_minute - 200.0).abs() < 1e-6 && slope.error < 1e-6);
        assert!(!slope.is_flat());
    }

    #[test]
    fn a_restart_alone_is_no_slope() {
        let steps = points(|_, run| 50_000.0 + 9_000.0 * run as f64);
        let slope = Slope::of(&steps).expect("enough points");
        assert!(slope.per_minute.abs() < 1e-6 && slope.is_flat());
    }

    #[test]
    fn noise_is_flat_and_too_little_of_it_says_nothing() {
        let noise = points(|minute, _| 50_000.0 + 300.0 * (minute * 37.0).sin());
        assert!(Slope::of(&noise).expect("enough points").is_flat());
        assert_eq!(Slope::of(&noise[..2]), None);
    }
}
