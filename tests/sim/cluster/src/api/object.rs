//! One stored object: its JSON, its key and its revision, encoded once for all who read it.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::resource::Resource;

/// Where an object is kept within its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace; empty for kinds that have none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// A key in a namespace.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// A key of a kind without namespaces.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::new("", name)
    }

    /// The key that an object's metadata gives.
    pub(crate) fn of(value: &Value) -> Self {
        Self::new(
            text(value, "/metadata/namespace"),
            text(value, "/metadata/name"),
        )
    }
}

/// An object as it is at one revision.
#[derive(Debug)]
pub struct Object {
    /// What it is.
    pub resource: Resource,
    /// Its key.
    pub key: Key,
    /// The revision that wrote it: `metadata.resourceVersion`.
    pub revision: u64,
    /// The whole object, with kind and apiVersion.
    pub value: Value,
    /// Its JSON. Ten thousand watchers and every list share one encoding.
    json: OnceLock<Bytes>,
}

impl Object {
    /// An object as written by `revision`.
    pub(crate) fn new(resource: Resource, revision: u64, mut value: Value) -> Self {
        value["kind"] = resource.names().kind.into();
        value["apiVersion"] = resource.api_version().into();
        value["metadata"]["resourceVersion"] = revision.to_string().into();
        Self {
            resource,
            key: Key::of(&value),
            revision,
            value,
            json: OnceLock::new(),
        }
    }

    /// The object's JSON.
    pub fn json(&self) -> Bytes {
        self.json
            .get_or_init(|| self.value.to_string().into_bytes().into())
            .clone()
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        text(&self.value, "/metadata/uid")
    }

    /// The object without kind and apiVersion, as lists carry their items.
    pub(crate) fn as_item(&self) -> Value {
        let mut item = self.value.clone();
        if let Some(fields) = item.as_object_mut() {
            fields.remove("kind");
            fields.remove("apiVersion");
        }
        item
    }
}

/// The condition `kind` in an object's status.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object
        .pointer("/status/conditions")?
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// The text at a JSON pointer; empty when it is not there.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The fields of an object of which associative lists are made, and the field that names an item (the API's patch merge
/// keys). A list that is not here is atomic.
pub(crate) fn list_key(field: &str) -> Option<&'static str> {
    match field {
        "conditions" => Some("type"),
        "ownerReferences" => Some("uid"),
        "podIPs" => Some("ip"),
        "containers" => Some("name"),
        _ => None,
    }
}

/// Applies a JSON merge patch (RFC 7386); with `strategic`, associative lists are merged by their key instead of replaced.
pub(crate) fn patch(target: &mut Value, change: &Value, strategic: bool) {
    let Some(change) = change.as_object() else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (field, new) in change {
        if new.is_null() {
            if let Some(fields) = target.as_object_mut() {
                fields.remove(field);
            }
            continue;
        }
        // A directive of strategic patches that orders items; the order of conditions means nothing here.
        if strategic && field.starts_with("$setElementOrder") {
            continue;
        }
        let old = &mut target[field];
        match (list_key(field), old.as_array_mut(), new.as_array()) {
            (Some(key), Some(old), Some(new)) if strategic => merge_list(old, new, key),
            _ => patch(old, new, strategic),
        }
    }
}

fn merge_list(old: &mut Vec<Value>, new: &[Value], key: &str) {
    for item in new {
        match old.iter_mut().find(|known| known[key] == item[key]) {
            Some(known) => patch(known, item, true),
            None => old.push(item.clone()),
        }
    }
}

/// What a bookmark of this kind carries besides its revision: the kind's required fields, empty, as the server writes them.
pub(crate) fn bookmark(resource: Resource, revision: u64, initial_events_end: bool) -> Value {
    let mut object = json!({
        "kind": resource.names().kind,
        "apiVersion": resource.api_version(),
        "metadata": {"resourceVersion": revision.to_string()},
    });
    if initial_events_end {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    match resource {
        Resource::Node => {
            object["spec"] = json!({});
            object["status"] = json!({
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
                "nodeInfo": {
                    "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "",
                    "containerRuntimeVersion": "", "kubeletVersion": "", "kubeProxyVersion": "",
                    "operatingSystem": "", "architecture": "",
                },
            });
        }
        Resource::Lease => object["spec"] = json!({}),
        Resource::Pod => {
            object["spec"] = json!({"containers": null});
            object["status"] = json!({});
        }
        Resource::Service => {
            object["spec"] = json!({});
            object["status"] = json!({"loadBalancer": {}});
        }
        Resource::EndpointSlice => {
            object["addressType"] = json!("");
            object["endpoints"] = Value::Null;
            object["ports"] = Value::Null;
        }
        Resource::Endpoints | Resource::Event => {}
    }
    object
}
