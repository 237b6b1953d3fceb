//! The paths by which clients find out what the server serves, and its health and version.

use serde_json::{Value, json};

use super::resource::Resource;

/// Groups with their version, in the order of discovery.
const GROUPS: [(&str, &str); 2] = [("coordination.k8s.io", "v1"), ("discovery.k8s.io", "v1")];

/// The document at a path, if it is one of discovery's. Without `lease_api` the group of Leases is not there.
pub(super) fn document(path: &str, lease_api: bool) -> Option<Value> {
    let groups = || {
        GROUPS
            .into_iter()
            .filter(move |(group, _)| lease_api || *group != "coordination.k8s.io")
    };
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match segments.as_slice() {
        ["version"] => Some(version()),
        ["api"] => Some(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        })),
        ["apis"] => Some(json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": groups().map(|(name, version)| group(name, version)).collect::<Vec<_>>(),
        })),
        ["api", "v1"] => Some(resources("", "v1")),
        ["apis", name] => groups()
            .find(|(known, _)| known == name)
            .map(|(name, version)| {
                let mut group = group(name, version);
                group["kind"] = "APIGroup".into();
                group["apiVersion"] = "v1".into();
                group
            }),
        ["apis", name, version] => groups()
            .find(|known| *known == (*name, *version))
            .map(|(name, version)| resources(name, version)),
        _ => None,
    }
}

/// The version that the recordings were made with.
fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.2",
        "gitCommit": "$Format:%H$",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.27.3",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn resources(group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for resource in Resource::ALL {
        let names = resource.names();
        if names.group != group || names.version != version {
            continue;
        }
        list.push(json!({
            "name": names.plural,
            "singularName": names.kind.to_lowercase(),
            "namespaced": names.namespaced,
            "kind": names.kind,
            "shortNames": names.short,
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        }));
        if names.status {
            list.push(json!({
                "name": format!("{}/status", names.plural),
                "singularName": "",
                "namespaced": names.namespaced,
                "kind": names.kind,
                "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
}
