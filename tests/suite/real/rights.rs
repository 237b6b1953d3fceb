//! What RBAC of the manifests grants, and what of it was used.

use std::collections::BTreeSet;

use nodegrace_sim_cluster::api::{Access, Logged, Permission, Resource, Review};
use serde_json::Value;

use super::forms::strings;

/// Where the right to impersonate with constraints is.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// One verb on one resource, granted to somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    /// Whose it is.
    pub(super) user: String,
    /// Such as `list`.
    pub(super) verb: String,
    /// API group; empty for the core group.
    pub(super) group: String,
    /// Such as `nodes` or `nodes/metrics`.
    pub(super) resource: String,
    /// The only namespace. Absent: all, and what is in none.
    pub(super) namespace: Option<String>,
}

/// Every right that the bindings among these objects give.
pub(super) fn granted(objects: &[Value]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for binding in objects {
        if !matches!(
            binding["kind"].as_str(),
            Some("ClusterRoleBinding" | "RoleBinding")
        ) {
            continue;
        }
        let role = &binding["roleRef"];
        let [kind, name] = ["kind", "name"].map(|key| role[key].as_str().unwrap_or_default());
        let namespace = binding["metadata"]["namespace"].as_str();
        for rule in object(objects, kind, name)["rules"]
            .as_array()
            .into_iter()
            .flatten()
        {
            for subject in binding["subjects"].as_array().into_iter().flatten() {
                rights.extend(of_rule(&account(subject), rule, namespace));
            }
        }
    }
    rights
}

/// The only object of this kind and name.
fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// The user that a subject of a binding is.
fn account(subject: &Value) -> String {
    let [namespace, name] =
        ["namespace", "name"].map(|key| subject[key].as_str().unwrap_or_default());
    format!("system:serviceaccount:{namespace}:{name}")
}

fn of_rule(user: &str, rule: &Value, namespace: Option<&str>) -> Vec<Right> {
    let [verbs, groups, resources] =
        ["verbs", "apiGroups", "resources"].map(|key| strings(&rule[key]));
    let mut rights = Vec::new();
    for verb in verbs {
        for group in &groups {
            for resource in &resources {
                assert_ne!("*", *resource, "a right on whatever there will be");
                rights.push(Right {
                    user: user.to_owned(),
                    verb: verb.to_owned(),
                    group: (*group).to_owned(),
                    resource: (*resource).to_owned(),
                    namespace: namespace.map(str::to_owned),
                });
            }
        }
    }
    rights
}

/// The rules of an API server that lets its users do what is granted and nothing else. Who reads of a kubelet is that one's to
/// judge: [`Right::is_of_kubelets`].
pub(super) fn access(rights: &BTreeSet<Right>) -> Access {
    let mut access = Access::closed();
    for right in rights {
        let Right { user, verb, .. } = right;
        access = match right.resource.as_str() {
            "tokenreviews" => access.permit_review(user, Review::Token),
            "subjectaccessreviews" => access.permit_review(user, Review::Access),
            _ if right.is_of_kubelets() => access,
            plural => {
                let kept = Resource::find(&right.group, "v1", plural).is_some();
                let known = kept || right.group == AUTHENTICATION && plural == "nodes";
                assert!(known, "a right on {plural}");
                let permission = Permission::on(&[verb], &right.group, plural);
                access.permit(
                    user,
                    match &right.namespace {
                        Some(namespace) => permission.within(namespace),
                        None => permission,
                    },
                )
            }
        };
    }
    access
}

impl Right {
    /// Whether it is about what a kubelet serves.
    pub(super) fn is_of_kubelets(&self) -> bool {
        self.resource.starts_with("nodes/")
    }

    /// The rights that a request to the API server took. None: it is about no resource.
    pub(super) fn of(request: &Logged) -> Option<Vec<Self>> {
        let right = Self::of_own(request)?;
        if request.impersonated.is_none() {
            return Some(vec![right]);
        }
        // In the name of another: to do it so, and to be taken for him.
        let itself = Self {
            user: request.user.clone(),
            verb: "impersonate:associated-node".to_owned(),
            group: AUTHENTICATION.to_owned(),
            resource: "nodes".to_owned(),
            namespace: None,
        };
        let verb = format!("impersonate-on:associated-node:{}", right.verb);
        Some(vec![Self { verb, ..right }, itself])
    }

    /// The right that a request in somebody's own name takes.
    fn of_own(request: &Logged) -> Option<Self> {
        let path = request.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match segments.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, "v1", rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, resource) = match rest {
            ["namespaces", namespace, resource, ..] => (Some(*namespace), resource),
            [resource, ..] => (None, resource),
            [] => return None,
        };
        Some(Self {
            user: request.user.clone(),
            // The verb for a POST to what keeps no objects.
            verb: request.verb.replace("post", "create"),
            group: group.to_owned(),
            resource: (*resource).to_owned(),
            namespace: namespace.map(str::to_owned),
        })
    }
}
