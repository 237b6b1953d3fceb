//! The spells of trouble in a node's life: when each begins and when it ends.

use std::{collections::VecDeque, time::Duration};

use rand::{Rng, rngs::StdRng};

use super::{effect::Effect, spec::Kind};

/// Spells that are over and still remembered: what a machine counted is booked some seconds later.
const REMEMBERED: usize = 8;

/// One spell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// Beginning, on the cluster's monotonic clock.
    pub start: Duration,
    /// End.
    pub end: Duration,
    /// What it does.
    pub effect: Effect,
}

impl Spell {
    /// Whether it is in force at `at`.
    fn covers(&self, at: Duration) -> bool {
        self.start <= at && at < self.end
    }

    /// How strong it is, from 0 to 1: a chance that is the spell's own and lasts as long as it does.
    pub(super) fn strength(&self) -> f64 {
        let mixed = (self.start.as_nanos() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A boundary that time has passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Edge {
    Begins(Spell),
    Ends(Spell),
}

/// The spells of one node: those of its kind, drawn one after the other, and those that a test injects.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    kind: Kind,
    severity: f64,
    over: VecDeque<Spell>,
    running: Vec<Spell>,
    /// Spells to come, by start.
    coming: VecDeque<Spell>,
    /// When the kind's next spell is to be drawn; none: the kind has none.
    draw_at: Option<Duration>,
    /// How far a stepped clock is ahead, in seconds.
    ahead: f64,
}

impl Trouble {
    pub(super) fn new(kind: Kind, severity: f64, now: Duration) -> Self {
        let has_spells = matches!(
            kind,
            Kind::CpuStarved | Kind::FlakyConnection | Kind::ClockStep | Kind::RestartedKubelet
        );
        Self {
            kind,
            severity,
            over: VecDeque::with_capacity(REMEMBERED),
            running: Vec::new(),
            coming: VecDeque::new(),
            draw_at: has_spells.then_some(now),
            ahead: 0.0,
        }
    }

    /// Adds a spell of a test's own.
    pub(super) fn inject(&mut self, spell: Spell) {
        let place = self
            .coming
            .partition_point(|known| known.start <= spell.start);
        self.coming.insert(place, spell);
    }

    /// The next boundary.
    pub(super) fn due(&self) -> Duration {
        let ends = self.running.iter().map(|spell| spell.end);
        let starts = self.coming.front().map(|spell| spell.start);
        ends.chain(starts)
            .chain(self.draw_at)
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// The first boundary of a known spell after `at`.
    pub(super) fn next_edge(&self, at: Duration) -> Option<Duration> {
        let known = self.over.iter().chain(&self.running).chain(&self.coming);
        known
            .flat_map(|spell| [spell.start, spell.end])
            .filter(|edge| *edge > at)
            .min()
    }

    /// Passes every boundary up to `now`.
    pub(super) fn advance(&mut self, now: Duration, random: &mut StdRng) -> Vec<Edge> {
        let mut edges = Vec::new();
        if self.draw_at.is_some_and(|at| at <= now) {
            let spell = self.draw(now, random);
            self.draw_at = Some(spell.end);
            self.inject(spell);
        }
        while let Some(spell) = self
            .coming
            .front()
            .copied()
            .filter(|spell| spell.start <= now)
        {
            self.coming.pop_front();
            edges.push(Edge::Begins(spell));
            self.running.push(spell);
        }
        let over = &mut self.over;
        self.running.retain(|spell| {
            let ends = spell.end <= now;
            if ends {
                edges.push(Edge::Ends(*spell));
                if over.len() == REMEMBERED {
                    over.pop_front();
                }
                over.push_back(*spell);
            }
            !ends
        });
        edges
    }

    /// The effects in force.
    pub(super) fn effects(&self) -> impl Iterator<Item = Effect> {
        self.running.iter().map(|spell| spell.effect)
    }

    /// The spells in force at a moment that may be some seconds ago or to come.
    pub(super) fn spells_at(&self, at: Duration) -> Vec<Spell> {
        let known = self.over.iter().chain(&self.running).chain(&self.coming);
        known.filter(|spell| spell.covers(at)).copied().collect()
    }

    /// Until when one of the spells in force that `hold` lasts.
    pub(super) fn held_until(&self, hold: fn(Effect) -> bool) -> Option<Duration> {
        self.running
            .iter()
            .filter(|spell| hold(spell.effect))
            .map(|spell| spell.end)
            .max()
    }

    /// The kind's next spell. The distributions are chosen so that a fleet of 40 sees 5 to 40 flips an hour at a grace period
    /// of 40 s: long spells are rare, and most end before the controller acts.
    fn draw(&mut self, now: Duration, random: &mut StdRng) -> Spell {
        let (mean_pause, effect, length) = match self.kind {
            Kind::CpuStarved => {
                let median = 18.0 + 10.0 * self.severity;
                (
                    600.0,
                    Effect::Starved,
                    log_normal(random, median, 0.45).clamp(4.0, 90.0),
                )
            }
            Kind::FlakyConnection if random.random_bool(0.6) => {
                (500.0, Effect::Lossy, random.random_range(15.0..60.0))
            }
            Kind::FlakyConnection => {
                let longest = 40.0 + 20.0 * self.severity;
                (
                    500.0,
                    Effect::Disconnected,
                    random.random_range(10.0..longest),
                )
            }
            Kind::ClockStep => {
                // Forward first; then back to where the others are, so that it does not run away.
                let step = if self.ahead > 0.0 {
                    -self.ahead
                } else {
                    random.random_range(12.0..(30.0 + 15.0 * self.severity))
                };
                self.ahead += step;
                (700.0, Effect::ClockStep(step), 1.0)
            }
            _ => (
                1200.0,
                Effect::Gone,
                random.random_range(3.0..25.0 + 20.0 * self.severity),
            ),
        };
        let pause = -mean_pause * (1.0 - random.random::<f64>()).ln();
        let start = now + Duration::from_secs_f64(pause.clamp(30.0, 5.0 * mean_pause));
        Spell {
            start,
            end: start + Duration::from_secs_f64(length),
            effect,
        }
    }
}

/// A log-normal draw: `median` times e to a normal of deviation `sigma`.
pub(crate) fn log_normal(random: &mut StdRng, median: f64, sigma: f64) -> f64 {
    median * (sigma * normal(random)).exp()
}

/// A standard normal draw (Box and Muller).
pub(super) fn normal(random: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}
