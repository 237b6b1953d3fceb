//! The controller's looks at its nodes, measured from the flips they led to.
//!
//! A busy controller's passes differ too much for one pass duration: while many nodes flip at once each takes seconds, the
//! next ones milliseconds. Yet flips show when passes happened. All flips of one pass come close together, and the next pass
//! starts one monitor period after the last one ended; so a pause of about a monitor period between two flips separates two
//! passes, and from the first flip of one to the first of the next is that pass's own P' = P + pass. Passes without a flip
//! share the time between their neighbours evenly.
//!
//! **Are the flips one controller's?** Its pauses of about a monitor period last that long almost to the millisecond: none is
//! shorter, and few are much longer. Flips of unrelated controllers come at any time, so that their pauses of about a monitor
//! period are spread evenly. Neither the heartbeats nor the grace period enter, so looks can neither be made up to explain
//! flips nor hide a wrong grace period.
//!
//! A heartbeat that arrives between two looks is credited by the later one, and flipped by the first look more than a grace
//! period after that: its own G'. Where in the interval it arrived is the unknown phase, so that the flip probability of a
//! gap L is the usual line from G' to G' + P', with the P' and G' of that very moment. Before the first flip and after the
//! last, looks come at the usual interval.

use std::time::Duration;

use super::{ControllerSettings, GapStart, PassDuration};

/// How exactly the first flip of a pass marks its start, as a share of the monitor period: the watch that showed the flips and
/// the order of nodes within a pass move it by milliseconds.
const RESOLUTION: f64 = 0.01;
/// Pauses of about a monitor period: from how much shorter to how much longer, as a share of it.
const ABOUT: f64 = 0.1;
/// Those of a controller: up to how much longer, as a share of the monitor period. The pass goes on after its last flip.
const HARDLY_LONGER: f64 = 0.02;
/// Standard deviations by which a controller's pauses must outnumber those that unrelated flips would have there. Five pauses
/// without another reach it, which unrelated flips have once in 10,000 files.
const CLEARLY: f64 = 5.0;
/// Most looks that are laid between the first flip and the last: two months at the usual period, and 8 MB.
const MOST_LOOKS: f64 = 1e6;
/// Looks that a ramp needs besides those within the grace period: before and after the crediting and the flipping one.
const LOOKS_BEYOND_GRACE: u32 = 4;

/// When the controller looked at its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// Ascending, in seconds of the clock of the flips.
    times: Vec<f64>,
    grace: f64,
    period: f64,
    measured_passes: usize,
    /// From each look to the next between the first flip and the last; ascending.
    intervals: Vec<f64>,
    /// The controller while it has little to do.
    usual: ControllerSettings,
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
    /// Measures the looks from the times of all flips, all on one clock. Absent: these are not clearly the flips of one
    /// controller with this monitor period, or they are too far apart.
    pub fn measure(settings: &ControllerSettings, flips: &[Duration]) -> Option<Self> {
        let period = settings.monitor_period.as_secs_f64();
        let mut flips: Vec<f64> = flips.iter().map(Duration::as_secs_f64).collect();
        flips.sort_unstable_by(f64::total_cmp);
        if !come_in_passes(&flips, period) {
            return None;
        }
        let starts = pass_starts(&flips, period);
        let (&first, &last) = starts.first().zip(starts.last())?;
        if (last - first) / period > MOST_LOOKS {
            return None;
        }
        let usual_interval = usual_interval(&starts, period)?;

        // The first flip's heartbeat was credited a grace period earlier; the last may not be the last that could come.
        let grace = settings.grace_period.as_secs_f64();
        let outside = (grace / usual_interval).min(MOST_LOOKS) as u32 + LOOKS_BEYOND_GRACE;
        let (mut times, mut intervals) = (Vec::new(), Vec::new());
        times.extend(
            (1..=outside)
                .rev()
                .map(|look| first - f64::from(look) * usual_interval),
        );
        for pair in starts.windows(2) {
            let span = pair[1] - pair[0];
            let passes = (span / usual_interval)
                .round()
                .min((span / period).floor())
                .max(1.0);
            let interval = span / passes;
            for pass in 0..passes as u32 {
                times.push(pair[0] + f64::from(pass) * interval);
                intervals.push(interval);
            }
        }
        times.extend((0..=outside).map(|look| last + f64::from(look) * usual_interval));
        intervals.sort_unstable_by(f64::total_cmp);
        let usual_pass = Duration::from_secs_f64((usual_interval - period).max(0.0));
        Some(Self {
            times,
            grace,
            period,
            measured_passes: starts.len(),
            intervals,
            usual: ControllerSettings {
                pass: PassDuration::constant(usual_pass.max(settings.pass.shortest)),
                ..*settings
            },
        })
    }

    /// The flip probability of a gap of this length after a heartbeat that arrives at `arrival`.
    pub fn flip_probability(&self, arrival: Duration, length: Duration) -> f64 {
        match self.ramp(arrival) {
            Some(ramp) => ramp.flip_probability(length),
            None => self.usual.flip_probability(length, GapStart::Once),
        }
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

/// Whether ascending flips are clearly those of one controller, as the module's description says.
fn come_in_passes(flips: &[f64], period: f64) -> bool {
    let (mut about, mut exact) = (0_u32, 0_u32);
    for pair in flips.windows(2) {
        let beyond = (pair[1] - pair[0]) / period - 1.0;
        about += u32::from((-ABOUT..ABOUT).contains(&beyond));
        exact += u32::from((-RESOLUTION..HARDLY_LONGER).contains(&beyond));
    }
    // A binomial count, were the pauses spread evenly.
    let share = (RESOLUTION + HARDLY_LONGER) / (2.0 * ABOUT);
    let (about, exact) = (f64::from(about), f64::from(exact));
    exact > 0.0 && exact - about * share >= CLEARLY * (about * share * (1.0 - share)).sqrt()
}

/// The first flip of every pass, of ascending flips.
fn pass_starts(flips: &[f64], period: f64) -> Vec<f64> {
    let pause = period * (1.0 - 5.0 * RESOLUTION);
    let mut previous = f64::NEG_INFINITY;
    let starts = flips.iter().copied().filter(|&flip| {
        let starts = flip - previous >= pause;
        previous = flip;
        starts
    });
    starts.collect()
}

/// The interval of looks at quiet times: the lower quartile among passes that follow each other. Absent: none do.
fn usual_interval(starts: &[f64], period: f64) -> Option<f64> {
    let mut following: Vec<f64> = starts
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|span| *span < 2.0 * period)
        .collect();
    following.sort_unstable_by(f64::total_cmp);
    following.get(following.len() / 4).copied()
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

    /// Twenty passes from 100 s on, 5.1 s apart, the one at 202 s followed by one at 210.1 s after three seconds of flips,
    /// and that by one at 215.2 s.
    fn flips() -> Vec<Duration> {
        let quiet = (0..20).map(|pass| 100.0 + 5.1 * f64::from(pass));
        quiet
            .chain([202.0, 203.0, 205.05, 210.1, 210.15, 215.2])
            .map(s)
            .collect()
    }

    #[test]
    fn a_pause_of_a_monitor_period_separates_two_passes() {
        let starts = pass_starts(&[100.0, 100.05, 105.1, 106.0, 108.1, 113.2, 118.3], 5.0);
        assert_eq!(starts, [100.0, 105.1, 113.2, 118.3]);
    }

    #[test]
    fn a_long_pass_moves_the_looks_after_it() {
        let looks = Looks::measure(&settings(), &flips()).expect("passes");
        let ramp = looks.ramp(s(101.0)).expect("measured");
        assert!((ramp.interval - 5.1).abs() < 1e-9);
        assert!((looks.interval(1.0).as_secs_f64() - 8.1).abs() < 1e-9);
        // Credited at 166.3 s; the look 7 later is 35.7 s on, the next one is put off by a long pass.
        let ramp = looks.ramp(s(166.0)).expect("measured");
        assert!((ramp.grace - (210.1 - 166.3)).abs() < 1e-9);
    }

    #[test]
    fn beyond_the_flips_looks_come_at_the_usual_interval() {
        let looks = Looks::measure(&settings(), &flips()).expect("passes");
        for arrival in [0.0, 90.0, 213.0, 1e9] {
            let probability = looks.flip_probability(s(arrival), s(8.5 * 5.1));
            assert!((probability - 0.5).abs() < 0.02, "{arrival}: {probability}");
        }
    }

    #[test]
    fn flips_too_far_apart_to_tell_passes_measure_nothing() {
        let apart: Vec<Duration> = (0..100)
            .map(|flip| s(100.0 + 60.0 * f64::from(flip)))
            .collect();
        assert_eq!(Looks::measure(&settings(), &apart), None);
        let mut flips = flips();
        flips.push(s(1e10));
        assert_eq!(Looks::measure(&settings(), &flips), None);
    }

    #[test]
    fn flips_at_any_time_are_not_one_controllers() {
        // The golden ratio spreads them evenly, with pauses of any length up to some seconds.
        let flips: Vec<Duration> = (0..600)
            .map(|flip| s(1500.0 * (f64::from(flip * flip) * 0.618_034).fract()))
            .collect();
        assert_eq!(Looks::measure(&settings(), &flips), None);
    }
}
