//! What the controller's own flips say of its grace period, learnt anew now and then: kinds of flips are told by it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nodegrace_core::{
    ControllerSettings,
    cluster::{FlipRule, delays, expected_flips},
};

use crate::register::Register;

/// How often it is looked at anew: a look at every node that flipped.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// The rule by which flips are told apart now.
#[derive(Debug)]
pub(super) struct Rule(Mutex<Learnt>);

#[derive(Debug)]
struct Learnt {
    rule: FlipRule,
    /// What it was learnt from.
    delays: Vec<Duration>,
    next: Duration,
}

impl Rule {
    /// The rule by the settings alone.
    pub(super) const fn new(settings: ControllerSettings) -> Self {
        Self(Mutex::new(Learnt {
            rule: FlipRule::new(settings),
            delays: Vec::new(),
            next: Duration::ZERO,
        }))
    }

    pub(super) fn get(&self) -> FlipRule {
        self.change(|learnt| learnt.rule)
    }

    /// Looks at the flips of all nodes when it is time to, a few nodes at a time.
    pub(super) async fn learn(&self, register: &Register, now: Duration) {
        if !self.change(|learnt| now >= learnt.next) {
            return;
        }
        let mut all = Vec::new();
        register
            .visit(&register.flipped(), |known| {
                all.extend(delays(known.history));
            })
            .await;
        all.sort_unstable();
        let settings = *self.get().settings();
        let unchanged = self.change(|learnt| {
            learnt.next = now + EVERY;
            learnt.delays == all
        });
        if unchanged {
            return;
        }
        let plain = FlipRule::new(settings);
        let soon = all.iter().filter(|delay| plain.is_too_soon(**delay));
        let mut expected: BTreeMap<u64, f64> = soon.map(|delay| (delay.as_secs(), 0.0)).collect();
        if !expected.is_empty() {
            register
                .visit(&register.names(), |known| {
                    for (seconds, flips) in &mut expected {
                        let delay = Duration::from_secs(*seconds);
                        *flips += expected_flips(known.history, &settings, delay);
                    }
                })
                .await;
        }
        // By whole seconds: there are few of them below any grace period.
        let expected = |delay: Duration| expected.get(&delay.as_secs()).copied().unwrap_or(0.0);
        let rule = FlipRule::of(settings, all.clone(), expected);
        self.change(|learnt| {
            if learnt.rule != rule {
                tracing::info!(?rule, "flips are told apart by another rule");
            }
            learnt.rule = rule;
            learnt.delays = all;
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Learnt) -> T) -> T {
        let mut learnt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut learnt)
    }
}
