//! The objects of a node as a kubelet writes them, in the shape of the recordings.

use std::time::SystemTime;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{machine::Conditions, spec::NodeSpec};
use crate::{api::NODE_LEASE_NAMESPACE, stamp};

/// Reason and message of each condition while all is well, in the order in which the kubelet sets them.
const CONDITIONS: [(&str, &str, &str, &str); 4] = [
    (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    (
        "DiskPressure",
        "False",
        "KubeletHasNoDiskPressure",
        "kubelet has no disk pressure",
    ),
    (
        "PIDPressure",
        "False",
        "KubeletHasSufficientPID",
        "kubelet has sufficient PID available",
    ),
    (
        "Ready",
        "True",
        "KubeletReady",
        "kubelet is posting ready status",
    ),
];

/// The Node as the kubelet registers it, already ready.
pub(super) fn node(spec: &NodeSpec, address: &str, boot_id: &str, stamp: SystemTime) -> Value {
    let mut random = StdRng::seed_from_u64(spec.seed ^ 0x6d61_6368);
    let machine_id = format!("{:032x}", random.random::<u128>());
    let memory = format!("{}Ki", spec.memory_bytes >> 10);
    let allocatable = format!("{}Ki", (spec.memory_bytes >> 10).saturating_sub(100 * 1024));
    let cpus = spec.cpus.to_string();
    let conditions: Vec<Value> = CONDITIONS
        .iter()
        .map(|(kind, status, reason, message)| {
            json!({
                "type": kind,
                "status": status,
                "lastHeartbeatTime": stamp::seconds(stamp),
                "lastTransitionTime": stamp::seconds(stamp),
                "reason": reason,
                "message": message,
            })
        })
        .collect();
    json!({
        "metadata": {
            "name": spec.name,
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": spec.name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": spec.instance_type,
                "topology.kubernetes.io/zone": spec.zone,
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {},
        "status": {
            "capacity": {
                "cpu": cpus, "hugepages-1Gi": "0", "hugepages-2Mi": "0", "memory": memory, "pods": "110",
            },
            "allocatable": {
                "cpu": cpus, "hugepages-1Gi": "0", "hugepages-2Mi": "0", "memory": allocatable, "pods": "110",
            },
            "conditions": conditions,
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": spec.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": machine_id,
                "systemUUID": machine_id,
                "bootID": boot_id,
                "kernelVersion": "6.18.44-sim",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "containerRuntimeVersion": "containerd://1.6.20",
                "kubeletVersion": spec.kubelet_version,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "images": images(spec),
            "declaredFeatures": [
                "ExtendWebSocketsToKubelet",
                "InPlacePodLevelResourcesVerticalScaling",
                "InPlacePodVerticalScalingInitContainers",
                "RestartAllContainersOnContainerExits",
            ],
        },
    })
}

/// `status.images`: the largest first, cut at nodeStatusMaxImages.
fn images(spec: &NodeSpec) -> Vec<Value> {
    let listed = usize::try_from(spec.status_max_images)
        .map_or(spec.images as usize, |most| most.min(spec.images as usize));
    (0..listed)
        .map(|index| {
            json!({
                "names": [format!("registry.example/team-{}/app-{index}:v{}", index % 7, index % 12)],
                "sizeBytes": 900_000_000_u64 / (index as u64 + 2),
            })
        })
        .collect()
}

/// The Lease as the kubelet creates it.
pub(super) fn lease(spec: &NodeSpec, node_uid: &str, renewed: SystemTime) -> Value {
    json!({
        "metadata": {
            "name": spec.name,
            "namespace": NODE_LEASE_NAMESPACE,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": spec.name, "uid": node_uid}],
        },
        "spec": {
            "holderIdentity": spec.name,
            "leaseDurationSeconds": spec.lease_duration.unwrap_or_default().as_secs(),
            "renewTime": stamp::micros(renewed),
        },
    })
}

/// Status, reason and message of Ready while the runtime is down.
const RUNTIME_DOWN: (&str, &str, &str) = ("False", "KubeletNotReady", "container runtime is down");

/// Puts a computed status into a Node: new heartbeat times, and what the conditions say.
pub(super) fn post_status(
    node: &mut Value,
    heartbeat: SystemTime,
    conditions: Conditions,
    images_changed: bool,
) {
    let now = stamp::seconds(heartbeat);
    let known = node["status"]["conditions"].as_array_mut();
    for condition in known.into_iter().flatten() {
        condition["lastHeartbeatTime"] = now.as_str().into();
        let is_ready = condition["type"] == "Ready";
        let well = CONDITIONS
            .iter()
            .find(|(kind, ..)| condition["type"] == *kind);
        let (status, reason, message) = match (conditions, well) {
            (Conditions::Unchanged, _) | (_, None) => continue,
            (Conditions::RuntimeDown, _) if is_ready => RUNTIME_DOWN,
            (_, Some((_, status, reason, message))) => (*status, *reason, *message),
        };
        if condition["status"] != status {
            condition["status"] = status.into();
            condition["reason"] = reason.into();
            condition["message"] = message.into();
            condition["lastTransitionTime"] = now.as_str().into();
        }
    }
    if let (true, Some(images)) = (images_changed, node["status"]["images"].as_array_mut())
        && let Some(image) = images.last_mut()
    {
        let size = image["sizeBytes"].as_u64().unwrap_or_default();
        image["sizeBytes"] = (size + 4096).into();
    }
}
