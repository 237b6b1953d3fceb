//! One simulated node: its specification, its machine's clock, its kubelet, its metrics.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use nodegrace_clock::Clock;
use tokio::sync::watch;

use super::{
    driver::KUBELET, effect::Effect, figures::Figures, ledger::Ledger, machine::Kubelet,
    metrics::Metrics, objects, power::Power, spec::NodeSpec, trouble::Spell,
};
use crate::api::{ApiServer, Gate, Key, Refusal, Resource};

/// A node with its kubelet: cheap to clone.
#[derive(Clone, Debug)]
pub struct SimNode(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) spec: NodeSpec,
    pub(super) server: ApiServer,
    pub(super) clock: Clock,
    /// The machine: its own clock begins with the cluster's monotonic time, and has a wall clock of its own.
    pub(super) power: watch::Sender<Power>,
    /// What the connections from the machine go through.
    network: Gate,
    pub(super) ledger: Ledger,
    pub(super) pods: Vec<Key>,
    kubelet: Mutex<Kubelet>,
    metrics: Mutex<Metrics>,
    /// How often spells were injected.
    injected: watch::Sender<u64>,
}

impl SimNode {
    /// Registers the node and its Lease with the API server, as ready, its kubelet not yet running. `pods` are those of its
    /// pods that the API server knows.
    pub(crate) fn register(
        spec: NodeSpec,
        address: &str,
        server: &ApiServer,
        clock: &Clock,
        ledger: &Ledger,
        pods: Vec<Key>,
    ) -> Result<Self, Refusal> {
        let power = Power::first(spec.seed, clock.another_machine());
        let wall = power.clock.wall();
        let store = server.store();
        let node = store.create(
            Resource::Node,
            objects::node(&spec, address, &power.boot_id, wall),
            KUBELET,
        )?;
        if spec.lease_duration.is_some() {
            let lease = objects::lease(&spec, node.uid(), wall);
            store.create(Resource::Lease, lease, KUBELET)?;
        }
        Ok(Self(Arc::new(Inner {
            kubelet: Mutex::new(Kubelet::new(spec.clone(), clock.now())),
            spec,
            server: server.clone(),
            clock: clock.clone(),
            power: watch::Sender::new(power),
            network: Gate::default(),
            ledger: ledger.clone(),
            pods,
            metrics: Mutex::new(Metrics::new(clock.now())),
            injected: watch::Sender::new(0),
        })))
    }

    /// What the node is.
    pub fn spec(&self) -> &NodeSpec {
        &self.0.spec
    }

    /// The machine's boots, as they come.
    pub fn power(&self) -> watch::Receiver<Power> {
        self.0.power.subscribe()
    }

    /// The id of its boot, as in `/proc/sys/kernel/random/boot_id`.
    pub fn boot_id(&self) -> String {
        self.0.power.borrow().boot_id.clone()
    }

    /// The machine's clock since its boot: the agent on this node belongs on it.
    pub fn machine_clock(&self) -> Clock {
        self.0.power.borrow().clock.clone()
    }

    /// What the connections from the machine go through.
    pub(crate) fn network(&self) -> &Gate {
        &self.0.network
    }

    /// Puts the node under an effect from now on, for `length` of the cluster's time.
    pub fn inject(&self, effect: Effect, length: Duration) {
        self.inject_later(effect, Duration::ZERO, length);
    }

    /// Puts the node under an effect for `length`, `after` so long from now.
    pub fn inject_later(&self, effect: Effect, after: Duration, length: Duration) {
        let start = self.0.clock.now() + after;
        self.lock().inject(Spell {
            start,
            end: start + length,
            effect,
        });
        // Both the kubelet and the machine around it wait for the next boundary they know.
        self.0.injected.send_modify(|times| *times += 1);
    }

    /// The node's figures over the time from the last call until `now`; what the kubelet did goes into its metrics.
    pub(crate) fn observe(&self, since: Duration, now: Duration) -> Figures {
        let clock = self.machine_clock();
        let wall = clock.wall().duration_since(UNIX_EPOCH);
        let mut kubelet = self.lock();
        // Nobody looks away over a boundary: between two of them the spells are the same.
        let within = since + (now - since) / 2;
        let figures = kubelet.figures_at(within);
        let spells = kubelet.trouble.spells_at(within);
        let paused = spells.iter().any(|spell| spell.effect.holds_kubelet());
        let age = clock.now().saturating_sub(kubelet.started);
        let requests = kubelet.requests.take();
        let mut metrics = self
            .0
            .metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wall = wall.unwrap_or_default().as_secs_f64();
        metrics.advance(now, wall, age, &figures, &requests, paused);
        figures
    }

    /// The first boundary of a known spell after `at`.
    pub(crate) fn next_edge(&self, at: Duration) -> Option<Duration> {
        self.lock().trouble.next_edge(at)
    }

    /// What is in force at a moment.
    pub(crate) fn effects_at(&self, at: Duration) -> Vec<Effect> {
        let spells = self.lock().trouble.spells_at(at);
        spells.into_iter().map(|spell| spell.effect).collect()
    }

    /// Tells when spells are injected.
    pub(crate) fn injections(&self) -> watch::Receiver<u64> {
        self.0.injected.subscribe()
    }

    /// The text of the kubelet's `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        let metrics = self
            .0
            .metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        metrics.text()
    }

    /// The kubelet's state. A panic while it was locked leaves it as it was before that step.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Kubelet> {
        self.0
            .kubelet
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
