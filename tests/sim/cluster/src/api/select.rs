//! Field and label selectors, as far as clients of this server use them.

use serde_json::Value;

use super::{
    object::{Key, Object, text},
    refusal::Refusal,
};

/// Which objects of a kind are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Namespace; none: all of them.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: Option<String>,
    /// `spec.nodeName`, for pods.
    pub node_name: Option<String>,
    /// Labels that must be equal (`true`) or differ (`false`).
    pub labels: Vec<(String, String, bool)>,
}

impl Selector {
    /// One object.
    pub fn one(key: &Key) -> Self {
        Self {
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
            ..Self::default()
        }
    }

    /// Reads the selectors of a query string.
    pub(crate) fn parse(
        namespace: Option<String>,
        fields: Option<&str>,
        labels: Option<&str>,
    ) -> Result<Self, Refusal> {
        let mut selector = Self {
            namespace,
            ..Self::default()
        };
        for term in terms(fields) {
            let (field, value) = term
                .split_once("==")
                .or_else(|| term.split_once('='))
                .ok_or_else(|| Refusal::Invalid(format!("invalid field selector: {term}")))?;
            match field {
                "metadata.name" => selector.name = Some(value.to_owned()),
                "metadata.namespace" => selector.namespace = Some(value.to_owned()),
                "spec.nodeName" => selector.node_name = Some(value.to_owned()),
                _ => {
                    return Err(Refusal::Invalid(format!(
                        "field label not supported: {field}"
                    )));
                }
            }
        }
        for term in terms(labels) {
            let (label, value, equal) = if let Some((label, value)) = term.split_once("!=") {
                (label, value, false)
            } else if let Some((label, value)) =
                term.split_once("==").or_else(|| term.split_once('='))
            {
                (label, value, true)
            } else {
                return Err(Refusal::Invalid(format!(
                    "label selector not supported: {term}"
                )));
            };
            selector
                .labels
                .push((label.trim().to_owned(), value.trim().to_owned(), equal));
        }
        Ok(selector)
    }

    /// The only key that can match, when there is but one: such watches are indexed.
    pub(crate) fn only_key(&self, namespaced: bool) -> Option<Key> {
        let name = self.name.clone()?;
        match (&self.namespace, namespaced) {
            (Some(namespace), true) => Some(Key::new(namespace.clone(), name)),
            (None, true) => None,
            (_, false) => Some(Key::cluster(name)),
        }
    }

    /// Whether an object is meant.
    pub fn matches(&self, object: &Object) -> bool {
        let namespace = !object.resource.names().namespaced
            || self
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == object.key.namespace);
        namespace
            && self
                .name
                .as_ref()
                .is_none_or(|name| *name == object.key.name)
            && self
                .node_name
                .as_ref()
                .is_none_or(|node| node == text(&object.value, "/spec/nodeName"))
            && self.labels.iter().all(|(label, value, equal)| {
                let found = object.value["metadata"]["labels"]
                    .get(label)
                    .and_then(Value::as_str);
                (found == Some(value)) == *equal
            })
    }
}

fn terms(selector: Option<&str>) -> impl Iterator<Item = &str> {
    selector
        .into_iter()
        .flat_map(|selector| selector.split(','))
        .filter(|term| !term.is_empty())
}
