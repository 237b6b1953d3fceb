//! managedFields: who last wrote which field, kept as the API server keeps it for updates.
//!
//! A write gives its manager the fields it changed and takes them from everybody else; a manager left without fields
//! disappears.

use serde_json::{Map, Value, json};

use super::object::list_key;

/// Who writes, and through which door.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Name of the manager, such as "kubelet".
    pub manager: &'a str,
    /// Whether the write went through the status subresource.
    pub status: bool,
}

/// Books the change from `old` (null for a new object) to `new` into `new`'s managedFields.
pub(crate) fn book(
    old: &Value,
    new: &mut Value,
    writer: Writer<'_>,
    time: &str,
    api_version: &str,
) {
    let mut changed = Map::new();
    for (field, value) in new.as_object().into_iter().flatten() {
        let tracked = match field.as_str() {
            "kind" | "apiVersion" => false,
            "status" => writer.status,
            _ => !writer.status || field == "metadata",
        };
        if tracked && let Some(fields) = difference(field, &old[field], value) {
            changed.insert(format!("f:{field}"), fields);
        }
    }
    let mut entries = match new["metadata"]["managedFields"].take() {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    };
    if !changed.is_empty() {
        let changed = Value::Object(changed);
        for entry in &mut entries {
            if !is_of(entry, writer) {
                subtract(&mut entry["fieldsV1"], &changed);
            }
        }
        entries.retain(|entry| {
            entry["fieldsV1"]
                .as_object()
                .is_some_and(|fields| !fields.is_empty())
        });
        if let Some(own) = entries.iter_mut().find(|entry| is_of(entry, writer)) {
            add(&mut own["fieldsV1"], &changed);
            own["time"] = time.into();
        } else {
            let mut entry = json!({
                "manager": writer.manager,
                "operation": "Update",
                "apiVersion": api_version,
                "time": time,
                "fieldsType": "FieldsV1",
                "fieldsV1": changed,
            });
            if writer.status {
                entry["subresource"] = "status".into();
            }
            entries.push(entry);
        }
        entries.sort_by(|a, b| order(a).cmp(&order(b)));
    }
    new["metadata"]["managedFields"] = entries.into();
}

fn is_of(entry: &Value, writer: Writer<'_>) -> bool {
    entry["manager"] == writer.manager && (entry["subresource"] == "status") == writer.status
}

fn order(entry: &Value) -> (&str, &str) {
    (
        entry["time"].as_str().unwrap_or_default(),
        entry["manager"].as_str().unwrap_or_default(),
    )
}

/// The fields of `new` that differ from `old`, as a `FieldsV1` tree; none when they are equal.
fn difference(field: &str, old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    match (new, list_key(field)) {
        (Value::Object(fields), _) => {
            let mut tree = Map::new();
            if old.is_null() && is_map(field) {
                tree.insert(".".to_owned(), json!({}));
            }
            for (name, value) in fields {
                if field == "metadata" && is_server_kept(name) {
                    continue;
                }
                if let Some(changed) = difference(name, &old[name], value) {
                    tree.insert(format!("f:{name}"), changed);
                }
            }
            // A structure whose every field is tracked elsewhere owns nothing itself.
            (!tree.is_empty()).then_some(Value::Object(tree))
        }
        (Value::Array(items), Some(key)) => {
            let mut tree = Map::new();
            if old.is_null() {
                tree.insert(".".to_owned(), json!({}));
            }
            for item in items {
                let known = old
                    .as_array()
                    .and_then(|old| old.iter().find(|known| known[key] == item[key]))
                    .unwrap_or(&Value::Null);
                let name = format!("k:{}", json!({key: item[key]}));
                if field == "ownerReferences" {
                    // Owner references are atomic items.
                    tree.insert(name, json!({}));
                } else if let Some(mut changed) = difference("", known, item) {
                    if known.is_null() {
                        changed["."] = json!({});
                    }
                    tree.insert(name, changed);
                }
            }
            (!tree.is_empty()).then_some(Value::Object(tree))
        }
        _ => Some(json!({})),
    }
}

/// Maps of free keys, which own themselves besides their keys; structures do not.
fn is_map(field: &str) -> bool {
    matches!(field, "labels" | "annotations" | "capacity" | "allocatable")
}

/// Metadata that the server writes and no manager owns.
fn is_server_kept(field: &str) -> bool {
    matches!(
        field,
        "name"
            | "namespace"
            | "uid"
            | "resourceVersion"
            | "creationTimestamp"
            | "generation"
            | "managedFields"
    )
}

fn add(into: &mut Value, tree: &Value) {
    for (name, below) in tree.as_object().into_iter().flatten() {
        let known = &mut into[name];
        if known.is_null() {
            *known = json!({});
        }
        add(known, below);
    }
}

fn subtract(from: &mut Value, tree: &Value) {
    let Some(fields) = from.as_object_mut() else {
        return;
    };
    for (name, below) in tree.as_object().into_iter().flatten() {
        let Some(known) = fields.get_mut(name) else {
            continue;
        };
        let is_leaf = known.as_object().is_none_or(Map::is_empty);
        if !is_leaf {
            subtract(known, below);
        }
        if is_leaf || known.as_object().is_none_or(Map::is_empty) {
            fields.remove(name);
        }
    }
}
