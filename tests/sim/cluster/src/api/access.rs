//! Who may ask: bearer tokens, client certificates, and what each identity may do.

use std::collections::HashMap;

use http::{HeaderMap, header::AUTHORIZATION};

use super::{
    object::Key,
    refusal::Refusal,
    request::{Request, Verb},
    resource::Resource,
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
}

/// What an identity may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// RBAC verbs: "get", "list", "watch" and so on.
    pub verbs: Vec<String>,
    /// The kind.
    pub resource: Resource,
    /// The only namespace; none: all.
    pub namespace: Option<String>,
}

impl Permission {
    /// Permission for `verbs` on a kind, in every namespace.
    pub fn new(verbs: &[&str], resource: Resource) -> Self {
        Self {
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            resource,
            namespace: None,
        }
    }

    /// The same in one namespace only.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    fn allows(&self, verb: Verb, resource: Resource, namespace: Option<&str>) -> bool {
        self.resource == resource
            && self.verbs.iter().any(|known| known == verb.name())
            && self
                .namespace
                .as_deref()
                .is_none_or(|only| namespace == Some(only))
    }
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

    /// Restricts `user` to what is permitted; may be called again for more.
    #[must_use]
    pub fn permit(mut self, user: &str, permission: Permission) -> Self {
        self.permissions
            .entry(user.to_owned())
            .or_default()
            .push(permission);
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

    /// Whose a token is.
    pub(super) fn account(&self, token: &str) -> Option<&Account> {
        self.accounts.get(token)
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

    /// Whether an identity may have ports of this pod forwarded: only if it is not restricted.
    pub(super) fn authorize_forward(&self, user: &str, pod: &Key) -> Result<(), Refusal> {
        if !self.permissions.contains_key(user) {
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
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let known = match (token, certificate) {
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
        let Some(permissions) = self.permissions.get(user) else {
            return Ok(());
        };
        let namespace = request.namespace.as_deref();
        let may = permissions
            .iter()
            .any(|permission| permission.allows(request.verb, request.resource, namespace));
        if may {
            return Ok(());
        }
        let names = request.resource.names();
        let subject = request.key.as_ref().map_or_else(
            || request.resource.qualified(),
            |key| format!("{} \"{}\"", request.resource.qualified(), key.name),
        );
        let scope = namespace.map_or_else(
            || "at the cluster scope".to_owned(),
            |namespace| format!("in the namespace \"{namespace}\""),
        );
        Err(Refusal::Forbidden(format!(
            "{subject} is forbidden: User \"{user}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            request.verb.name(),
            names.plural,
            names.group,
        )))
    }
}
