//! Which object is followed, and how it is asked for: by namespace and name, so that the API server's watch index serves it.

use std::time::Duration;

use http::Request;
use kube::{
    api::{GetParams, ListParams, WatchParams},
    core,
};

use super::refusal::Refusal;

/// Shortest and longest time after which the server ends a watch, in seconds: shorter than the 295 s that kube allows, and
/// different for each agent, so that a cluster's agents do not come back in step.
const WATCH_SECONDS: std::ops::RangeInclusive<u32> = 240..=290;

/// One object of the API server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its kind, for people.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// Whether a cluster may do without its API. None does without Nodes.
    pub(super) optional: bool,
    path: core::Request,
    selector: String,
    watch_seconds: u32,
}

impl Target {
    /// The Node `name`.
    pub(crate) fn node(name: &str) -> Self {
        Self::new("Node", false, "/api/v1/nodes", name)
    }

    /// The Lease of the node `name`.
    pub(crate) fn lease(name: &str) -> Self {
        Self::new(
            "Lease",
            true,
            "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
            name,
        )
    }

    fn new(kind: &'static str, optional: bool, path: &str, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            optional,
            path: core::Request::new(path),
            selector: format!("metadata.name={name}"),
            watch_seconds: rand::random_range(WATCH_SECONDS),
        }
    }

    /// How long the server is asked to let a watch last.
    pub(super) fn watch_time(&self) -> Duration {
        Duration::from_secs(self.watch_seconds.into())
    }

    pub(super) fn list(&self) -> Result<Request<Vec<u8>>, Refusal> {
        let params = ListParams::default().fields(&self.selector);
        self.path
            .list(&params)
            .map_err(|error| Refusal::from_error(&kube::Error::BuildRequest(error)))
    }

    pub(super) fn get(&self, params: &GetParams) -> Result<Request<Vec<u8>>, Refusal> {
        self.path
            .get(&self.name, params)
            .map_err(|error| Refusal::from_error(&kube::Error::BuildRequest(error)))
    }

    /// Whether an error says that there is no such object. One that names no object says that there is no such API.
    pub(super) fn is_missing(&self, error: &kube::Error) -> bool {
        let kube::Error::Api(status) = error else {
            return false;
        };
        let named = status.details.as_ref().map(|details| details.name.as_str());
        status.code == 404 && named == Some(&self.name)
    }

    pub(super) fn watch(&self, version: &str) -> Result<Request<Vec<u8>>, Refusal> {
        let params = WatchParams::default()
            .fields(&self.selector)
            .timeout(self.watch_seconds);
        self.path
            .watch(&params, version)
            .map_err(|error| Refusal::from_error(&kube::Error::BuildRequest(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_object_is_asked_for_by_namespace_and_name() {
        let uri = Target::lease("node-a").list().unwrap().uri().to_string();
        assert_eq!(
            uri,
            "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?&fieldSelector=metadata.name%3Dnode-a"
        );
        let uri = Target::node("node-a")
            .watch("42")
            .unwrap()
            .uri()
            .to_string();
        for part in [
            "watch=true",
            "resourceVersion=42",
            "allowWatchBookmarks=true",
            "timeoutSeconds=2",
        ] {
            assert!(uri.contains(part), "{uri} has {part}");
        }
        assert!(
            !uri.contains("sendInitialEvents"),
            "older etcd cannot serve streaming lists"
        );
    }
}
