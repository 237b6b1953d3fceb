//! The controller's looks at its nodes, measured from the flips they led to.
//!
//! A busy controller's passes differ too much for one pass duration: while many nodes flip at once each takes seconds, the
//! next ones milliseconds. Yet flips show when passes happened. All flips of one pass come close together, and the next pass
//! starts one monitor period after the last one ended; so a pause of about a monitor period between two flips separates two
//! passes, and from the first flip of one to the first of the next is that pass's own P' = P + pass. Passes without a flip
//! share the time between their neighbours evenly.
//!
//! A heartbeat that arrives between two looks is credited by the later one, and flipped by the first look more than a grace
//! period after that: its own G'. Where in the interval it arrived is the unknown phase, so that the flip probability of a
//! gap L is the usual line from G' to G' + P', with the P' and G' of that very moment.

use std::time::Duration;

use super::ControllerSettings;

/// How exactly the first flip of a pass marks its start, as a share of the monitor period: the watch that showed the flips and
/// the order of nodes within a pass move it by milliseconds.
const RESOLUTION: f64 = 0.01;

/// When the controller looked at its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// Ascending, in seconds of the clock of the flips.
    times: Vec<f64>,
    grace: f64,
    period: f64,
    measured_passes: usize,
    intervals: Vec<f64>,
}

/// The G' and P' of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// G': longest gap that surely does not flip, in seconds.
    pub grace: f64,
    /// P': over how much more gap the probability rises to 1 when the node's turn in the flipping pass is known, in seconds.
    pub interval: f64,
    /// Duration of the flipping pass, in which the node's turn may come at any time, in seconds.
    pub pass: f64,
}

impl Ramp {
    /// The flip probability of a gap of this length.
    pub fn flip_probability(&self, length: Duration) -> f64 {
        let beyond = length.as_secs_f64() - self.grace;
        if self.pass <= 0.0 {
            return (beyond / self.interval).clamp(0.0, 1.0);
        }
        // The integral of the line, which is averaged over the node's turn.
        let area = |y: f64| {
            let rising = y.clamp(0.0, self.interval);
            rising * rising / (2.0 * self.interval) + (y - self.interval).max(0.0)
        };
        (area(beyond) - area(beyond - self.pass)) / self.pass
    }
}

impl Looks {
    /// Measures the looks between two moments from the times of all flips in it, all on one clock. Before the first flip and
    /// after the last, looks come at the usual interval. Absent: fewer than two passes can be told apart.
    pub fn measure(
        settings: &ControllerSettings,
        flips: &[Duration],
        from: Duration,
        to: Duration,
    ) -> Option<Self> {
        let period = settings.monitor_period.as_secs_f64();
        let starts = pass_starts(flips, period);
        let (&first, &last) = starts.first().zip(starts.last())?;
        let quiet = quiet_interval(&starts, period)?;
        let grace = settings.grace_period.as_secs_f64();

        let mut intervals = Vec::new();
        let mut times = steps_back(first, quiet, from.as_secs_f64() - 2.0 * quiet);
        for pair in starts.windows(2) {
            let span = pair[1] - pair[0];
            let passes = (span / quiet).round().min((span / period).floor()).max(1.0);
            let interval = span / passes;
            for pass in 0..passes as u32 {
                times.push(pair[0] + f64::from(pass) * interval);
                intervals.push(interval);
            }
        }
        let end = to.as_secs_f64() + grace + 2.0 * quiet;
        let mut next = last;
        while next <= end {
            times.push(next);
            next += quiet;
        }
        intervals.sort_unstable_by(f64::total_cmp);
        Some(Self {
            times,
            grace,
            period,
            measured_passes: starts.len(),
            intervals,
        })
    }

    /// The G' and P' of a heartbeat that arrives at `arrival`. Absent: outside of what was measured.
    pub fn ramp(&self, arrival: Duration) -> Option<Ramp> {
        let arrival = arrival.as_secs_f64();
        let credit = self.times.partition_point(|&look| look < arrival);
        let (&before, &credited) = (
            self.times.get(credit.checked_sub(1)?)?,
            self.times.get(credit)?,
        );
        let overdue = credited + self.grace - RESOLUTION * self.period;
        let flip = self.times.partition_point(|&look| look <= overdue);
        let (&flips, &next) = (self.times.get(flip)?, self.times.get(flip + 1)?);
        Some(Ramp {
            grace: flips - credited,
            interval: credited - before,
            pass: (next - flips - self.period).max(0.0),
        })
    }

    /// Share of the flips (arrival of the last heartbeat, and flip) that came in the very pass that these looks say. Far below
    /// 1 when the flips are not those of one controller.
    pub fn explained(&self, flips: &[(Duration, Duration)]) -> f64 {
        let tolerance = 2.0 * RESOLUTION * self.period;
        let explained = flips.iter().filter(|(arrival, flip)| {
            let credit = self
                .times
                .partition_point(|&look| look < arrival.as_secs_f64());
            self.ramp(*arrival).is_some_and(|ramp| {
                let from = self.times[credit] + ramp.grace;
                let flip = flip.as_secs_f64();
                (from - tolerance..=from + ramp.pass + tolerance).contains(&flip)
            })
        });
        explained.count() as f64 / flips.len().max(1) as f64
    }

    /// Passes in which flips were seen.
    pub const fn measured_passes(&self) -> usize {
        self.measured_passes
    }

    /// The P' below which a share of `quantile` of all looks lies, between the first pass and the last.
    pub fn interval(&self, quantile: f64) -> Duration {
        let last = self.intervals.len() - 1;
        let index = (quantile.clamp(0.0, 1.0) * last as f64).round() as usize;
        Duration::from_secs_f64(self.intervals[index])
    }
}

/// The first flip of every pass, ascending.
fn pass_starts(flips: &[Duration], period: f64) -> Vec<f64> {
    let mut flips: Vec<f64> = flips.iter().map(Duration::as_secs_f64).collect();
    flips.sort_unstable_by(f64::total_cmp);
    let pause = period * (1.0 - 5.0 * RESOLUTION);
    let mut previous = f64::NEG_INFINITY;
    flips.retain(|&flip| {
        let starts = flip - previous >= pause;
        previous = flip;
        starts
    });
    flips
}

/// The interval of looks at quiet times: the lower quartile among passes that follow each other. Absent: none do.
fn quiet_interval(starts: &[f64], period: f64) -> Option<f64> {
    let mut following: Vec<f64> = starts
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|span| *span < 2.0 * period)
        .collect();
    following.sort_unstable_by(f64::total_cmp);
    following.get(following.len() / 4).copied()
}

/// Looks before `first`, ascending, back to `until`.
fn steps_back(first: f64, interval: f64, until: f64) -> Vec<f64> {
    let steps = ((first - until) / interval).ceil().max(1.0) as u32;
    (1..=steps)
        .rev()
        .map(|step| first - f64::from(step) * interval)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn settings() -> ControllerSettings {
        ControllerSettings::default().with_periods(s(40.0), s(5.0))
    }

    /// Passes at 100, 105.1, 113.2 (after a pass of 3 s) and 118.3, some with several flips.
    fn flips() -> Vec<Duration> {
        [100.0, 100.05, 105.1, 106.0, 108.1, 113.2, 118.3]
            .map(s)
            .into()
    }

    #[test]
    fn a_pause_of_a_monitor_period_separates_two_passes() {
        let starts = pass_starts(&flips(), 5.0);
        assert_eq!(starts, [100.0, 105.1, 113.2, 118.3]);
    }

    #[test]
    fn a_long_pass_moves_the_looks_after_it() {
        let looks = Looks::measure(&settings(), &flips(), s(60.0), s(130.0)).expect("passes");
        let ramp = looks.ramp(s(101.0)).expect("measured");
        assert!((ramp.interval - 5.1).abs() < 1e-9);
        let ramp = looks.ramp(s(108.0)).expect("measured");
        assert!((ramp.interval - 8.1).abs() < 1e-9);
    }

    #[test]
    fn flips_too_far_apart_to_tell_passes_measure_nothing() {
        let flips = [s(100.0), s(400.0)];
        assert_eq!(Looks::measure(&settings(), &flips, s(60.0), s(500.0)), None);
    }
}
