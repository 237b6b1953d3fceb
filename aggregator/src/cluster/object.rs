//! Nodes and `EndpointSlices` reduced to what is read of them: the rest (managed fields, images, other conditions) is skipped
//! while decoding and costs no memory.

use std::sync::Arc;

use jiff::Timestamp;
use nodegrace_core::{
    ConditionStatus, Ready, WallTime,
    cluster::{Endpoint, Machine, SeenNode, Service, Taint},
};
use serde::{Deserialize, de::DeserializeOwned};

/// A kind of object that is watched.
pub(super) trait Object: DeserializeOwned + Clone + Send + 'static {
    /// Path of all its objects.
    const PATH: &'static str;
    /// Its name, for people.
    const KIND: &'static str;

    /// What tells it from all others of its kind.
    fn key(&self) -> String;

    /// Its version.
    fn version(&self) -> &str;
}

/// The part of the metadata that is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: Labels,
}

/// The label that is read.
#[derive(Clone, Debug, Default, Deserialize)]
struct Labels {
    #[serde(rename = "kubernetes.io/service-name")]
    service: Option<String>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) metadata: PageMetadata,
    // Go writes an empty list as [] or as null.
    pub(super) items: Option<Vec<T>>,
}

/// What a page says of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    /// Where the next page begins. Empty: there is none.
    #[serde(default, rename = "continue")]
    pub(super) next: String,
}

/// `v1` Node.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Node {
    pub(super) metadata: Metadata,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct NodeSpec {
    taints: Option<Vec<NodeTaint>>,
}

#[derive(Clone, Debug, Deserialize)]
struct NodeTaint {
    key: String,
    #[serde(default)]
    effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeStatus {
    conditions: Option<Vec<Condition>>,
    node_info: NodeInfo,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NodeInfo {
    #[serde(rename = "bootID")]
    boot_id: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    last_transition_time: Option<Timestamp>,
}

impl Object for Node {
    const PATH: &'static str = "/api/v1/nodes";
    const KIND: &'static str = "Node";

    fn key(&self) -> String {
        self.metadata.name.clone()
    }

    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Node {
    /// As the core takes it.
    pub(super) fn seen(self) -> SeenNode {
        let conditions = self.status.conditions.unwrap_or_default();
        let mut conditions = conditions.into_iter();
        let ready = conditions.find(|condition| condition.kind == "Ready");
        let taints = self.spec.taints.unwrap_or_default();
        SeenNode {
            name: self.metadata.name.into(),
            machine: Machine {
                uid: self.metadata.uid.into(),
                boot_id: self.status.node_info.boot_id.into(),
            },
            created: self.metadata.creation_timestamp.and_then(wall_time),
            ready: ready.map(Condition::seen),
            taints: taints
                .into_iter()
                .map(|taint| Taint {
                    key: taint.key.into(),
                    effect: taint.effect.into(),
                })
                .collect(),
        }
    }
}

impl Condition {
    fn seen(self) -> Ready {
        let transition = self.last_transition_time.and_then(wall_time);
        Ready {
            // Kubernetes has no fourth status; whatever it may become, it is not known here.
            status: match &*self.status {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            },
            reason: self.reason.into(),
            transition: transition.unwrap_or_default(),
        }
    }
}

/// Absent: centuries from now.
fn wall_time(time: Timestamp) -> Option<WallTime> {
    let nanos = time.as_nanosecond().try_into().ok()?;
    Some(WallTime::from_unix_nanos(nanos))
}

/// `discovery.k8s.io/v1` `EndpointSlice`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EndpointSlice {
    metadata: Metadata,
    endpoints: Option<Vec<SliceEndpoint>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceEndpoint {
    addresses: Option<Vec<String>>,
    #[serde(default)]
    conditions: EndpointConditions,
    #[serde(default)]
    target_ref: Option<TargetRef>,
    #[serde(default)]
    node_name: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
struct TargetRef {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

impl Object for EndpointSlice {
    const PATH: &'static str = "/apis/discovery.k8s.io/v1/endpointslices";
    const KIND: &'static str = "EndpointSlice";

    fn key(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl EndpointSlice {
    /// Its key, Service and addresses, as the core takes them. Absent: it has no Service.
    pub(super) fn seen(self) -> Option<(Arc<str>, Service, Vec<Endpoint>)> {
        let key = self.key().into();
        let service = Service {
            name: self.metadata.labels.service?.into(),
            namespace: self.metadata.namespace.into(),
        };
        let endpoints = self.endpoints.into_iter().flatten();
        let endpoints = endpoints.flat_map(|endpoint| {
            let node: Option<Arc<str>> = endpoint.node_name.map(Into::into);
            let pod = endpoint.target_ref.filter(|target| target.kind == "Pod");
            let pod: Option<Arc<str>> = pod.map(|pod| pod.name.into());
            let conditions = endpoint.conditions;
            endpoint
                .addresses
                .into_iter()
                .flatten()
                .map(move |address| Endpoint {
                    address: address.into(),
                    node: node.clone(),
                    pod: pod.clone(),
                    // Absent is to be taken for true, says the API.
                    ready: conditions.ready.unwrap_or(true),
                    terminating: conditions.terminating.unwrap_or(false),
                })
        });
        Some((key, service, endpoints.collect()))
    }
}
