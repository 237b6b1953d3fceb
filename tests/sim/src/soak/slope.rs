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
}

/// How many standard errors a slope is taken to be off at most.
const MOST_ERRORS: f64 = 2.0;
/// A growth that adds no more than this share in a day does not matter.
pub(super) const MOST_A_DAY: f64 = 0.1;
/// Most that a slope which cannot be told from none may be at its upper end, as a share in a minute: what hides in the noise.
pub(super) const MOST_HIDDEN: f64 = 0.001;

/// Most that anonymous memory may grow by at the upper end of its slope, as a share in a minute: 1 % in the twenty minutes. Freed
/// pages are kept and others touched for the first time for long after the heap has settled.
pub(super) const MOST_TOUCHED: f64 = 0.0005;

const MINUTES_A_DAY: f64 = 1440.0;

impl Slope {
    /// The least-squares slope that all runs share, each with a level of its own (a restart changes the level, not the leak).
    /// Absent: too few points.
    ///
    /// It is laid through the medians of whole minutes: neighbours seconds apart are much alike, and would make it look surer than
    /// it is; and what is in flight while the machine stands still for some seconds is no leak, but one such burst of a few MiB
    /// would hide any slope in its noise, or make one. What stays shows in the medians all the same.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let points = &minutes(points);
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
        })
    }

    /// Per cent of the mean in an hour.
    pub(super) fn percent_an_hour(&self) -> f64 {
        100.0 * 60.0 * self.per_minute / self.mean
    }

    /// Whether it is none: at its upper end it would add at most [`MOST_A_DAY`] in a day, or it cannot be told from zero and is
    /// at most [`MOST_HIDDEN`] at its upper end, so that noise does not hide a leak.
    pub(super) fn is_flat(self) -> bool {
        let off = MOST_ERRORS * self.error;
        let upper = (self.per_minute + off) / self.mean;
        upper * MINUTES_A_DAY <= MOST_A_DAY || (self.per_minute <= off && upper <= MOST_HIDDEN)
    }

    /// Whether memory that is never given back has settled: at its upper end it grows by [`MOST_TOUCHED`] at most.
    pub(super) fn is_settled(self) -> bool {
        (self.per_minute + MOST_ERRORS * self.error) / self.mean <= MOST_TOUCHED
    }
}

/// The median of each minute of each run.
fn minutes(points: &[Point]) -> Vec<Point> {
    let same = |one: &Point, next: &Point| {
        let minute = |point: &Point| point.at.as_secs() / 60;
        one.run == next.run && minute(one) == minute(next)
    };
    let medians = points.chunk_by(same).map(|minute| {
        let number = minute.len() as f64;
        let at = minute.iter().map(|point| point.at.as_secs_f64());
        let mut values: Vec<f64> = minute.iter().map(|point| point.value).collect();
        values.sort_unstable_by(f64::total_cmp);
        Point {
            at: Duration::from_secs_f64(at.sum::<f64>() / number),
            run: minute[0].run,
            value: f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]),
        }
    });
    medians.collect()
}

impl Point {
    fn minute(&self) -> f64 {
        self.at.as_secs_f64() / 60.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty minutes of a process that was restarted in the middle, every five seconds.
    fn points(value: impl Fn(f64, usize) -> f64) -> Vec<Point> {
        let point = |number: u64| {
            let run = usize::from(number >= 120);
            Point {
                at: Duration::from_secs(number * 5),
                run,
                value: value(number as f64 / 12.0, run),
            }
        };
        (0..240).map(point).collect()
    }

    fn slope(value: impl Fn(f64, usize) -> f64) -> Slope {
        Slope::of(&points(value)).expect("enough points")
    }

    /// Up to `size` either way, another one for every minute and without a pattern.
    fn noise(size: f64, minute: f64) -> f64 {
        size * (2.0 * (minute.floor() * 0.618_034).fract() - 1.0)
    }

    #[test]
    fn a_leak_is_found_across_a_restart_that_frees_it() {
        let leak = slope(|minute, run| 50_000.0 + 200.0 * minute - 900.0 * run as f64);
        assert!((leak.per_minute - 200.0).abs() < 1e-6 && leak.error < 1e-6);
        assert!((leak.percent_an_hour() - 23.0).abs() < 1.0);
        assert!(!leak.is_flat());
    }

    #[test]
    fn a_restart_alone_is_no_slope() {
        let steps = slope(|_, run| 50_000.0 + 9_000.0 * run as f64);
        assert!(steps.per_minute.abs() < 1e-6 && steps.is_flat());
    }

    #[test]
    fn a_growth_that_a_day_does_not_show_is_flat_however_sure_it_is() {
        let day = 24.0 * 60.0;
        assert!(slope(|minute, _| 50_000.0 + 4_000.0 / day * minute).is_flat());
        assert!(!slope(|minute, _| 50_000.0 + 6_000.0 / day * minute).is_flat());
    }

    #[test]
    fn what_grows_by_less_than_a_hundredth_in_twenty_minutes_has_settled() {
        assert!(slope(|minute, _| 50_000.0 + 20.0 * minute).is_settled());
        assert!(!slope(|minute, _| 50_000.0 + 30.0 * minute).is_settled());
    }

    #[test]
    fn noise_is_flat_as_long_as_it_hides_no_leak() {
        assert!(slope(|minute, _| 50_000.0 + noise(100.0, minute)).is_flat());
        let wild = slope(|minute, _| 50_000.0 + noise(3_000.0, minute));
        assert!(wild.per_minute.abs() < MOST_ERRORS * wild.error && !wild.is_flat());
    }

    #[test]
    fn a_burst_of_some_seconds_neither_makes_nor_hides_a_slope() {
        let burst = |minute: f64| {
            let in_flight = (15.0..15.4).contains(&minute);
            8_000.0 * f64::from(u8::from(in_flight))
        };
        assert!(slope(|minute, _| 50_000.0 + burst(minute)).is_flat());
        let leak = slope(|minute, _| 50_000.0 + 60.0 * minute + burst(minute));
        assert!((leak.per_minute - 60.0).abs() < 2.0 && !leak.is_flat());
    }

    #[test]
    fn neighbours_that_are_alike_do_not_make_it_surer() {
        let wandering = points(|minute, _| 50_000.0 + noise(300.0, minute));
        let rare: Vec<Point> = wandering.iter().step_by(12).copied().collect();
        let (all, rare) = (Slope::of(&wandering), Slope::of(&rare));
        let (all, rare) = (all.expect("enough"), rare.expect("enough"));
        assert!((all.error - rare.error).abs() < 1e-6);
    }

    #[test]
    fn a_few_minutes_say_nothing() {
        assert_eq!(Slope::of(&points(|_, _| 1.0)[..24]), None);
    }
}
