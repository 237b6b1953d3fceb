//! The probability that a gap of a given length contains a flip, the phase of the poll being unknown.
//!
//! Let a heartbeat arrive at 0 and the next at L, and let the controller look at the node every x = P + pass. The first look
//! after 0, at c, credits the heartbeat; c is anywhere in [0, x). The look at c + n x, with n the first number of polls past
//! the grace period, flips the node unless the next heartbeat has arrived: a flip when c + n x < L. So its probability rises
//! from 0 at L = n x (that is G') in a straight line to 1 at L = (n+1) x.
//!
//! **A status post can earn one more poll**, for some phases c and not for others (`earned`). Phases from c1 to c2 lead to a
//! flip where c + m x < L, m being n or, where they earn a poll, n + 1; with R(y) = max(0, y) that is a share of
//!
//! ```text
//! R((L - c1)/x - m) - R((L - c2)/x - m)
//! ```
//!
//! of all phases. Both ends are whole numbers of polls after heartbeats of known age, k x - t, so that a term is
//! R((L + t)/x - (m + k)); without a status post one pair of terms is left, the straight line above.
//!
//! **Passes of unknown length** make x uniform between two bounds. Each term is then an average of R(a/x - k) over x, which
//! is a logarithm; n is constant between the points x = G/k, and the order of the ends between those where two of them meet.

use std::time::Duration;

use super::{
    ControllerSettings, GapStart,
    earned::{Before, Stretch},
    settings::polls,
};

/// A range of poll intervals with one number of polls to the flip.
struct Piece {
    from: f64,
    to: f64,
    polls: f64,
}

impl ControllerSettings {
    /// Probability that the controller flips the node within a gap of this `length` between two credited heartbeats.
    pub fn flip_probability(&self, length: Duration, start: GapStart) -> f64 {
        self.average(length, start, &Kernel::PROBABILITY)
            .clamp(0.0, 1.0)
    }

    /// Mean time for which the node stands as not ready before the heartbeat that ends a gap of this `length`, gaps without
    /// a flip counting as nothing. Becoming ready again takes the kubelet's next status post on top.
    ///
    /// The time left after a flip at D is L - D, whose mean is the integral of the flip probability up to L.
    pub fn mean_outage(&self, length: Duration, start: GapStart) -> Duration {
        let seconds = self.average(length, start, &Kernel::OUTAGE);
        Duration::from_secs_f64(seconds.clamp(0.0, length.as_secs_f64()))
    }

    fn average(&self, length: Duration, start: GapStart, kernel: &Kernel) -> f64 {
        if length <= self.grace_period {
            return 0.0;
        }
        let length = length.as_secs_f64();
        if let Some(even) = Even::of(self) {
            return match start {
                GapStart::Once => even.once(length, kernel),
                GapStart::StatusPost { .. } => even.along(length, &even.stretches(start), kernel),
            };
        }
        let (shortest, longest) = self.poll_interval();
        let before = Before::of(start, longest);
        let total: f64 = self
            .pieces()
            .flat_map(|piece| {
                let cuts = before.cuts(piece.from, piece.to);
                let cut = move |pair: &[f64]| (pair[0], pair[1], piece.polls);
                cuts.windows(2).map(cut).collect::<Vec<_>>()
            })
            .map(|(from, to, polls)| {
                let ramp = |a: f64, k: f64| {
                    let end = to.min(a / k);
                    if end > from {
                        (kernel.integral)(a, k, from, end)
                    } else {
                        0.0
                    }
                };
                let stretches = before.stretches(f64::midpoint(from, to));
                combine(length, &stretches, polls, ramp)
            })
            .sum();
        total / (longest - shortest).as_secs_f64()
    }

    /// The shortest time after the arrival of a heartbeat at which the controller can flip the node.
    pub fn earliest_flip(&self, start: GapStart) -> Duration {
        let (shortest, longest) = self.poll_interval();
        let grace = self.effective_grace(self.pass.shortest);
        // Where the interval passes G/k, a poll falls right behind the grace period.
        let earliest = if polls(self.grace_period, shortest) == polls(self.grace_period, longest) {
            grace
        } else {
            self.grace_period
        };
        earliest
            + if start.surely_earns_a_poll(longest) {
                shortest
            } else {
                Duration::ZERO
            }
    }

    /// The time after the arrival of a heartbeat by which the controller has surely flipped the node.
    pub fn latest_flip(&self, start: GapStart) -> Duration {
        let earned = f64::from(u8::from(start.may_earn_a_poll()));
        let latest = self
            .pieces()
            .map(|piece| (piece.polls + 1.0 + earned) * piece.to)
            .fold(0.0, f64::max);
        Duration::from_secs_f64(latest)
    }

    /// Average time from the arrival of a dead node's last heartbeat until the controller marks it: G' and half a poll.
    pub fn mean_detection(&self) -> Duration {
        let (shortest, longest) = self.poll_interval();
        let width = (longest - shortest).as_secs_f64();
        if width == 0.0 {
            return self.effective_grace(self.pass.shortest) + shortest / 2;
        }
        // The integral of (n + 1/2) x over x.
        let integral = |piece: Piece| {
            (piece.polls + 0.5) * (piece.to * piece.to - piece.from * piece.from) / 2.0
        };
        Duration::from_secs_f64(self.pieces().map(integral).sum::<f64>() / width)
    }

    /// The range of poll intervals, cut wherever the number of polls changes.
    fn pieces(&self) -> impl Iterator<Item = Piece> {
        let (shortest, longest) = self.poll_interval();
        let (most, fewest) = (
            polls(self.grace_period, shortest),
            polls(self.grace_period, longest),
        );
        let (grace, from, to) = (
            self.grace_period.as_secs_f64(),
            shortest.as_secs_f64(),
            longest.as_secs_f64(),
        );
        (fewest..=most).map(move |n| {
            // n polls are needed while (n-1) x <= G < n x.
            let lower = from.max(grace / f64::from(n));
            let upper = if n > 1 {
                to.min(grace / f64::from(n - 1))
            } else {
                to
            };
            Piece {
                from: lower,
                to: upper.max(lower),
                polls: f64::from(n),
            }
        })
    }
}

/// One of the terms R(a/x - k), or what stands for it: for one poll interval x, and integrated over x where a/x >= k.
struct Kernel {
    at: fn(a: f64, k: f64, x: f64) -> f64,
    integral: fn(a: f64, k: f64, from: f64, to: f64) -> f64,
}

impl Kernel {
    /// The term itself.
    const PROBABILITY: Self = Self {
        at: |a, k, x| (a / x - k).max(0.0),
        integral: |a, k, from, to| a * (to / from).ln() - k * (to - from),
    };
    /// Its integral over the length of the gap: x R(a/x - k)^2 / 2.
    const OUTAGE: Self = Self {
        at: |a, k, x| x * (a / x - k).max(0.0).powi(2) / 2.0,
        integral: |a, k, from, to| {
            let at = |x: f64| a * a * x.ln() - 2.0 * k * a * x + k * k * x * x / 2.0;
            (at(to) - at(from)) / 2.0
        },
    };
}

/// The terms of the module's formula, for `stretches` of poll intervals around one.
fn combine(length: f64, stretches: &[Stretch], n: f64, ramp: impl Fn(f64, f64) -> f64) -> f64 {
    let stretches = stretches.iter();
    stretches
        .map(|stretch| {
            let polls = if stretch.earned { n + 1.0 } else { n };
            ramp(length + stretch.from.age, polls + stretch.from.polls)
                - ramp(length + stretch.to.age, polls + stretch.to.polls)
        })
        .sum()
}

/// What the formula needs to know of a controller whose passes all take as long. Two for which it is the same flip the same gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Even {
    /// From one look to the next.
    pub(super) interval: Duration,
    /// The same, in seconds.
    x: f64,
    /// Polls to the flip.
    n: f64,
}

impl Even {
    /// Absent: passes differ.
    pub(super) fn of(settings: &ControllerSettings) -> Option<Self> {
        let (shortest, longest) = settings.poll_interval();
        (shortest == longest).then(|| Self {
            interval: shortest,
            x: shortest.as_secs_f64(),
            n: f64::from(polls(settings.grace_period, shortest)),
        })
    }

    /// The stretches of phases after such a start; the same for every number of polls.
    pub(super) fn stretches(self, start: GapStart) -> Vec<Stretch> {
        Before::of(start, self.interval).stretches(self.x)
    }

    /// Flip probability and mean outage, in seconds, of a gap longer than the grace period, which starts with a heartbeat that is
    /// credited once.
    pub(super) fn judge_once(self, length: f64) -> (f64, f64) {
        let [probability, outage] =
            [Kernel::PROBABILITY, Kernel::OUTAGE].map(|kernel| self.once(length, &kernel));
        (probability, outage)
    }

    /// The same of one with these stretches.
    pub(super) fn judge_along(self, length: f64, stretches: &[Stretch]) -> (f64, f64) {
        let [probability, outage] = [Kernel::PROBABILITY, Kernel::OUTAGE]
            .map(|kernel| self.along(length, stretches, &kernel));
        (probability, outage)
    }

    /// What [`Self::along`] is for the one stretch of a heartbeat that is credited once.
    fn once(self, length: f64, kernel: &Kernel) -> f64 {
        (kernel.at)(length, self.n, self.x) - (kernel.at)(length, self.n + 1.0, self.x)
    }

    fn along(self, length: f64, stretches: &[Stretch], kernel: &Kernel) -> f64 {
        combine(length, stretches, self.n, |a, k| (kernel.at)(a, k, self.x))
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "certain and impossible are exact")]
mod tests {
    use super::*;
    use crate::controller::{EarlierPosts, PassDuration};

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn settings(grace: f64, period: f64, pass: PassDuration) -> ControllerSettings {
        ControllerSettings {
            pass,
            ..ControllerSettings::default().with_periods(s(grace), s(period))
        }
    }

    #[test]
    fn the_probability_rises_in_a_line_over_one_poll() {
        let settings = settings(40.0, 5.0, PassDuration::QUIET);
        let probability = |length| settings.flip_probability(s(length), GapStart::Once);
        assert_eq!(probability(40.02), 0.0);
        assert!((probability(42.521_25) - 0.5).abs() < 1e-9);
        assert_eq!(probability(45.03), 1.0);
    }

    #[test]
    fn a_status_post_long_after_the_lease_earns_one_poll() {
        let settings = settings(40.0, 5.0, PassDuration::QUIET);
        let post = GapStart::StatusPost {
            since_lease: s(9.0),
            earlier_posts: EarlierPosts::none(),
        };
        let plain = settings.flip_probability(s(42.0), GapStart::Once);
        let earned = settings.flip_probability(s(47.0025), post);
        assert!((plain - earned).abs() < 1e-9);
        assert_eq!(settings.earliest_flip(post), s(45.0225));
    }

    #[test]
    fn a_status_post_right_after_the_lease_earns_a_poll_by_chance() {
        let settings = settings(40.0, 5.0, PassDuration::constant(s(1.0)));
        let post = GapStart::StatusPost {
            since_lease: s(2.0),
            earlier_posts: EarlierPosts::none(),
        };
        // x = 6, n = 7: certain at 48 without the extra poll, which a third of the phases has.
        let at_48 = settings.flip_probability(s(48.0), post);
        assert!((at_48 - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(settings.flip_probability(s(54.0), post), 1.0);
    }

    #[test]
    fn a_post_right_after_another_earns_a_poll_only_when_one_look_credits_both() {
        let settings = settings(40.0, 5.0, PassDuration::constant(s(0.01)));
        let posts = |apart: f64, since_lease: f64| GapStart::StatusPost {
            since_lease: s(since_lease),
            earlier_posts: EarlierPosts::none().followed(s(apart)),
        };
        // x = 5.01, n = 8: at 9.25 x certain without the extra poll, and one phase in four with it.
        let flips = |start| settings.flip_probability(s(46.3425), start);
        assert!((flips(posts(30.0, 40.0)) - 0.25).abs() < 1e-9);
        assert_eq!(flips(posts(5.01, 40.0)), 1.0);
        // A look comes between two posts x/2 apart in the later half of the phases, which then flip too.
        assert!((flips(posts(2.505, 40.0)) - 0.75).abs() < 1e-9);
    }

    #[test]
    fn passes_of_unknown_length_give_the_average_over_their_lengths() {
        let range = PassDuration {
            shortest: s(0.1),
            longest: s(1.3),
        };
        let post = GapStart::StatusPost {
            since_lease: s(5.7),
            earlier_posts: EarlierPosts::none(),
        };
        for start in [GapStart::Once, post] {
            for length in [40.5, 42.0, 44.0, 46.5, 49.0, 52.0, 56.0, 60.0] {
                let steps = 20_000;
                let mean = (0..steps)
                    .map(|step| 0.1 + 1.2 * (f64::from(step) + 0.5) / f64::from(steps))
                    .map(|pass| settings(40.0, 5.0, PassDuration::constant(s(pass))))
                    .map(|constant| constant.flip_probability(s(length), start))
                    .sum::<f64>()
                    / f64::from(steps);
                let closed = settings(40.0, 5.0, range).flip_probability(s(length), start);
                assert!((mean - closed).abs() < 1e-4, "{length}: {mean} {closed}");
            }
        }
    }

    #[test]
    fn the_mean_outage_is_the_integral_of_the_probability() {
        let range = PassDuration {
            shortest: s(0.1),
            longest: s(1.3),
        };
        let post = GapStart::StatusPost {
            since_lease: s(5.7),
            earlier_posts: EarlierPosts::none(),
        };
        for pass in [PassDuration::QUIET, PassDuration::constant(s(1.0)), range] {
            let settings = settings(40.0, 5.0, pass);
            for start in [GapStart::Once, post] {
                let steps = 60_000;
                let integral = (0..steps)
                    .map(|step| 60.0 * (f64::from(step) + 0.5) / f64::from(steps))
                    .map(|length| settings.flip_probability(s(length), start))
                    .sum::<f64>()
                    * 60.0
                    / f64::from(steps);
                let closed = settings.mean_outage(s(60.0), start).as_secs_f64();
                assert!((integral - closed).abs() < 1e-3, "{integral} {closed}");
            }
        }
    }

    #[test]
    fn detection_takes_the_grace_rounded_up_to_polls_and_half_a_poll() {
        let settings = settings(42.0, 5.0, PassDuration::constant(Duration::ZERO));
        assert_eq!(settings.mean_detection(), s(47.5));
    }
}
