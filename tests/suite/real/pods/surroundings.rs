//! What a pod finds around it and a manifest only refers to. This is all that is not as in a cluster: the addresses are those of
//! this machine's loopback interface, and Secrets and tokens are made here.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde_json::Value;

/// The node, its names, and what is kept for its pods.
pub(super) struct Surroundings {
    /// Name of the node.
    pub(super) node: &'static str,
    /// The API server, which every pod is told by its environment.
    pub(super) api_server: SocketAddr,
    /// Its authority, in PEM.
    pub(super) api_authority: String,
    /// Secrets by name, with their keys.
    pub(super) secrets: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    /// Where the container runtime has its socket: a node's own is at [`Surroundings::RUNTIME`].
    pub(super) runtime: PathBuf,
}

impl Surroundings {
    /// The names that a cluster's DNS knows, as an /etc/hosts: the Service's only pod is here.
    pub(super) const HOSTS: &'static str = "127.0.0.1 nodegrace-ingest.nodegrace.svc\n";

    /// The node's address.
    pub(super) const HOST_IP: &'static str = "127.0.0.1";

    /// Where nodes have the folder of their container runtime.
    const RUNTIME: &'static str = "/run/containerd";

    /// A path of the node's.
    pub(super) fn on_host(&self, path: &str) -> PathBuf {
        if path == Self::RUNTIME {
            return self.runtime.clone();
        }
        path.into()
    }

    /// A field of the pod or its node.
    pub(super) fn field(&self, path: &str) -> String {
        match path {
            "spec.nodeName" => self.node.to_owned(),
            "status.hostIP" => Self::HOST_IP.to_owned(),
            other => panic!("a pod's field {other}, which no test knows"),
        }
    }

    /// The token of a service account for an audience; none: for the API server.
    pub(super) fn token(account: &str, audience: Option<&str>) -> String {
        format!("{account} for {}", audience.unwrap_or("the API server"))
    }

    /// The environment of a container: what it asks for, and where the API server is.
    pub(super) fn environment(&self, container: &Value) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::from([
            (
                "KUBERNETES_SERVICE_HOST".to_owned(),
                self.api_server.ip().to_string(),
            ),
            (
                "KUBERNETES_SERVICE_PORT".to_owned(),
                self.api_server.port().to_string(),
            ),
        ]);
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default();
            let field = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str();
            let value = match (variable["value"].as_str(), field) {
                (Some(value), _) => value.to_owned(),
                (None, Some(field)) => self.field(field),
                (None, None) => panic!("no value of {name}"),
            };
            environment.insert(name.to_owned(), value);
        }
        environment
    }
}
