//! How all objects of a kind are asked for.

use http::Request;
use rand::Rng as _;

use super::object::Object;

/// Objects of one page: some megabytes of Nodes, which carry their images.
const PAGE: u32 = 500;
/// Shortest and longest time after which the server ends a watch, in seconds: as client-go asks, so that several replicas do not
/// come back in step.
const WATCH_SECONDS: std::ops::RangeInclusive<u32> = 300..=600;

/// A page of the list, from where `next` says.
pub(super) fn page<O: Object>(next: &str) -> http::Result<Request<Vec<u8>>> {
    let next = if next.is_empty() {
        String::new()
    } else {
        format!("&continue={}", escaped(next))
    };
    get(&format!("{}?limit={PAGE}{next}", O::PATH))
}

/// A streaming list: everything as events, a bookmark that says so, and then changes.
pub(super) fn streaming_list<O: Object>() -> http::Result<Request<Vec<u8>>> {
    get(&format!(
        "{}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds={}",
        O::PATH,
        watch_seconds()
    ))
}

/// Changes from `version` on.
pub(super) fn watch<O: Object>(version: &str) -> http::Result<Request<Vec<u8>>> {
    get(&format!(
        "{}?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
        O::PATH,
        escaped(version),
        watch_seconds()
    ))
}

fn watch_seconds() -> u32 {
    rand::rng().random_range(WATCH_SECONDS)
}

fn get(path: &str) -> http::Result<Request<Vec<u8>>> {
    Request::get(path).body(Vec::new())
}

/// What stands for itself nowhere in a query stands as its bytes: tokens of lists may hold anything.
fn escaped(value: &str) -> String {
    value
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::object::EndpointSlice, *};

    #[test]
    fn a_token_of_any_kind_is_sent_back_as_it_came() {
        let request = page::<EndpointSlice>("a/b+c==&é").expect("a request");
        assert_eq!(
            request.uri(),
            "/apis/discovery.k8s.io/v1/endpointslices?limit=500&continue=a%2Fb%2Bc%3D%3D%26%C3%A9"
        );
    }
}
