//! What runs on the cluster: Services with pods spread over the nodes, and their `EndpointSlice` objects.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::{
    api::{Key, Refusal, Resource, Store},
    kubelet::NodeSpec,
    stamp,
};

/// The namespace of the simulated Services.
pub const NAMESPACE: &str = "shop";

/// Pods of one Service: few, so that one flip is felt.
const PODS_PER_SERVICE: usize = 5;

/// Creates Services and pods, `per_node` pods on each node, and returns each node's pods in the order of `nodes`.
pub(crate) fn create(
    store: &Store,
    nodes: &[NodeSpec],
    per_node: usize,
    wall: SystemTime,
) -> Result<Vec<Vec<Key>>, Refusal> {
    let mut on_nodes: Vec<Vec<Key>> = vec![Vec::new(); nodes.len()];
    let total = nodes.len() * per_node;
    for service in 0..total.div_ceil(PODS_PER_SERVICE) {
        let name = format!("svc-{service:03}");
        let created = store.create(Resource::Service, self::service(&name, service), DEPLOYER)?;
        let mut endpoints = Vec::new();
        for number in service * PODS_PER_SERVICE..total.min((service + 1) * PODS_PER_SERVICE) {
            // Neighbours in a Service run on neighbouring nodes, as a scheduler spreads them.
            let index = number % nodes.len();
            let pod_name = format!("{name}-{}", number - service * PODS_PER_SERVICE);
            let address = address(10, number);
            let pod = pod(&pod_name, &name, &nodes[index].name, &address, wall);
            let pod = store.create(Resource::Pod, pod, DEPLOYER)?;
            endpoints.push(json!({
                "addresses": [address],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": pod_name, "uid": pod.uid()},
                "nodeName": nodes[index].name,
                "zone": nodes[index].zone,
            }));
            on_nodes[index].push(pod.key.clone());
        }
        store.create(
            Resource::EndpointSlice,
            slice(&name, created.uid(), &endpoints),
            super::controller::KCM,
        )?;
    }
    Ok(on_nodes)
}

/// Field manager of what people deploy.
const DEPLOYER: &str = "kubectl-client-side-apply";

/// The n-th address of a network, `first` being its first octet.
pub(crate) fn address(first: u8, number: usize) -> String {
    let number = number + 2;
    format!(
        "{first}.{}.{}.{}",
        64 + (number >> 16),
        (number >> 8) & 0xff,
        number & 0xff
    )
}

fn service(name: &str, number: usize) -> Value {
    let cluster_ip = format!("172.16.{}.{}", (number >> 8) & 0xff, number & 0xff);
    json!({
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
            "selector": {"app": name},
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    })
}

fn pod(name: &str, service: &str, node: &str, address: &str, wall: SystemTime) -> Value {
    let now = stamp::seconds(wall);
    let conditions: Vec<Value> = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    .iter()
    .map(|kind| {
        json!({
            "type": kind,
            "observedGeneration": 1,
            "status": "True",
            "lastProbeTime": null,
            "lastTransitionTime": now,
        })
    })
    .collect();
    json!({
        "metadata": {"name": name, "namespace": NAMESPACE, "generation": 1, "labels": {"app": service}},
        "spec": {
            "containers": [{
                "name": "app",
                "image": "registry.example/shop/app:1",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "nodeName": node,
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "priority": 0,
            "enableServiceLinks": true,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "observedGeneration": 1,
            "phase": "Running",
            "conditions": conditions,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "qosClass": "BestEffort",
            "resources": {},
        },
    })
}

fn slice(service: &str, service_uid: &str, endpoints: &[Value]) -> Value {
    json!({
        "metadata": {
            "generateName": format!("{service}-"),
            "namespace": NAMESPACE,
            "generation": 1,
            "labels": {
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": service,
            },
            "ownerReferences": [{
                "apiVersion": "v1",
                "kind": "Service",
                "name": service,
                "uid": service_uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "", "protocol": "TCP", "port": 80}],
    })
}
