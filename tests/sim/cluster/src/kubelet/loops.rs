//! The kubelet's two loops, as in the real one. The lease loop stamps a renewal, sends it, retries, and sleeps a quarter of the
//! lease duration plus 0-4 % once the call has ended. The status loop asks the runtime, stamps the conditions and posts them when
//! something changed or the report frequency has passed.

use std::time::{Duration, SystemTime};

use rand::Rng;

use super::{
    effect::Effect,
    machine::{Action, Conditions, Kubelet, Seen},
    phase::{Call, Phase},
    spec::Kind,
    trouble::{Spell, log_normal, normal},
};

/// Attempts made at once, before the lease loop backs off and the status loop waits for its next turn.
const ATTEMPTS: u32 = 5;

/// Share of an interval that is added at random.
const JITTER: f64 = 0.04;

/// Share of statuses in which something besides the times changed: an image pulled or collected now and then.
const STATUS_CHANGES: f64 = 0.004;

/// runtimeRequestTimeout.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

impl Kubelet {
    pub(super) fn lease_step(
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
                self.requests.book("PUT", &call, now);
                Phase::Calling(self.call(now, wall, seen, call.attempt + 1))
            }
            // Out of attempts: the kubelet makes sure that its Lease exists, backing off from 200 ms to 7 s, and renews as
            // soon as that works.
            Phase::Calling(call) if !call.answered => {
                self.requests.book("PUT", &call, now);
                let doublings = (call.attempt - ATTEMPTS).min(6);
                let pause = Duration::from_millis(200 << doublings).min(Duration::from_secs(7));
                Phase::Asleep(now + pause, call.attempt + 1)
            }
            Phase::Calling(call) => {
                self.requests.book("PUT", &call, now);
                let interval = self.spec.lease_duration.unwrap_or_default() / 4;
                Phase::Asleep(now + self.jittered(interval), 1)
            }
            // Only the status asks the runtime first.
            Phase::Computing(until) => Phase::Asleep(until, 1),
        }
    }

    pub(super) fn status_step(
        &mut self,
        phase: Phase,
        now: Duration,
        wall: SystemTime,
        seen: Seen,
        actions: &mut Vec<Action>,
    ) -> Phase {
        match phase {
            Phase::Asleep(..) => {
                self.last_work = self.work(now);
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
                self.requests.book("PATCH", &call, now);
                Phase::Calling(self.call(now, wall, seen, call.attempt + 1))
            }
            Phase::Calling(call) => {
                self.requests.book("PATCH", &call, now);
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
        let spells = self.trouble.spells_at(now);
        Call::send(now, wall, attempt, seen.reach, &spells, &mut self.random)
    }

    /// How long the runtime keeps the status that begins at `now`.
    fn work(&mut self, now: Duration) -> Duration {
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
            _ => self.habits.status_seconds() * log_normal(&mut self.random, 1.0, 0.25),
        };
        let work = Duration::from_secs_f64(seconds);
        let slowed = |slowed: Duration, spell: Spell| match spell.effect {
            // When it is over, what is left is done at the usual pace.
            Effect::SlowRuntime(factor) => slowed.mul_f64(factor).min(spell.end - now + work),
            Effect::RuntimeHung => slowed.max((spell.end - now).min(REQUEST_TIMEOUT)),
            _ => slowed,
        };
        self.trouble.spells_at(now).into_iter().fold(work, slowed)
    }

    fn jittered(&mut self, interval: Duration) -> Duration {
        interval.mul_f64(1.0 + JITTER * self.random.random::<f64>())
    }
}
