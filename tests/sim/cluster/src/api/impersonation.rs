//! Requests of one user in the name of another, a node: constrained impersonation as of Kubernetes 1.36 (KEP-5284), and the
//! plain kind before it. Then the request is judged as the node authorizer judges it, for nobody else may be impersonated here.

use http::HeaderMap;

use super::{
    access::{Access, scope_words, subject_words},
    permission::{Attempt, On},
    refusal::Refusal,
    request::{Request, Verb},
    resource::{NODE_LEASE_NAMESPACE, Resource},
};

/// How the users of nodes are called.
const NODE_PREFIX: &str = "system:node:";
/// What the server takes an identity for, besides its name.
const FURTHER: &str = "impersonate-";
const USER: &str = "impersonate-user";
/// Where the right to impersonate is, with constraints.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// In whose name a request is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Impersonated {
    /// The node; whoever else is not known here.
    node: String,
    /// Nothing but the user was named.
    user_only: bool,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) user: String,
    /// The node that its token is bound to. Absent: to none, or none that the server tells of.
    pub(super) node: Option<String>,
}

/// What the rights to impersonate are called: the kinds of impersonation that a node can be the object of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    AssociatedNode,
    ArbitraryNode,
    /// Up to Kubernetes 1.35 the only one.
    Legacy,
}

impl Impersonated {
    /// Reads it off a request. None: it is to be taken in the caller's own name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let is_further = |header: &&http::HeaderName| header.as_str().starts_with(FURTHER);
        let named = headers.keys().filter(is_further).count();
        let Some(user) = headers.get(USER) else {
            return if named == 0 {
                Ok(None)
            } else {
                let words = "requested impersonation without impersonating a user name";
                Err(Refusal::Invalid(words.to_owned()))
            };
        };
        let user = user.to_str().unwrap_or_default();
        let Some(node) = user.strip_prefix(NODE_PREFIX) else {
            let words = format!("{user}: nobody but nodes can be impersonated here");
            return Err(Refusal::Invalid(words));
        };
        Ok(Some(Self {
            node: node.to_owned(),
            user_only: named == 1,
        }))
    }

    /// The user's name.
    pub(super) fn user(&self) -> String {
        format!("{NODE_PREFIX}{}", self.node)
    }
}

impl Access {
    /// Whether `caller` may do what it asks in the name of a node: whether it may impersonate it for that, and then whether the
    /// node may do it.
    pub(super) fn authorize_as(
        &self,
        caller: &Caller,
        whom: &Impersonated,
        request: &Request,
    ) -> Result<(), Refusal> {
        let mut first = None;
        let modes = [Mode::AssociatedNode, Mode::ArbitraryNode, Mode::Legacy];
        let modes = modes.into_iter().filter(|mode| {
            *mode == Mode::Legacy
                || (self.constrains_impersonation() && mode.is_meant(caller, whom))
        });
        for mode in modes {
            match self.may_impersonate(mode, caller, whom, request) {
                Ok(()) => return node_may(&whom.node, request),
                // The first is what the real server answers, too.
                Err(refusal) => _ = first.get_or_insert(refusal),
            }
        }
        Err(first.unwrap_or(Refusal::Unauthorized))
    }

    fn may_impersonate(
        &self,
        mode: Mode,
        caller: &Caller,
        whom: &Impersonated,
        request: &Request,
    ) -> Result<(), Refusal> {
        let Some(name) = mode.name() else {
            let user = whom.user();
            return self.check(caller, "impersonate", "", "users", &user, None);
        };
        let names = request.resource.names();
        self.check(
            caller,
            &format!("impersonate-on:{name}:{}", request.verb.name()),
            names.group,
            names.plural,
            &request.name(),
            request.namespace.as_deref(),
        )?;
        // What is granted is granted for whatever node a token is bound to.
        let object = match mode {
            Mode::AssociatedNode => "*",
            _ => &whom.node,
        };
        let verb = format!("impersonate:{name}");
        self.check(caller, &verb, AUTHENTICATION, "nodes", object, None)
    }

    fn check(
        &self,
        caller: &Caller,
        verb: &str,
        group: &str,
        plural: &str,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<(), Refusal> {
        let on = On::Objects {
            group,
            plural,
            namespace,
        };
        if self.allows_user(&caller.user, Attempt { verb, on }) {
            return Ok(());
        }
        let subject = subject_words(group, plural, name);
        let scope = scope_words(namespace);
        Err(Refusal::Forbidden(format!(
            "{subject} is forbidden: User \"{}\" cannot {verb} resource \"{plural}\" in API group \"{group}\" {scope}",
            caller.user
        )))
    }
}

impl Mode {
    /// Its name in verbs. None: it is the plain kind.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::AssociatedNode => Some("associated-node"),
            Self::ArbitraryNode => Some("arbitrary-node"),
            Self::Legacy => None,
        }
    }

    fn is_meant(self, caller: &Caller, whom: &Impersonated) -> bool {
        let is_account = caller.user.starts_with("system:serviceaccount:");
        let is_bound = is_account && caller.node.as_ref() == Some(&whom.node);
        whom.user_only && (self != Self::AssociatedNode || is_bound)
    }
}

/// Whether a node may do this: of Nodes and Leases, its own only, and the Lease never in a list or a watch.
fn node_may(node: &str, request: &Request) -> Result<(), Refusal> {
    let name = request.name();
    let denied = match (request.resource, request.verb) {
        (Resource::Lease, Verb::List | Verb::Watch) => {
            Some("can only get, create, update, patch, or delete a node lease".to_owned())
        }
        (Resource::Lease, _) if request.namespace.as_deref() != Some(NODE_LEASE_NAMESPACE) => Some(
            format!("can only access leases in the \"{NODE_LEASE_NAMESPACE}\" system namespace"),
        ),
        (Resource::Lease, verb) if verb != Verb::Create && name != node => {
            Some("can only access node lease with the same name as the requesting node".to_owned())
        }
        (Resource::Lease, _) | (Resource::Node, Verb::Create | Verb::Update | Verb::Patch) => None,
        (Resource::Node, Verb::Get | Verb::List | Verb::Watch) if name == node => None,
        (Resource::Node, Verb::Get | Verb::List | Verb::Watch) if name.is_empty() => Some(format!(
            "node '{node}' cannot read all nodes, only its own Node object"
        )),
        (Resource::Node, Verb::Get | Verb::List | Verb::Watch) => Some(format!(
            "node '{node}' cannot read '{name}', only its own Node object"
        )),
        _ => Some(String::new()),
    };
    let Some(why) = denied else { return Ok(()) };
    let names = request.resource.names();
    let subject = subject_words(names.group, names.plural, &name);
    let scope = scope_words(request.namespace.as_deref());
    let why = if why.is_empty() {
        why
    } else {
        format!(": {why}")
    };
    Err(Refusal::Forbidden(format!(
        "{subject} is forbidden: User \"{NODE_PREFIX}{node}\" cannot {} resource \"{}\" in API group \"{}\" {scope}{why}",
        request.verb.name(),
        names.plural,
        names.group,
    )))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{super::permission::Permission, *};

    const AGENT: &str = "system:serviceaccount:nodegrace:nodegrace-agent";
    const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

    fn granted() -> Access {
        let on = |verb: &str| format!("impersonate-on:associated-node:{verb}");
        let [get, list, watch] = ["get", "list", "watch"].map(on);
        let leases = Permission::on(&[&get, &list, &watch], "coordination.k8s.io", "leases");
        Access::closed()
            .permit(AGENT, Permission::on(&[&get, &list, &watch], "", "nodes"))
            .permit(AGENT, leases.within("kube-node-lease"))
            .permit(
                AGENT,
                Permission::on(&["impersonate:associated-node"], AUTHENTICATION, "nodes"),
            )
    }

    fn bound_to(node: &str) -> Caller {
        Caller {
            user: AGENT.to_owned(),
            node: Some(node.to_owned()),
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    /// The answer to a caller on `bound` that asks in the name of the node `a`: "" where it is let in.
    fn answer(access: &Access, bound: &str, path: &str) -> String {
        let named = headers(&[(USER, "system:node:a")]);
        let whom = Impersonated::of(&named).unwrap().unwrap();
        let request = Request::parse(&Method::GET, &path.parse().unwrap()).unwrap();
        let verdict = access.authorize_as(&bound_to(bound), &whom, &request.unwrap());
        verdict.map_or_else(|refusal| refusal.to_string(), |()| String::new())
    }

    #[test]
    fn in_the_name_of_its_own_node_it_reads_that_node_and_gets_its_lease() {
        for path in [
            "/api/v1/nodes/a",
            "/api/v1/nodes?fieldSelector=metadata.name%3Da",
            "/api/v1/nodes?watch=true&fieldSelector=metadata.name%3Da",
            &format!("{LEASES}/a?resourceVersion=7"),
        ] {
            assert_eq!(answer(&granted(), "a", path), "", "{path}");
        }
    }

    #[test]
    fn whatever_else_it_asks_for_is_forbidden_in_the_words_of_the_node_authorizer() {
        for (path, words) in [
            (
                "/api/v1/nodes/b",
                "nodes \"b\" is forbidden: User \"system:node:a\" cannot get resource \"nodes\" in API group \"\" at the cluster \
                 scope: node 'a' cannot read 'b', only its own Node object",
            ),
            (
                "/api/v1/nodes",
                "nodes is forbidden: User \"system:node:a\" cannot list resource \"nodes\" in API group \"\" at the cluster \
                 scope: node 'a' cannot read all nodes, only its own Node object",
            ),
            (
                &format!("{LEASES}?watch=true&fieldSelector=metadata.name%3Da"),
                "leases.coordination.k8s.io \"a\" is forbidden: User \"system:node:a\" cannot watch resource \"leases\" in API \
                 group \"coordination.k8s.io\" in the namespace \"kube-node-lease\": can only get, create, update, patch, or \
                 delete a node lease",
            ),
            (
                &format!("{LEASES}/b"),
                "leases.coordination.k8s.io \"b\" is forbidden: User \"system:node:a\" cannot get resource \"leases\" in API \
                 group \"coordination.k8s.io\" in the namespace \"kube-node-lease\": can only access node lease with the same \
                 name as the requesting node",
            ),
        ] {
            assert_eq!(answer(&granted(), "a", path), words);
        }
    }

    #[test]
    fn a_token_that_is_bound_to_another_node_or_to_none_impersonates_nobody() {
        let words = answer(&granted(), "b", "/api/v1/nodes/a");
        assert_eq!(
            words,
            format!(
                "nodes \"a\" is forbidden: User \"{AGENT}\" cannot impersonate-on:arbitrary-node:get resource \"nodes\" in API \
                 group \"\" at the cluster scope"
            )
        );
    }

    #[test]
    fn each_of_the_two_rights_is_needed() {
        let node = "/api/v1/nodes/a";
        let no_identity = Access::closed().permit(
            AGENT,
            Permission::on(&["impersonate-on:associated-node:get"], "", "nodes"),
        );
        let words = answer(&no_identity, "a", node);
        let wanted = "nodes.authentication.k8s.io \"*\" is forbidden";
        assert!(words.starts_with(wanted), "{words}");
        let no_action = Access::closed().permit(
            AGENT,
            Permission::on(&["impersonate:associated-node"], AUTHENTICATION, "nodes"),
        );
        let words = answer(&no_action, "a", node);
        let wanted = "cannot impersonate-on:associated-node:get resource \"nodes\"";
        assert!(words.contains(wanted), "{words}");
    }

    #[test]
    fn an_older_server_knows_the_plain_kind_only() {
        let words = answer(&granted().not_constraining(), "a", "/api/v1/nodes/a");
        assert_eq!(
            words,
            format!(
                "users \"system:node:a\" is forbidden: User \"{AGENT}\" cannot impersonate resource \"users\" in API group \"\" \
                 at the cluster scope"
            )
        );
    }

    #[test]
    fn a_group_besides_the_user_is_not_the_own_node_any_more() {
        let named = headers(&[(USER, "system:node:a"), ("impersonate-group", "x")]);
        let whom = Impersonated::of(&named).unwrap().unwrap();
        assert!(!Mode::AssociatedNode.is_meant(&bound_to("a"), &whom));
        assert!(Impersonated::of(&headers(&[("impersonate-group", "x")])).is_err());
        assert_eq!(Impersonated::of(&headers(&[])), Ok(None));
    }
}
