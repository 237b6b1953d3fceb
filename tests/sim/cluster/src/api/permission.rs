//! What may be permitted: rules as RBAC has them, and what is held against them.

use super::{request::Request, resource::Resource};

/// What an identity may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// RBAC verbs: "get", "list", "watch" and so on, or "*".
    verbs: Vec<String>,
    target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// Objects; group and plural may be "*".
    Objects {
        group: String,
        plural: String,
        /// The only namespace. Absent: all.
        namespace: Option<String>,
    },
    /// A path that is no object's, perhaps with a "*" at its end.
    Path(String),
}

/// Something that somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt<'a> {
    pub(super) verb: &'a str,
    pub(super) on: On<'a>,
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On<'a> {
    Objects {
        group: &'a str,
        plural: &'a str,
        /// Absent: all namespaces, or there are none.
        namespace: Option<&'a str>,
    },
    Path(&'a str),
}

impl Permission {
    /// Permission for `verbs` on a kind, in every namespace.
    pub fn new(verbs: &[&str], resource: Resource) -> Self {
        let names = resource.names();
        Self::on(verbs, names.group, names.plural)
    }

    /// Permission for `verbs` on objects of any kind, also one that the server does not keep.
    pub fn on(verbs: &[&str], group: &str, plural: &str) -> Self {
        let (group, plural) = (group.to_owned(), plural.to_owned());
        Self::of(
            verbs,
            Target::Objects {
                group,
                plural,
                namespace: None,
            },
        )
    }

    /// Permission for `verbs` on a path that is no object's, and with a "*" at its end on all that begin so.
    pub fn at_path(verbs: &[&str], path: &str) -> Self {
        Self::of(verbs, Target::Path(path.to_owned()))
    }

    fn of(verbs: &[&str], target: Target) -> Self {
        Self {
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            target,
        }
    }

    /// The same in one namespace only.
    #[must_use]
    pub fn within(mut self, only: &str) -> Self {
        if let Target::Objects { namespace, .. } = &mut self.target {
            *namespace = Some(only.to_owned());
        }
        self
    }

    pub(super) fn allows(&self, attempt: Attempt<'_>) -> bool {
        let covers = |rule: &str, asked: &str| rule == "*" || rule == asked;
        self.verbs.iter().any(|verb| covers(verb, attempt.verb))
            && match (&self.target, attempt.on) {
                (
                    Target::Objects {
                        group,
                        plural,
                        namespace: only,
                    },
                    On::Objects {
                        group: asked_group,
                        plural: asked_plural,
                        namespace,
                    },
                ) => {
                    covers(group, asked_group)
                        && covers(plural, asked_plural)
                        && only.as_deref().is_none_or(|only| namespace == Some(only))
                }
                (Target::Path(rule), On::Path(path)) => match rule.strip_suffix('*') {
                    Some(start) => path.starts_with(start),
                    None => rule == path,
                },
                _ => false,
            }
    }
}

impl<'a> Attempt<'a> {
    /// What a request on objects wants to do.
    pub(super) fn of(request: &'a Request) -> Self {
        let names = request.resource.names();
        Self {
            verb: request.verb.name(),
            on: On::Objects {
                group: names.group,
                plural: names.plural,
                namespace: request.namespace.as_deref(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_what_it_names_and_nothing_else() {
        let fleet = |group| On::Objects {
            group,
            plural: "fleet",
            namespace: None,
        };
        let get = |on| Attempt { verb: "get", on };
        let exact = Permission::on(&["get"], "nodegrace.io", "fleet");
        assert!(exact.allows(get(fleet("nodegrace.io"))));
        assert!(!exact.allows(get(fleet(""))));
        assert!(!exact.allows(get(On::Path("/metrics"))));
        let list = Attempt {
            verb: "list",
            on: fleet("nodegrace.io"),
        };
        assert!(!exact.allows(list));
        assert!(!exact.clone().within("a").allows(get(fleet("nodegrace.io"))));
        assert!(Permission::on(&["*"], "*", "*").allows(list));
        let path = Permission::at_path(&["get"], "/metrics");
        assert!(path.allows(get(On::Path("/metrics"))));
        assert!(!path.allows(get(On::Path("/metrics/cadvisor"))));
        let below = Permission::at_path(&["get"], "/metrics/*");
        assert!(below.allows(get(On::Path("/metrics/cadvisor"))));
    }
}
