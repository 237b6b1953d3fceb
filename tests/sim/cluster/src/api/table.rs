//! Tables: how the server renders objects for `kubectl get`.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    object::{Object, condition, text},
    resource::Resource,
};
use crate::stamp;

/// Whether the client would rather have a table.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("as=Table") && accept.contains("v=v1;"))
}

/// The table of some objects of one kind.
pub(super) fn of(
    resource: Resource,
    objects: &[Arc<Object>],
    metadata: &Value,
    now: SystemTime,
) -> Value {
    let columns: &[&str] = match resource {
        Resource::Node => &["Name", "Status", "Roles", "Age", "Version"],
        Resource::Lease => &["Name", "Holder", "Age"],
        Resource::Pod => &["Name", "Ready", "Status", "Restarts", "Age"],
        Resource::EndpointSlice => &["Name", "AddressType", "Ready", "Age"],
        _ => &["Name", "Age"],
    };
    let definitions: Vec<Value> = columns
        .iter()
        .map(|name| {
            let format = if *name == "Name" { "name" } else { "" };
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| cell(object, column, now))
                .collect();
            json!({
                "cells": cells,
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": object.value["metadata"],
                },
            })
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn cell(object: &Object, column: &str, now: SystemTime) -> String {
    let value = &object.value;
    match (object.resource, column) {
        (_, "Name") => object.key.name.clone(),
        (_, "Age") => age(text(value, "/metadata/creationTimestamp"), now),
        (Resource::Node, "Status") => {
            match condition(value, "Ready").map(|ready| &ready["status"]) {
                Some(ready) if ready == "True" => "Ready".to_owned(),
                Some(_) => "NotReady".to_owned(),
                None => "Unknown".to_owned(),
            }
        }
        (Resource::Node, "Roles") => "<none>".to_owned(),
        (Resource::Node, "Version") => text(value, "/status/nodeInfo/kubeletVersion").to_owned(),
        (Resource::Lease, "Holder") => text(value, "/spec/holderIdentity").to_owned(),
        (Resource::Pod, "Status") => text(value, "/status/phase").to_owned(),
        (Resource::Pod, "Restarts") => "0".to_owned(),
        (Resource::Pod, "Ready") => {
            let ready = condition(value, "Ready").is_some_and(|ready| ready["status"] == "True");
            format!("{}/1", u8::from(ready))
        }
        (Resource::EndpointSlice, "AddressType") => text(value, "/addressType").to_owned(),
        (Resource::EndpointSlice, "Ready") => {
            let endpoints = value["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
            let ready = |endpoint: &&Value| endpoint["conditions"]["ready"] == true;
            format!(
                "{}/{}",
                endpoints.iter().filter(ready).count(),
                endpoints.len()
            )
        }
        _ => String::new(),
    }
}

/// `17m`, `3h`: the largest unit that fits, as kubectl shows ages.
fn age(created: &str, now: SystemTime) -> String {
    let (Some(created), Ok(now)) = (stamp::parse(created), Timestamp::try_from(now)) else {
        return "<unknown>".to_owned();
    };
    match now.as_second() - created.as_second() {
        seconds if seconds < 120 => format!("{seconds}s"),
        seconds if seconds < 3 * 3600 => format!("{}m", seconds / 60),
        seconds if seconds < 2 * 86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
