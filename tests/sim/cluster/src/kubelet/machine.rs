//! One kubelet as a state machine without IO: told the time, it says what it does and when it wants to be told again.
//!
//! Its two loops are in `loops.rs`; here is what surrounds them: spells of trouble, the process, the pods.

use std::time::{Duration, SystemTime};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    effect::Effect,
    habits::Habits,
    phase::Phase,
    requests::Requests,
    spec::NodeSpec,
    trouble::{Edge, Spell, Trouble, normal},
};
use crate::api::Reach;

/// What the kubelet does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Its renewal of the Lease reaches the API server.
    Renew {
        /// `spec.renewTime`, by the node's wall clock when the renewal was made.
        stamp: SystemTime,
    },
    /// Its status reaches the API server.
    PostStatus {
        /// `lastHeartbeatTime`, by the node's wall clock when the conditions were computed.
        stamp: SystemTime,
        /// What the conditions say.
        conditions: Conditions,
        /// The list of images changed as well.
        images_changed: bool,
    },
    /// It tells the API server that its pods are ready.
    PostPodsReady,
    /// The wall clock of its machine is stepped by these seconds.
    StepClock(f64),
    /// Its machine is paused for so long.
    StandStill(Duration),
    /// Its machine is suspended for so long.
    Suspend(Duration),
    /// Its machine fails.
    PowerOff,
    /// Its machine is up again since so long.
    Boot(Duration),
}

/// What a posted status says besides its heartbeat times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// Nothing: the kubelet computed against an old copy of its Node and does not know that it was marked Unknown.
    Unchanged,
    /// All is well.
    Well,
    /// Ready=False by the kubelet's own judgement: the runtime is down.
    RuntimeDown,
}

/// What the kubelet sees of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How the API server behaves.
    pub reach: Reach,
    /// Whether its Node is marked Ready=Unknown.
    pub unknown: bool,
    /// Whether any of its pods is marked not ready.
    pub pods_unready: bool,
}

/// A kubelet.
#[derive(Clone, Debug)]
pub struct Kubelet {
    pub(super) spec: NodeSpec,
    pub(super) random: StdRng,
    /// Noise of the figures.
    pub(super) noise: StdRng,
    pub(super) habits: Habits,
    pub(super) trouble: Trouble,
    pub(super) lease: Option<Phase>,
    pub(super) status: Phase,
    pub(super) last_report: Option<Duration>,
    /// Its copy of its own Node is older than a pause or a lost connection.
    pub(super) stale_copy: bool,
    /// The last status it posted said that the runtime is down.
    pub(super) posted_down: bool,
    pods_at: Option<Duration>,
    /// Process id of the running process, and its start since the machine's boot.
    pub(super) pid: u32,
    pub(super) started: Duration,
    /// When the machine was booted, on the cluster's monotonic clock.
    booted: Duration,
    pub(super) requests: Requests,
    /// The load of the moment on a standard normal scale; wanders from status to status.
    pub(super) stress: f64,
    /// How long the runtime kept the last status.
    pub(super) last_work: Duration,
}

impl Kubelet {
    /// A kubelet that has been running for a while at `now`, its loops at random points of their intervals.
    pub fn new(spec: NodeSpec, now: Duration) -> Self {
        let mut random = StdRng::seed_from_u64(spec.seed);
        let mut spread = |over: Duration| now + over.mul_f64(random.random());
        let lease = spec
            .lease_duration
            .map(|duration| Phase::Asleep(spread(duration / 4), 1));
        let status = Phase::Asleep(spread(spec.status_update_frequency), 1);
        // Reports are due at different times on different nodes; the first may be anywhere in its interval.
        let last_report =
            spread(spec.status_report_frequency).checked_sub(spec.status_report_frequency);
        Self {
            habits: Habits::of(&spec),
            trouble: Trouble::new(spec.kind, spec.severity, now),
            lease,
            status,
            last_report,
            stale_copy: false,
            posted_down: false,
            pods_at: None,
            pid: random.random_range(700..3000),
            started: now.saturating_sub(Duration::from_secs(random.random_range(600..3500))),
            booted: Duration::ZERO,
            requests: Requests::default(),
            stress: normal(&mut random),
            last_work: Duration::from_millis(20),
            noise: StdRng::seed_from_u64(spec.seed ^ 0x6669_6775),
            random,
            spec,
        }
    }

    /// The node it runs on.
    pub fn spec(&self) -> &NodeSpec {
        &self.spec
    }

    /// When it next acts on its own.
    pub fn due(&self) -> Duration {
        let loops = self
            .lease
            .map(Phase::due)
            .into_iter()
            .chain([self.status.due()]);
        loops
            .chain(self.pods_at)
            .chain([self.trouble.due()])
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// Adds a spell of trouble.
    pub fn inject(&mut self, spell: Spell) {
        self.trouble.inject(spell);
    }

    /// Acts on everything that is due at `now`; `wall` is its machine's wall clock.
    pub fn act(&mut self, now: Duration, wall: SystemTime, seen: Seen) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut wall = wall;
        for edge in self.trouble.advance(now, &mut self.random) {
            match edge {
                Edge::Begins(spell) => {
                    actions.extend(befalls(spell, now, &mut wall));
                    if spell.effect == Effect::Suspended {
                        // Its timers run by CLOCK_MONOTONIC, which stands still: what is left to sleep will still be left.
                        let length = spell.end.saturating_sub(now);
                        self.lease.iter_mut().for_each(|lease| lease.shift(length));
                        self.status.shift(length);
                    }
                }
                Edge::Ends(spell) => actions.extend(self.recovers(spell, now)),
            }
        }
        if let Some(until) = self.trouble.held_until(Effect::holds_loops) {
            let wake = until + Duration::from_millis(self.random.random_range(5..300));
            self.lease.iter_mut().for_each(|lease| lease.postpone(wake));
            self.status.postpone(wake);
            self.pods_at = None;
        } else {
            self.watch_pods(now, seen, &mut actions);
        }
        if let Some(phase) = self.lease.filter(|phase| phase.due() <= now) {
            self.lease = Some(self.lease_step(phase, now, wall, seen, &mut actions));
        }
        if self.status.due() <= now {
            self.status = self.status_step(self.status, now, wall, seen, &mut actions);
        }
        actions
    }

    /// What the end of a spell leaves to be done.
    fn recovers(&mut self, spell: Spell, now: Duration) -> Option<Action> {
        match spell.effect {
            Effect::Rebooted => {
                let uptime = Duration::from_secs(self.random.random_range(6..15));
                self.booted = now.saturating_sub(uptime);
                self.pid = self.random.random_range(400..700);
                self.start(now);
                return Some(Action::Boot(uptime));
            }
            Effect::Gone => self.start(now),
            effect if effect.holds_loops() || effect.loses_requests() => self.stale_copy = true,
            _ => {}
        }
        None
    }

    /// The kubelet sees its pods marked not ready and puts that right with its next sync.
    fn watch_pods(&mut self, now: Duration, seen: Seen, actions: &mut Vec<Action>) {
        let connected =
            seen.reach == Reach::Up && !self.trouble.effects().any(Effect::loses_requests);
        match self.pods_at {
            Some(at) if at <= now => {
                self.pods_at = None;
                if connected {
                    actions.push(Action::PostPodsReady);
                }
            }
            None if seen.pods_unready && connected => {
                // Recorded: 6.6 s after the kubelet was back.
                self.pods_at =
                    Some(now + Duration::from_secs_f64(self.random.random_range(1.0..9.0)));
            }
            _ => {}
        }
    }

    /// A new process: both loops begin at once.
    fn start(&mut self, now: Duration) {
        self.pid += self.random.random_range(20..400);
        self.started = now.saturating_sub(self.booted);
        self.requests = Requests::default();
        self.lease = self.spec.lease_duration.map(|_| Phase::Asleep(now, 1));
        self.status = Phase::Asleep(
            now + Duration::from_millis(self.random.random_range(200..900)),
            1,
        );
        self.last_report = None;
    }
}

/// What the beginning of a spell does to the machine.
fn befalls(spell: Spell, now: Duration, wall: &mut SystemTime) -> Option<Action> {
    let length = spell.end.saturating_sub(now);
    match spell.effect {
        Effect::ClockStep(seconds) => {
            *wall = step(*wall, seconds);
            Some(Action::StepClock(seconds))
        }
        Effect::Paused => Some(Action::StandStill(length)),
        Effect::Suspended => Some(Action::Suspend(length)),
        Effect::Rebooted => Some(Action::PowerOff),
        _ => None,
    }
}

fn step(wall: SystemTime, seconds: f64) -> SystemTime {
    let by = Duration::from_secs_f64(seconds.abs());
    if seconds >= 0.0 { wall + by } else { wall - by }
}
