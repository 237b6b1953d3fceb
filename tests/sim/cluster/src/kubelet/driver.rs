//! Drives one kubelet at the clock's pace: tells it the time and what it sees, and carries out what it does.
//!
//! Posts go straight into the store, so that ten thousand kubelets cost no connections; whether they arrive still depends on
//! whether the API server answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{
    ledger::Channel,
    machine::{Action, Conditions, Seen},
    node::SimNode,
    objects,
};
use crate::{
    api::{Key, NODE_LEASE_NAMESPACE, Refusal, Resource, Writer, condition},
    stamp,
};

impl SimNode {
    /// Runs the kubelet until the future is dropped.
    pub(crate) async fn run(self) {
        let mut injections = self.injections();
        loop {
            let due = self.lock().due();
            tokio::select! {
                () = self.0.clock.sleep_until(due) => {}
                // Its sender is the node's, which is here.
                _ = injections.changed() => {}
            }
            let seen = self.look();
            let now = self.0.clock.now();
            let wall = self.machine_clock().wall();
            let actions = self.lock().act(now, wall, seen);
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
                self.machine_clock().step_wall(seconds);
                Ok(())
            }
            Action::StandStill(length) => {
                self.machine_clock().stand_still(length);
                Ok(())
            }
            Action::Suspend(length) => {
                self.machine_clock().suspend(length);
                Ok(())
            }
            Action::PowerOff => {
                self.0.power.send_modify(|power| power.on = false);
                Ok(())
            }
            Action::Boot(uptime) => {
                let seed = self.0.spec.seed;
                self.0
                    .power
                    .send_modify(|power| *power = power.next(seed, uptime));
                Ok(())
            }
            Action::Renew { stamp } => self.renew(stamp, now),
            Action::PostStatus {
                stamp,
                conditions,
                images_changed,
            } => self.post_status(stamp, now, conditions, images_changed),
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
        conditions: Conditions,
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
                objects::post_status(node, heartbeat, conditions, images_changed);
                node["status"]["nodeInfo"]["bootID"] = self.boot_id().into();
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
        let now = stamp::seconds(self.machine_clock().wall());
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
pub(super) const KUBELET: &str = "kubelet";

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
