//! Drives one kubelet at the clock's pace: tells it the time and what it sees, and carries out what it does.
//!
//! Posts go straight into the store, so that ten thousand kubelets cost no connections; whether they arrive still depends on
//! whether the API server answers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nodegrace_clock::Clock;
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    figures::Figures,
    ledger::{Channel, Ledger},
    machine::{Action, Kubelet, Seen},
    metrics::Metrics,
    objects,
    spec::NodeSpec,
    trouble::{Effect, Spell},
};
use crate::{
    api::{ApiServer, Key, NODE_LEASE_NAMESPACE, Refusal, Resource, Writer, condition},
    stamp,
};

/// A node with its kubelet: cheap to clone.
#[derive(Clone, Debug)]
pub struct SimNode(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: NodeSpec,
    boot_id: String,
    server: ApiServer,
    clock: Clock,
    /// The machine's own clock: the cluster's monotonic time, a wall clock of its own.
    machine_clock: Clock,
    ledger: Ledger,
    pods: Vec<Key>,
    kubelet: Mutex<Kubelet>,
    metrics: Mutex<Metrics>,
    injected: Notify,
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

    /// Runs the kubelet until the future is dropped.
    pub(crate) async fn run(self) {
        loop {
            let due = self.lock().due();
            tokio::select! {
                () = self.0.clock.sleep_until(due) => {}
                () = self.0.injected.notified() => {}
            }
            let seen = self.look();
            let now = self.0.clock.now();
            let actions = self.lock().act(now, self.0.machine_clock.wall(), seen);
            for action in actions {
                if let Err(refusal) = self.carry_out(action, now) {
                    tracing::debug!(node = %self.0.spec.name, %refusal, "kubelet's post refused");
                }
            }
        }
    }

    /// What the kubelet sees of the cluster.
    fn look(&self) -> Seen {
        let store = self.0.server.store();
        let is = |resource, key: &Key, status: &str| {
            store.get(resource, key).is_ok_and(|object| {
                condition(&object.value, "Ready").is_some_and(|ready| ready["status"] == status)
            })
        };
        Seen {
            reach: self.0.server.reach(),
            unknown: is(Resource::Node, &Key::cluster(&self.0.spec.name), "Unknown"),
            pods_unready: self
                .0
                .pods
                .iter()
                .any(|pod| is(Resource::Pod, pod, "False")),
        }
    }

    fn carry_out(&self, action: Action, now: Duration) -> Result<(), Refusal> {
        match action {
            Action::StepClock(seconds) => {
                self.0.machine_clock.step_wall(seconds);
                Ok(())
            }
            Action::Renew { stamp } => self.renew(stamp, now),
            Action::PostStatus {
                stamp,
                heartbeat_only,
                images_changed,
            } => self.post_status(stamp, now, heartbeat_only, images_changed),
            Action::PostPodsReady => self.post_pods_ready(),
        }
    }

    fn renew(&self, renewed: SystemTime, now: Duration) -> Result<(), Refusal> {
        let inner = &*self.0;
        if !inner.server.serves_leases() {
            return Ok(());
        }
        let store = inner.server.store();
        let key = Key::new(NODE_LEASE_NAMESPACE, &inner.spec.name);
        let writer = Writer {
            manager: KUBELET,
            status: false,
        };
        let written = store.update(Resource::Lease, &key, writer, |lease| {
            lease["spec"]["renewTime"] = stamp::micros(renewed).into();
            Ok(())
        });
        let lease = match written {
            // Somebody deleted it: the kubelet creates it anew.
            Err(Refusal::NotFound { .. }) => {
                let node = store.get(Resource::Node, &Key::cluster(&inner.spec.name))?;
                store.create(
                    Resource::Lease,
                    objects::lease(&inner.spec, node.uid(), renewed),
                    KUBELET,
                )?
            }
            other => other?,
        };
        self.book(Channel::Lease, cut(renewed, 1_000), now, lease.revision);
        Ok(())
    }

    fn post_status(
        &self,
        heartbeat: SystemTime,
        now: Duration,
        heartbeat_only: bool,
        images_changed: bool,
    ) -> Result<(), Refusal> {
        let key = Key::cluster(&self.0.spec.name);
        let writer = Writer {
            manager: KUBELET,
            status: true,
        };
        let node = self
            .0
            .server
            .store()
            .update(Resource::Node, &key, writer, |node| {
                objects::post_status(node, heartbeat, heartbeat_only, images_changed);
                Ok(())
            })?;
        self.book(
            Channel::NodeStatus,
            cut(heartbeat, 1_000_000_000),
            now,
            node.revision,
        );
        Ok(())
    }

    fn post_pods_ready(&self) -> Result<(), Refusal> {
        let now = stamp::seconds(self.0.machine_clock.wall());
        let writer = Writer {
            manager: KUBELET,
            status: true,
        };
        for pod in &self.0.pods {
            self.0
                .server
                .store()
                .update(Resource::Pod, pod, writer, |pod| {
                    set_ready(pod, true, &now);
                    Ok(())
                })?;
        }
        Ok(())
    }

    fn book(&self, channel: Channel, stamp: SystemTime, now: Duration, revision: u64) {
        let inner = &*self.0;
        inner
            .ledger
            .book(&inner.spec.name, channel, stamp, now, revision);
    }
}

/// Field manager of everything a kubelet writes.
const KUBELET: &str = "kubelet";

/// Sets a pod's Ready condition.
pub(crate) fn set_ready(pod: &mut Value, ready: bool, now: &str) {
    let status = if ready { "True" } else { "False" };
    for condition in pod["status"]["conditions"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if condition["type"] == "Ready" && condition["status"] != status {
            condition["status"] = status.into();
            condition["lastTransitionTime"] = now.into();
        }
    }
}

/// A time cut to a multiple of `nanos`, as the object holds it.
fn cut(time: SystemTime, nanos: u128) -> SystemTime {
    let since = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    UNIX_EPOCH + Duration::from_nanos((since - since % nanos) as u64)
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
