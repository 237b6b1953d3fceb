//! Who may ask: bearer tokens, client certificates, and what each identity may do.

use std::collections::HashMap;

use http::{HeaderMap, header::AUTHORIZATION};

use super::{
    object::Key,
    permission::{Attempt, On, Permission},
    refusal::Refusal,
    request::Request,
    review::{Account, Review},
};

/// The rules of access. The default lets everybody do everything.
#[derive(Clone, Debug, Default)]
pub struct Access {
    closed: bool,
    tokens: HashMap<String, String>,
    certificates: HashMap<Vec<u8>, String>,
    permissions: HashMap<String, Vec<Permission>>,
    /// Service accounts by their tokens.
    accounts: HashMap<String, Account>,
    /// Who may have what reviewed; whoever is not named may, unless restricted otherwise.
    reviewers: HashMap<String, Vec<Review>>,
    /// Reviews of tokens do not say on which node a pod is.
    names_no_nodes: bool,
    /// Who impersonates is not asked for what.
    plain_impersonation: bool,
}

impl Access {
    /// Lets in only those who are named afterwards.
    pub fn closed() -> Self {
        Self {
            closed: true,
            ..Self::default()
        }
    }

    /// Lets in whoever shows `token`, as `user`.
    #[must_use]
    pub fn with_token(mut self, token: &str, user: &str) -> Self {
        self.tokens.insert(token.to_owned(), user.to_owned());
        self
    }

    /// Lets in whoever shows this client certificate (DER) on TLS, as `user`.
    #[must_use]
    pub fn with_certificate(mut self, der: &[u8], user: &str) -> Self {
        self.certificates.insert(der.to_vec(), user.to_owned());
        self
    }

    /// Restricts a user, or the members of a group, to what is permitted; may be called again for more.
    #[must_use]
    pub fn permit(mut self, user: &str, permission: Permission) -> Self {
        self.permissions
            .entry(user.to_owned())
            .or_default()
            .push(permission);
        self
    }

    /// Takes from `user` whatever was permitted.
    #[must_use]
    pub fn forbidding(mut self, user: &str) -> Self {
        self.permissions.insert(user.to_owned(), Vec::new());
        self
    }

    /// Knows whose a token is, as reviews tell. The token lets its user in as well.
    #[must_use]
    pub fn with_account(mut self, token: &str, account: Account) -> Self {
        let user = account.user();
        self.accounts.insert(token.to_owned(), account);
        self.with_token(token, &user)
    }

    /// Restricts `user` to these reviews; may be called again for more.
    #[must_use]
    pub fn permit_review(mut self, user: &str, review: Review) -> Self {
        self.reviewers
            .entry(user.to_owned())
            .or_default()
            .push(review);
        self
    }

    /// Tells of no token on which node its pod is, as before Kubernetes 1.30.
    #[must_use]
    pub fn naming_no_nodes(mut self) -> Self {
        self.names_no_nodes = true;
        self
    }

    /// Does not know constrained impersonation, as before Kubernetes 1.36.
    #[must_use]
    pub fn not_constraining(mut self) -> Self {
        self.plain_impersonation = true;
        self
    }

    pub(super) const fn constrains_impersonation(&self) -> bool {
        !self.plain_impersonation
    }

    /// The node that the token of a request is bound to. Absent: to none, or the server does not tell.
    pub(super) fn node_of(&self, headers: &HeaderMap) -> Option<String> {
        let extra = &self.account(bearer(headers)?)?.extra;
        let node = extra.get("authentication.kubernetes.io/node-name");
        node.filter(|_| self.names_nodes()).cloned()
    }

    /// Whether reviews say on which node a token's pod is.
    pub(super) const fn names_nodes(&self) -> bool {
        !self.names_no_nodes
    }

    /// Whose a token is.
    pub(super) fn account(&self, token: &str) -> Option<&Account> {
        self.accounts.get(token)
    }

    /// Whose a token is that is no service account's.
    pub(super) fn user(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(String::as_str)
    }

    /// Whether somebody in these groups may do something: whatever there is, as long as nothing is permitted to him or to one of
    /// them in particular.
    pub(super) fn allows(&self, user: &str, groups: &[String], attempt: Attempt<'_>) -> bool {
        let subjects = groups.iter().map(String::as_str).chain([user]);
        let mut rules = subjects
            .filter_map(|subject| self.permissions.get(subject))
            .peekable();
        rules.peek().is_none() || rules.flatten().any(|rule| rule.allows(attempt))
    }

    /// The same of a user who is in no group but those that everybody of his name is in.
    pub(super) fn allows_user(&self, user: &str, attempt: Attempt<'_>) -> bool {
        self.allows(user, &groups(user), attempt)
    }

    /// Whether an identity may have this reviewed.
    pub(super) fn authorize_review(&self, user: &str, review: Review) -> Result<(), Refusal> {
        let may = match (self.reviewers.get(user), self.permissions.get(user)) {
            (Some(reviews), _) => reviews.contains(&review),
            (None, restricted) => restricted.is_none(),
        };
        if may {
            return Ok(());
        }
        let (group, plural, _) = review.names();
        Err(Refusal::Forbidden(format!(
            "{plural}.{group} is forbidden: User \"{user}\" cannot create resource \"{plural}\" in API group \"{group}\" at the \
             cluster scope"
        )))
    }

    /// Whether an identity may have ports of this pod forwarded. What asks for that by a WebSocket is a GET.
    pub(super) fn authorize_forward(&self, user: &str, pod: &Key) -> Result<(), Refusal> {
        let attempt = Attempt {
            verb: "get",
            on: On::Objects {
                group: "",
                plural: "pods/portforward",
                namespace: Some(&pod.namespace),
            },
        };
        if self.allows(user, &groups(user), attempt) {
            return Ok(());
        }
        Err(Refusal::Forbidden(format!(
            "pods \"{}\" is forbidden: User \"{user}\" cannot get resource \"pods/portforward\" in API group \"\" in the \
             namespace \"{}\"",
            pod.name, pod.namespace
        )))
    }

    /// The identity of a request.
    pub(super) fn identify(
        &self,
        headers: &HeaderMap,
        certificate: Option<&[u8]>,
    ) -> Result<String, Refusal> {
        let known = match (bearer(headers), certificate) {
            (Some(token), _) => self.tokens.get(token),
            (None, Some(certificate)) => self.certificates.get(certificate),
            (None, None) => None,
        };
        match known {
            Some(user) => Ok(user.clone()),
            None if self.closed => Err(Refusal::Unauthorized),
            None => Ok("system:anonymous".to_owned()),
        }
    }

    /// Whether an identity may do what it asks.
    pub(super) fn authorize(&self, user: &str, request: &Request) -> Result<(), Refusal> {
        let namespace = request.namespace.as_deref();
        if self.allows(user, &groups(user), Attempt::of(request)) {
            return Ok(());
        }
        let names = request.resource.names();
        let subject = subject_words(names.group, names.plural, &request.name());
        let scope = scope_words(namespace);
        Err(Refusal::Forbidden(format!(
            "{subject} is forbidden: User \"{user}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            request.verb.name(),
            names.plural,
            names.group,
        )))
    }
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(AUTHORIZATION)?.to_str().ok()?;
    shown.strip_prefix("Bearer ")
}

/// What a refusal is about; `name` is empty where it is about no object in particular.
pub(super) fn subject_words(group: &str, plural: &str, name: &str) -> String {
    let qualified = if group.is_empty() {
        plural.to_owned()
    } else {
        format!("{plural}.{group}")
    };
    if name.is_empty() {
        qualified
    } else {
        format!("{qualified} \"{name}\"")
    }
}

/// Where a refusal is about it.
pub(super) fn scope_words(namespace: Option<&str>) -> String {
    namespace.map_or_else(
        || "at the cluster scope".to_owned(),
        |namespace| format!("in the namespace \"{namespace}\""),
    )
}

/// The groups that every user of this name is in.
pub(super) fn groups(user: &str) -> Vec<String> {
    let everybody = "system:authenticated".to_owned();
    let account = user.strip_prefix("system:serviceaccount:");
    match account.and_then(|account| account.split_once(':')) {
        Some((namespace, _)) => vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            everybody,
        ],
        None => vec![everybody],
    }
}
