//! Endpoint addresses follow the readiness of their pods, as the `EndpointSlice` controller makes them.

use std::{collections::HashMap, time::SystemTime};

use serde_json::Value;

use super::KCM;
use crate::{
    api::{Key, Object, Refusal, Resource, Selector, Store, Writer, condition},
    stamp,
};

/// The slices of each Service, by namespace and name: found once, for a pod's change must not cost a look at every slice.
#[derive(Debug, Default)]
pub(super) struct Slices(HashMap<Key, Vec<Key>>);

impl Slices {
    /// Puts a pod's readiness into the slices of its Service.
    pub(super) fn follow(
        &mut self,
        store: &Store,
        pod: &Object,
        wall: SystemTime,
    ) -> Result<(), Refusal> {
        let Some(service) = pod.value["metadata"]["labels"]["app"].as_str() else {
            return Ok(());
        };
        let service = Key::new(pod.key.namespace.clone(), service);
        if !self.0.contains_key(&service) {
            self.find(store);
        }
        let ready = condition(&pod.value, "Ready").is_some_and(|ready| ready["status"] == "True");
        for slice in self.0.entry(service).or_default() {
            let known = store.get(Resource::EndpointSlice, slice)?;
            if says(&known, pod.uid(), ready) {
                continue;
            }
            let writer = Writer {
                manager: KCM,
                status: false,
            };
            store.update(Resource::EndpointSlice, slice, writer, |slice| {
                set(slice, pod.uid(), ready, wall);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn find(&mut self, store: &Store) {
        self.0.clear();
        for slice in store.list(Resource::EndpointSlice, &Selector::default()).0 {
            let label = &slice.value["metadata"]["labels"]["kubernetes.io/service-name"];
            if let Some(service) = label.as_str() {
                let service = Key::new(slice.key.namespace.clone(), service);
                self.0.entry(service).or_default().push(slice.key.clone());
            }
        }
    }
}

/// Whether a slice already says of a pod what is to be said.
fn says(slice: &Object, pod_uid: &str, ready: bool) -> bool {
    let mut endpoints = slice.value["endpoints"].as_array().into_iter().flatten();
    endpoints.all(|endpoint| {
        endpoint["targetRef"]["uid"] != pod_uid || endpoint["conditions"]["ready"] == ready
    })
}

/// Sets what a slice says of one pod. The trigger annotation stands while something is not ready, as recorded.
fn set(slice: &mut Value, pod_uid: &str, ready: bool, wall: SystemTime) {
    for endpoint in slice["endpoints"].as_array_mut().into_iter().flatten() {
        if endpoint["targetRef"]["uid"] == pod_uid {
            endpoint["conditions"]["ready"] = ready.into();
            endpoint["conditions"]["serving"] = ready.into();
        }
    }
    if let Some(generation) = slice["metadata"]["generation"].as_u64() {
        slice["metadata"]["generation"] = (generation + 1).into();
    }
    if !ready {
        let now = stamp::seconds(wall);
        slice["metadata"]["annotations"] =
            serde_json::json!({"endpoints.kubernetes.io/last-change-trigger-time": now});
    } else if let Some(metadata) = slice["metadata"].as_object_mut() {
        metadata.remove("annotations");
    }
}
