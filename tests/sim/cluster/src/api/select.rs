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
    /// Other fields.
    pub fields: Vec<Term>,
    /// Labels.
    pub labels: Vec<Term>,
}

/// One condition of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Field path, such as `spec.nodeName`, or label.
    pub name: String,
    /// The value it is compared with.
    pub value: String,
    /// Whether it must be equal (`true`) or differ (`false`).
    pub equal: bool,
}

/// Fields that clients may select by, besides `metadata.name`; the real server knows a list per kind.
const FIELDS: [&str; 7] = [
    "metadata.namespace",
    "spec.nodeName",
    "status.phase",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.uid",
];

impl Term {
    /// A name that must have a value.
    pub fn equal(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            equal: true,
        }
    }

    fn parse(term: &str) -> Option<Self> {
        let (name, value, equal) = if let Some((name, value)) = term.split_once("!=") {
            (name, value, false)
        } else {
            let (name, value) = term.split_once("==").or_else(|| term.split_once('='))?;
            (name, value, true)
        };
        Some(Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            equal,
        })
    }

    fn holds(&self, found: &str) -> bool {
        (found == self.value) == self.equal
    }
}

impl Selector {
    /// Every object of a namespace.
    pub fn within(namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..Self::default()
        }
    }

    /// One object.
    pub fn one(key: &Key) -> Self {
        Self {
            name: Some(key.name.clone()),
            ..Self::within(&key.namespace)
        }
    }

    /// The pods of a node.
    pub fn on_node(node: &str) -> Self {
        Self {
            fields: vec![Term::equal("spec.nodeName", node)],
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
            match Term::parse(term) {
                Some(term) if term.name == "metadata.name" && term.equal => {
                    selector.name = Some(term.value);
                }
                Some(term) if FIELDS.contains(&term.name.as_str()) => selector.fields.push(term),
                _ => {
                    return Err(Refusal::Invalid(format!(
                        "field selector not supported: {term}"
                    )));
                }
            }
        }
        for term in terms(labels) {
            let parsed = Term::parse(term);
            selector.labels.push(parsed.ok_or_else(|| {
                Refusal::Invalid(format!("label selector not supported: {term}"))
            })?);
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
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let namespaced = object.resource.names().namespaced;
        (!namespaced || is(&self.namespace, &object.key.namespace))
            && is(&self.name, &object.key.name)
            && self.fields.iter().all(|term| {
                let pointer = format!("/{}", term.name.replace('.', "/"));
                term.holds(text(&object.value, &pointer))
            })
            && self.labels.iter().all(|term| {
                let labels = &object.value["metadata"]["labels"];
                term.holds(
                    labels
                        .get(&term.name)
                        .and_then(Value::as_str)
                        .unwrap_or_default(),
                )
            })
    }
}

fn terms(selector: Option<&str>) -> impl Iterator<Item = &str> {
    selector
        .into_iter()
        .flat_map(|selector| selector.split(','))
        .filter(|term| !term.is_empty())
}
