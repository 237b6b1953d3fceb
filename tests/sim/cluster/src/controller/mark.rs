//! What the controller writes when it gives a node up, and when the node is back: conditions, taints, pods, an event.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::KCM;
use crate::{
    api::{Key, Object, Refusal, Resource, Selector, Store, Writer, condition},
    kubelet, stamp,
};

/// The taint of a node whose kubelet stopped posting.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

const STATUS: Writer<'_> = Writer {
    manager: KCM,
    status: true,
};

const MAIN: Writer<'_> = Writer {
    manager: KCM,
    status: false,
};

/// Marks every condition of a node Unknown, then its pods not ready, then taints it: the order that was recorded. Of a node that was
/// not ready as the controller looked it marks no pods and records nothing: they stay listed until they are evicted.
pub(super) fn unknown(store: &Store, name: &str, wall: SystemTime) -> Result<(), Refusal> {
    let now = stamp::seconds(wall);
    let key = Key::cluster(name);
    let mut was_ready = false;
    let node = store.update(Resource::Node, &key, STATUS, |node| {
        was_ready = condition(node, "Ready").is_some_and(|ready| ready["status"] == "True");
        conditions_unknown(node, &now);
        Ok(())
    })?;
    if was_ready {
        record_event(store, &node, &now)?;
        mark_pods(store, name, &now)?;
    }
    taint(store, &key, "NoSchedule", &now)
}

/// Marks the pods of a node not ready.
fn mark_pods(store: &Store, node: &str, now: &str) -> Result<(), Refusal> {
    for pod in store.list(Resource::Pod, &Selector::on_node(node)).0 {
        store.update(Resource::Pod, &pod.key, STATUS, |pod| {
            kubelet::set_ready(pod, false, now);
            Ok(())
        })?;
    }
    Ok(())
}

/// Adds the unreachable taint with an effect, once.
fn taint(store: &Store, key: &Key, effect: &str, now: &str) -> Result<(), Refusal> {
    store.update(Resource::Node, key, MAIN, |node| {
        let taints = &mut node["spec"]["taints"];
        if !taints.is_array() {
            *taints = json!([]);
        }
        if let Some(taints) = taints.as_array_mut()
            && !taints
                .iter()
                .any(|taint| taint["key"] == UNREACHABLE && taint["effect"] == effect)
        {
            taints.push(json!({"key": UNREACHABLE, "effect": effect, "timeAdded": now}));
        }
        Ok(())
    })?;
    Ok(())
}

/// Lets pods be evicted from a node that stayed Unknown for a poll: the taint that they tolerate for five minutes.
pub(super) fn taint_no_execute(store: &Store, name: &str, wall: SystemTime) -> Result<(), Refusal> {
    taint(
        store,
        &Key::cluster(name),
        "NoExecute",
        &stamp::seconds(wall),
    )
}

/// Takes the taints off a node that is ready again.
pub(super) fn untaint(store: &Store, node: &Object) -> Result<(), Refusal> {
    if !is_tainted(node) {
        return Ok(());
    }
    store.update(Resource::Node, &node.key, MAIN, |node| {
        if let Some(taints) = node["spec"]["taints"].as_array_mut() {
            taints.retain(|taint| taint["key"] != UNREACHABLE);
            if taints.is_empty()
                && let Some(spec) = node["spec"].as_object_mut()
            {
                spec.remove("taints");
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Whether a node has the unreachable taint.
fn is_tainted(node: &Object) -> bool {
    node.value["spec"]["taints"]
        .as_array()
        .is_some_and(|taints| taints.iter().any(|taint| taint["key"] == UNREACHABLE))
}

fn conditions_unknown(node: &mut Value, now: &str) {
    let created = node["metadata"]["creationTimestamp"].clone();
    let conditions = &mut node["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
        match conditions
            .iter_mut()
            .find(|condition| condition["type"] == kind)
        {
            Some(condition) if condition["status"] == "Unknown" => {}
            Some(condition) => {
                condition["status"] = "Unknown".into();
                condition["reason"] = "NodeStatusUnknown".into();
                condition["message"] = "Kubelet stopped posting node status.".into();
                condition["lastTransitionTime"] = now.into();
            }
            None => conditions.push(json!({
                "type": kind,
                "status": "Unknown",
                "lastHeartbeatTime": created,
                "lastTransitionTime": now,
                "reason": "NodeStatusNeverUpdated",
                "message": "Kubelet never posted node status.",
            })),
        }
    }
}

fn record_event(store: &Store, node: &Object, now: &str) -> Result<(), Refusal> {
    let name = &node.key.name;
    store.create(
        Resource::Event,
        json!({
            "metadata": {"name": format!("{name}.{:x}", node.revision), "namespace": "default"},
            "involvedObject": {"kind": "Node", "name": name, "uid": node.uid(), "apiVersion": "v1"},
            "reason": "NodeNotReady",
            "message": format!("Node {name} status is now: NodeNotReady"),
            "source": {"component": "node-controller"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": "Normal",
            "eventTime": null,
            "reportingComponent": "node-controller",
            "reportingInstance": "",
        }),
        KCM,
    )?;
    Ok(())
}
