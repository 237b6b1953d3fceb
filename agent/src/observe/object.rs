//! The Node and the Lease reduced to what is read of them: the rest (managed fields, addresses, image names) is skipped while
//! decoding and costs no memory.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};

/// A kind of Kubernetes object that carries a channel.
pub(crate) trait Object: DeserializeOwned + Clone + Send + 'static {
    /// Its metadata.
    fn metadata(&self) -> &Metadata;

    /// How long after a heartbeat the kubelet means to write the next. `None`: the object does not say.
    fn beats_every(&self) -> Option<Duration>;
}

/// The part of the metadata that is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// Name of the object.
    pub(crate) name: String,
    /// Changes when the object is deleted and created again.
    pub(crate) uid: String,
    /// Changes with every write. Opaque.
    pub(crate) resource_version: String,
    /// The labels that are read.
    #[serde(default)]
    pub(crate) labels: Labels,
}

/// Where a [`Node`] is and what it is made of, by Kubernetes' well-known labels. Empty: not labelled.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Labels {
    #[serde(rename = "topology.kubernetes.io/zone")]
    pub(crate) zone: String,
    #[serde(rename = "topology.kubernetes.io/region")]
    pub(crate) region: String,
    #[serde(rename = "node.kubernetes.io/instance-type")]
    pub(crate) instance_type: String,
}

/// A list answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct List<T> {
    metadata: ListMetadata,
    // Go writes an empty list as [] or as null.
    items: Option<Vec<T>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    #[serde(default)]
    resource_version: String,
}

impl<T: Object> List<T> {
    /// The version from which a watch continues this list. Empty when the server did not say.
    pub(crate) fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// The object of this name, if it is there.
    pub(crate) fn named(self, name: &str) -> Option<T> {
        self.items
            .into_iter()
            .flatten()
            .find(|item| item.metadata().name == name)
    }
}

/// `coordination.k8s.io/v1` Lease.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lease {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) spec: LeaseSpec,
}

/// Spec of a [`Lease`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeaseSpec {
    /// nodeLeaseDurationSeconds of the kubelet.
    pub(crate) lease_duration_seconds: Option<u32>,
    /// The kubelet's stamp of its last renewal.
    pub(crate) renew_time: Option<Timestamp>,
}

impl Object for Lease {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// A kubelet renews its Lease four times in its duration.
    fn beats_every(&self) -> Option<Duration> {
        let seconds = self.spec.lease_duration_seconds?;
        Some(Duration::from_secs(seconds.into()) / 4)
    }
}

/// `v1` Node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) status: NodeStatus,
}

/// Status of a [`Node`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeStatus {
    /// The Ready condition; the others are skipped.
    #[serde(rename = "conditions", deserialize_with = "ready_condition")]
    pub(crate) ready: Option<Condition>,
    /// What the node has.
    pub(crate) capacity: Capacity,
    /// Versions.
    pub(crate) node_info: NodeInfo,
    /// How many entries `images` has. `None` when there is no such list.
    #[serde(rename = "images", deserialize_with = "length")]
    pub(crate) listed_images: Option<u32>,
}

/// A condition of a [`Node`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    kind: String,
    /// "True", "False" or "Unknown".
    pub(crate) status: String,
    /// Reason in one word.
    #[serde(default)]
    pub(crate) reason: String,
    /// When the kubelet last computed it.
    #[serde(default)]
    pub(crate) last_heartbeat_time: Option<Timestamp>,
    /// When its status last changed.
    #[serde(default)]
    pub(crate) last_transition_time: Option<Timestamp>,
}

/// Capacity of a [`Node`]; quantities are strings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Capacity {
    /// Pods the kubelet accepts.
    pub(crate) pods: Option<String>,
}

/// `nodeInfo` of a [`Node`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeInfo {
    pub(crate) kubelet_version: String,
    pub(crate) container_runtime_version: String,
    pub(crate) kernel_version: String,
    pub(crate) os_image: String,
}

impl Object for Node {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn beats_every(&self) -> Option<Duration> {
        None
    }
}

/// The Ready condition of a list of conditions.
fn ready_condition<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Condition>, D::Error> {
    Ok(Option::<Vec<Condition>>::deserialize(deserializer)?
        .into_iter()
        .flatten()
        .find(|condition| condition.kind == "Ready"))
}

/// The length of a list, without keeping any of it.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Length;

    impl<'de> Visitor<'de> for Length {
        type Value = Option<u32>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut length: u32 = 0;
            while list.next_element::<IgnoredAny>()?.is_some() {
                length = length.saturating_add(1);
            }
            Ok(Some(length))
        }
    }

    deserializer.deserialize_any(Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_node_list_is_reduced_to_what_is_read() {
        let list: List<Node> =
            serde_json::from_str(include_str!("../../tests/recorded/node-list.json")).unwrap();
        assert_eq!(list.resource_version(), "4370");
        let node = list.named("real-node").unwrap();
        let ready = node.status.ready.unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("True", "KubeletReady")
        );
        assert_eq!(
            ready.last_heartbeat_time,
            Some("2026-11-24T00:20:24Z".parse().unwrap())
        );
        assert_eq!(node.status.capacity.pods.as_deref(), Some("110"));
        assert_eq!(node.status.node_info.kubelet_version, "v1.36.2");
        assert_eq!(node.status.listed_images, None);
    }

    #[test]
    fn a_recorded_lease_list_is_reduced_to_what_is_read() {
        let list: List<Lease> =
            serde_json::from_str(include_str!("../../tests/recorded/lease-list.json")).unwrap();
        let lease = list.named("real-node").unwrap();
        assert_eq!(lease.spec.lease_duration_seconds, Some(40));
        assert_eq!(
            lease.spec.renew_time,
            Some("2026-11-24T00:20:24.615240Z".parse().unwrap())
        );
    }

    #[test]
    fn a_list_without_the_object_names_nothing() {
        let empty: List<Node> =
            serde_json::from_str(r#"{"metadata":{"resourceVersion":"7"},"items":null}"#).unwrap();
        assert!(empty.named("real-node").is_none());
    }

    #[test]
    fn where_a_node_is_and_what_it_is_made_of_is_read_of_its_labels() {
        let node: Node = serde_json::from_str(
            r#"{"metadata":{"name":"a","uid":"u","resourceVersion":"1","labels":{
                "kubernetes.io/hostname":"a","topology.kubernetes.io/zone":"eu-1a",
                "failure-domain.beta.kubernetes.io/zone":"eu-1a","topology.kubernetes.io/region":"eu-1",
                "node.kubernetes.io/instance-type":"m5.large"}}}"#,
        )
        .unwrap();
        let labels = node.metadata.labels;
        assert_eq!(
            [labels.zone, labels.region, labels.instance_type],
            ["eu-1a", "eu-1", "m5.large"]
        );
    }

    #[test]
    fn images_are_counted_and_conditions_may_be_missing() {
        let node: Node = serde_json::from_str(
            r#"{"metadata":{"name":"a","uid":"u","resourceVersion":"1"},
                "status":{"images":[{"names":["x"],"sizeBytes":1},{"names":[]}],"conditions":null}}"#,
        )
        .unwrap();
        assert_eq!(node.status.listed_images, Some(2));
        assert!(node.status.ready.is_none());
    }
}
