//! One kubelet as a state machine without IO: told the time, it says what it does and when it wants to be told again.
//!
//! Two loops, as in the real one. The lease loop stamps a renewal, sends it, retries, and sleeps a quarter of the lease duration
//! plus 0-4 % once the call has ended. The status loop asks the runtime, stamps the conditions and posts them when something
//! changed or the report frequency has passed.

use std::time::{Duration, SystemTime};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    phase::{Call, Phase},
    spec::{Kind, NodeSpec},
    trouble::{Edge, Effect, Spell, Trouble, log_normal, normal},
};
use crate::api::Reach;

/// Attempts made at once, before the lease loop backs off and the status loop waits for its next turn.
const ATTEMPTS: u32 = 5;

/// Share of an interval that is added at random.
const JITTER: f64 = 0.04;

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
    random: StdRng,
    /// Noise of the figures.
    pub(super) noise: StdRng,
    pub(super) trouble: Trouble,
    lease: Option<Phase>,
    status: Phase,
    last_report: Option<Duration>,
    /// Its copy of its own Node is older than a pause or a lost connection.
    stale_copy: bool,
    /// The last status it posted said that the runtime is down.
    posted_down: bool,
    pods_at: Option<Duration>,
    /// Process id and start of the running process.
    pub(super) pid: u32,
    pub(super) started: Duration,
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
            trouble: Trouble::new(spec.kind, spec.severity, now),
            lease,
            status,
            last_report,
            stale_copy: false,
            posted_down: false,
            pods_at: None,
            pid: random.random_range(700..3000),
            started: now.saturating_sub(Duration::from_secs(random.random_range(600..3500))),
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
                Edge::Begins(Effect::ClockStep(seconds)) => {
                    wall = step(wall, seconds);
                    actions.push(Action::StepClock(seconds));
                }
                Edge::Ends(Effect::Gone) => self.start(now),
                Edge::Ends(effect) if effect.pauses() => self.stale_copy = true,
                Edge::Ends(Effect::Disconnected) => self.stale_copy = true,
                Edge::Begins(_) | Edge::Ends(_) => {}
            }
        }
        if let Some(until) = self.trouble.paused_until() {
            let wake = until + Duration::from_millis(self.random.random_range(5..300));
            if let Some(lease) = &mut self.lease {
                lease.postpone(wake);
            }
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

    fn lease_step(
        &mut self,
        phase: Phase,
        now: Duration,
        wall: SystemTime,
        seen: Seen,
        actions: &mut Vec<Action>,
    ) -> Phase {
        match phase {
            Phase::Asleep(_, attempt) => Phase::Calling(self.call(now, wall, seen, attempt)),
            Phase::Calling(mut call) if call.arrives.is_some() => {
                call.arrives = None;
                actions.push(Action::Renew { stamp: call.stamp });
                Phase::Calling(call)
            }
            Phase::Calling(call) if !call.answered && call.attempt < ATTEMPTS => {
                Phase::Calling(self.call(now, wall, seen, call.attempt + 1))
            }
            // Out of attempts: the kubelet makes sure that its Lease exists, backing off from 200 ms to 7 s, and renews as
            // soon as that works.
            Phase::Calling(call) if !call.answered => {
                let doublings = (call.attempt - ATTEMPTS).min(6);
                let pause = Duration::from_millis(200 << doublings).min(Duration::from_secs(7));
                Phase::Asleep(now + pause, call.attempt + 1)
            }
            Phase::Calling(_) | Phase::Computing(_) => {
                let interval = self.spec.lease_duration.unwrap_or_default() / 4;
                Phase::Asleep(now + self.jittered(interval), 1)
            }
        }
    }

    fn status_step(
        &mut self,
        phase: Phase,
        now: Duration,
        wall: SystemTime,
        seen: Seen,
        actions: &mut Vec<Action>,
    ) -> Phase {
        match phase {
            Phase::Asleep(..) => {
                self.last_work = self.work();
                Phase::Computing(now + self.last_work)
            }
            Phase::Computing(_) => {
                let reported = self
                    .last_report
                    .is_some_and(|last| now < last + self.spec.status_report_frequency);
                let changed = seen.unknown
                    || self.posted_down != self.runtime_is_down()
                    || self.random.random_bool(STATUS_CHANGES);
                if reported && !changed {
                    return self.status_asleep(now);
                }
                Phase::Calling(self.call(now, wall, seen, 1))
            }
            Phase::Calling(mut call) if call.arrives.is_some() => {
                call.arrives = None;
                let conditions = if self.stale_copy && seen.unknown {
                    Conditions::Unchanged
                } else if self.runtime_is_down() {
                    Conditions::RuntimeDown
                } else {
                    Conditions::Well
                };
                self.stale_copy = false;
                self.posted_down = conditions == Conditions::RuntimeDown;
                actions.push(Action::PostStatus {
                    stamp: call.stamp,
                    conditions,
                    images_changed: self.random.random_bool(STATUS_CHANGES),
                });
                Phase::Calling(call)
            }
            Phase::Calling(call) if !call.answered && call.attempt < ATTEMPTS => {
                Phase::Calling(self.call(now, wall, seen, call.attempt + 1))
            }
            Phase::Calling(call) => {
                if call.answered {
                    self.last_report = Some(now);
                }
                self.status_asleep(now)
            }
        }
    }

    fn status_asleep(&mut self, now: Duration) -> Phase {
        let interval = self.spec.status_update_frequency;
        Phase::Asleep(now + self.jittered(interval), 1)
    }

    fn runtime_is_down(&self) -> bool {
        self.trouble
            .effects()
            .any(|effect| effect == Effect::RuntimeDown)
    }

    /// Sends a call by the connection of the moment.
    fn call(&mut self, now: Duration, wall: SystemTime, seen: Seen, attempt: u32) -> Call {
        let effects: Vec<Effect> = self.trouble.effects().collect();
        Call::send(now, wall, attempt, seen.reach, &effects, &mut self.random)
    }

    /// How long the runtime keeps the status that begins now.
    fn work(&mut self) -> Duration {
        self.stress = 0.6 * self.stress + 0.8 * normal(&mut self.random);
        let seconds = match self.spec.kind {
            Kind::Overloaded => {
                let median = 12.5 + 6.0 * self.spec.severity;
                (median * (0.36 * self.stress).exp()).clamp(8.0, 52.0)
            }
            Kind::SlowRuntime => {
                let median = 18.0 + 20.0 * self.spec.severity;
                (median * (0.45 * self.stress).exp()).clamp(6.0, 110.0)
            }
            _ => log_normal(&mut self.random, 0.03, 0.5).min(2.0),
        };
        let slowed = self
            .trouble
            .effects()
            .fold(seconds, |seconds, effect| match effect {
                Effect::SlowRuntime(factor) => seconds * factor,
                _ => seconds,
            });
        Duration::from_secs_f64(slowed)
    }

    /// The kubelet sees its pods marked not ready and puts that right with its next sync.
    fn watch_pods(&mut self, now: Duration, seen: Seen, actions: &mut Vec<Action>) {
        let connected = seen.reach == Reach::Up
            && !self
                .trouble
                .effects()
                .any(|effect| effect == Effect::Disconnected);
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
        self.started = now;
        self.lease = self.spec.lease_duration.map(|_| Phase::Asleep(now, 1));
        self.status = Phase::Asleep(
            now + Duration::from_millis(self.random.random_range(200..900)),
            1,
        );
        self.last_report = None;
    }

    fn jittered(&mut self, interval: Duration) -> Duration {
        interval.mul_f64(1.0 + JITTER * self.random.random::<f64>())
    }
}

/// Share of statuses in which something besides the times changed: an image pulled or collected now and then.
const STATUS_CHANGES: f64 = 0.004;

fn step(wall: SystemTime, seconds: f64) -> SystemTime {
    let by = Duration::from_secs_f64(seconds.abs());
    if seconds >= 0.0 { wall + by } else { wall - by }
}
