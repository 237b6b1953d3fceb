//! Endpoint addresses follow the readiness of their pods, as the `EndpointSlice` controller makes them.

use serde_json::Value;

use super::KCM;
use crate::{
    api::{Object, Refusal, Resource, Selector, Store, Term, Writer, condition},
    stamp,
};

/// Puts a pod's readiness into the slices of its Service.
pub(super) fn follow(
    store: &Store,
    pod: &Object,
    wall: std::time::SystemTime,
) -> Result<(), Refusal> {
    let Some(service) = pod.value["metadata"]["labels"]["app"].as_str() else {
        return Ok(());
    };
    let ready = condition(&pod.value, "Ready").is_some_and(|ready| ready["status"] == "True");
    let selector = Selector {
        labels: vec![Term::equal("kubernetes.io/service-name", service)],
        ..Selector::within(&pod.key.namespace)
    };
    let (slices, _) = store.list(Resource::EndpointSlice, &selector);
    for slice in slices {
        let writer = Writer {
            manager: KCM,
            status: false,
        };
        store.update(Resource::EndpointSlice, &slice.key, writer, |slice| {
            set(slice, pod.uid(), ready, wall);
            Ok(())
        })?;
    }
    Ok(())
}

/// Sets what a slice says of one pod. The trigger annotation stands while something is not ready, as recorded.
fn set(slice: &mut Value, pod_uid: &str, ready: bool, wall: std::time::SystemTime) {
    let mut changed = false;
    for endpoint in slice["endpoints"].as_array_mut().into_iter().flatten() {
        if endpoint["targetRef"]["uid"] == pod_uid && endpoint["conditions"]["ready"] != ready {
            endpoint["conditions"]["ready"] = ready.into();
            endpoint["conditions"]["serving"] = ready.into();
            changed = true;
        }
    }
    if !changed {
        return;
    }
    if let Some(generation) = slice["metadata"]["generation"].as_u64() {
        slice["metadata"]["generation"] = (generation + 1).into();
    }
    if ready {
        if let Some(metadata) = slice["metadata"].as_object_mut() {
            metadata.remove("annotations");
        }
    } else {
        slice["metadata"]["annotations"] = serde_json::json!({"endpoints.kubernetes.io/last-change-trigger-time": stamp::seconds(wall)});
    }
}
