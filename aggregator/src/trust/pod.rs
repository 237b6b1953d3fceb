//! The node of a pod that a token names, where the token does not name the node.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;

use super::Refusal;

/// A pod as a token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedPod {
    /// Its name, in the namespace of the service account.
    pub(super) name: String,
    /// Its uid: a pod of the same name may be another one by now, on another node.
    pub(super) uid: String,
}

/// The node of `named`, where this is what there is by that name.
pub(super) fn node(named: &NamedPod, found: Option<Pod>) -> Result<Arc<str>, Refusal> {
    let NamedPod { name, uid } = named;
    let refused = |why: &str| {
        let why = format!("the token is of pod {name} with uid {uid}, {why}");
        Err(Refusal::unauthenticated(why))
    };
    let Some(pod) = found else {
        return refused("which is gone");
    };
    if pod.metadata.uid.as_ref() != Some(uid) {
        return refused("which is another pod now");
    }
    match pod.spec.and_then(|spec| spec.node_name) {
        Some(node) if !node.is_empty() => Ok(node.into()),
        _ => refused("which is on no node"),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::PodSpec, apimachinery::pkg::apis::meta::v1::ObjectMeta};

    use super::*;

    fn pod(uid: Option<&str>, node: Option<&str>) -> Pod {
        Pod {
            metadata: ObjectMeta {
                uid: uid.map(str::to_owned),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                node_name: node.map(str::to_owned),
                ..PodSpec::default()
            }),
            ..Pod::default()
        }
    }

    #[test]
    fn only_the_very_pod_says_which_node_it_is_on() {
        let named = NamedPod {
            name: "agent-x".into(),
            uid: "1".into(),
        };
        let found = node(&named, Some(pod(Some("1"), Some("worker-7"))));
        assert_eq!(found, Ok("worker-7".into()));
        for (found, words) in [
            (None, "is gone"),
            (Some(pod(Some("2"), Some("worker-7"))), "another pod"),
            (Some(pod(None, Some("worker-7"))), "another pod"),
            (Some(pod(Some("1"), None)), "on no node"),
            (Some(pod(Some("1"), Some(""))), "on no node"),
            (Some(Pod::default()), "another pod"),
        ] {
            let refusal = node(&named, found).unwrap_err();
            assert!(refusal.why().contains(words), "{refusal:?}");
        }
    }
}
