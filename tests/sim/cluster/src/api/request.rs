//! What a request asks for: path and query, read once.

use http::{Method, Uri};

use super::{object::Key, refusal::Refusal, resource::Resource, select::Selector};

/// A request on objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) verb: Verb,
    pub(super) resource: Resource,
    /// The object, when the path names one.
    pub(super) key: Option<Key>,
    /// Namespace of a collection.
    pub(super) namespace: Option<String>,
    /// Whether the path goes to the status subresource.
    pub(super) status: bool,
    pub(super) query: Query,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    /// Its name in RBAC and audit logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// The parameters that the server knows; others are ignored, as the real server does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) watch: bool,
    pub(super) bookmarks: bool,
    pub(super) initial_events: bool,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) resource_version: Option<String>,
    pub(super) limit: Option<usize>,
    pub(super) continue_from: Option<String>,
    pub(super) field_selector: Option<String>,
    pub(super) label_selector: Option<String>,
    pub(super) field_manager: Option<String>,
}

impl Query {
    fn parse(uri: &Uri) -> Self {
        let mut query = Self::default();
        for (name, value) in url_pairs(uri.query().unwrap_or_default()) {
            let is_true = value == "true" || value == "1";
            match name.as_str() {
                "watch" => query.watch = is_true,
                "allowWatchBookmarks" => query.bookmarks = is_true,
                "sendInitialEvents" => query.initial_events = is_true,
                "timeoutSeconds" => query.timeout_seconds = value.parse().ok(),
                "limit" => query.limit = value.parse().ok().filter(|limit| *limit > 0),
                "resourceVersion" => query.resource_version = Some(value),
                "continue" => query.continue_from = Some(value).filter(|token| !token.is_empty()),
                "fieldSelector" => query.field_selector = Some(value),
                "labelSelector" => query.label_selector = Some(value),
                "fieldManager" => query.field_manager = Some(value),
                _ => {}
            }
        }
        query
    }

    /// The revision asked for; none for "" and "0", which mean any.
    pub(super) fn revision(&self) -> Result<Option<u64>, Refusal> {
        match self.resource_version.as_deref() {
            None | Some("" | "0") => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| Refusal::Invalid(format!("invalid resource version: {text}"))),
        }
    }
}

impl Request {
    /// Reads a request on objects; none for other paths.
    pub(super) fn parse(method: &Method, uri: &Uri) -> Result<Option<Self>, Refusal> {
        let segments: Vec<&str> = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Ok(None),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            _ => (None, rest),
        };
        let (plural, name, status) = match rest {
            [plural] => (*plural, None, false),
            [plural, name] => (*plural, Some(*name), false),
            [plural, name, "status"] => (*plural, Some(*name), true),
            _ => return Ok(None),
        };
        let Some(resource) = Resource::find(group, version, plural) else {
            return Ok(None);
        };
        let query = Query::parse(uri);
        let verb = match (method, name) {
            (&Method::GET, Some(_)) => Verb::Get,
            (&Method::GET, None) if query.watch => Verb::Watch,
            (&Method::GET, None) => Verb::List,
            (&Method::POST, None) => Verb::Create,
            (&Method::PUT, Some(_)) => Verb::Update,
            (&Method::PATCH, Some(_)) => Verb::Patch,
            (&Method::DELETE, Some(_)) => Verb::Delete,
            _ => return Err(Refusal::MethodNotAllowed),
        };
        if status && !resource.names().status {
            return Err(Refusal::NoSuchPath);
        }
        Ok(Some(Self {
            verb,
            resource,
            key: name.map(|name| Key::new(namespace.unwrap_or_default(), name)),
            namespace: namespace.map(str::to_owned),
            status,
            query,
        }))
    }

    /// Name of the only object that is meant, in the path or by a selector. Empty: there may be several.
    pub(super) fn name(&self) -> String {
        let selected = || self.selector().ok()?.name;
        let in_path = self.key.as_ref().map(|key| key.name.clone());
        in_path.or_else(selected).unwrap_or_default()
    }

    /// Which objects are meant.
    pub(super) fn selector(&self) -> Result<Selector, Refusal> {
        Selector::parse(
            self.namespace.clone(),
            self.query.field_selector.as_deref(),
            self.query.label_selector.as_deref(),
        )
    }
}

/// The pairs of a query string, decoded.
pub(super) fn url_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (*first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
                    bytes.push((high * 16 + low) as u8);
                    rest = after;
                } else {
                    bytes.push(b'%');
                }
            }
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_of_one_lease_is_read_with_its_selector() {
        let uri = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?watch=true&fieldSelector=metadata.name%3Dn-1&resourceVersion=7"
            .parse()
            .unwrap();
        let request = Request::parse(&Method::GET, &uri).unwrap().unwrap();
        assert_eq!(request.verb, Verb::Watch);
        assert_eq!(request.query.revision(), Ok(Some(7)));
        assert_eq!(
            request.selector().unwrap().only_key(true),
            Some(Key::new("kube-node-lease", "n-1"))
        );
    }

    #[test]
    fn a_path_the_server_does_not_know_is_no_request() {
        let uri = "/apis/apps/v1/deployments".parse().unwrap();
        assert_eq!(Request::parse(&Method::GET, &uri), Ok(None));
    }
}
