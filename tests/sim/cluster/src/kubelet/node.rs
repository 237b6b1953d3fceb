//! One simulated node: its specification, its machine's clock, its kubelet, its metrics.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use nodegrace_clock::Clock;
use tokio::sync::Notify;

use super::{
    driver::KUBELET,
    figures::Figures,
    ledger::Ledger,
    machine::Kubelet,
    metrics::Metrics,
    objects,
    spec::NodeSpec,
    trouble::{Effect, Spell},
};
use crate::api::{ApiServer, Key, Refusal, Resource};

/// A node with its kubelet: cheap to clone.
#[derive(Clone, Debug)]
pub struct SimNode(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) spec: NodeSpec,
    boot_id: String,
    pub(super) server: ApiServer,
    pub(super) clock: Clock,
    /// The machine's own clock: the cluster's monotonic time, a wall clock of its own.
    pub(super) machine_clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) pods: Vec<Key>,
    kubelet: Mutex<Kubelet>,
    metrics: Mutex<Metrics>,
    pub(super) injected: Notify,
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
        let boot_id = boot_id(spec.seed);
        let machine_clock = clock.another_machine();
        let wall = machine_clock.wall();
        let store = server.store();
        let node = store.create(
            Resource::Node,
            objects::node(&spec, address, &boot_id, wall),
            KUBELET,
        )?;
        if spec.lease_duration.is_some() {
            let lease = objects::lease(&spec, node.uid(), wall);
            store.create(Resource::Lease, lease, KUBELET)?;
        }
        Ok(Self(Arc::new(Inner {
            kubelet: Mutex::new(Kubelet::new(spec.clone(), clock.now())),
            spec,
            boot_id,
            server: server.clone(),
            clock: clock.clone(),
            machine_clock,
            ledger: ledger.clone(),
            pods,
            metrics: Mutex::new(Metrics::new(clock.now())),
            injected: Notify::new(),
        })))
    }

    /// What the node is.
    pub fn spec(&self) -> &NodeSpec {
        &self.0.spec
    }

    /// The id of its boot, as in `/proc/sys/kernel/random/boot_id`.
    pub fn boot_id(&self) -> &str {
        &self.0.boot_id
    }

    /// The machine's clock: the agent on this node belongs on it.
    pub fn machine_clock(&self) -> &Clock {
        &self.0.machine_clock
    }

    /// Puts the node under an effect from now on, for `length` of the cluster's time.
    pub fn inject(&self, effect: Effect, length: Duration) {
        let start = self.0.clock.now();
        self.lock().inject(Spell {
            start,
            end: start + length,
            effect,
        });
        self.0.injected.notify_one();
    }

    /// The node's figures at `now`; what the kubelet did until then goes into its metrics.
    pub(crate) fn observe_figures(&self, now: Duration) -> Figures {
        let mut kubelet = self.lock();
        let figures = kubelet.figures();
        let wall = self.0.machine_clock.wall();
        let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let paused = kubelet.trouble.paused_until().is_some();
        let mut metrics = self
            .0
            .metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        metrics.advance(now, wall.as_secs_f64(), &figures, paused);
        figures
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

/// A boot id of the node's own.
fn boot_id(seed: u64) -> String {
    let high = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let low = seed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ high.rotate_left(32);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
