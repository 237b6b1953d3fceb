//! The kinds of objects that the API server keeps, and how each is named on the wire.

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// A node.
    Node,
    /// A Lease; the kubelets' are in [`NODE_LEASE_NAMESPACE`].
    Lease,
    /// A pod.
    Pod,
    /// A Service.
    Service,
    /// The older form of a Service's addresses.
    Endpoints,
    /// A Service's addresses.
    EndpointSlice,
    /// An event, as `kubectl describe` shows them.
    Event,
}

/// The namespace of the kubelets' Leases.
pub const NODE_LEASE_NAMESPACE: &str = "kube-node-lease";

/// How a kind is named on the wire.
#[derive(Debug)]
pub struct Names {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// Lower-case plural, as in paths.
    pub plural: &'static str,
    /// Kind, as in objects.
    pub kind: &'static str,
    /// Names that kubectl accepts besides the plural.
    pub short: &'static [&'static str],
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether there is a status subresource.
    pub status: bool,
}

impl Resource {
    /// Every kind; the position of a kind is its `Resource::index`.
    pub const ALL: [Resource; 7] = [
        Self::Node,
        Self::Lease,
        Self::Pod,
        Self::Service,
        Self::Endpoints,
        Self::EndpointSlice,
        Self::Event,
    ];

    /// Position in [`Resource::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The kind's names.
    pub const fn names(self) -> &'static Names {
        match self {
            Self::Node => &Names {
                group: "",
                version: "v1",
                plural: "nodes",
                kind: "Node",
                short: &["no"],
                namespaced: false,
                status: true,
            },
            Self::Lease => &Names {
                group: "coordination.k8s.io",
                version: "v1",
                plural: "leases",
                kind: "Lease",
                short: &[],
                namespaced: true,
                status: false,
            },
            Self::Pod => &Names {
                group: "",
                version: "v1",
                plural: "pods",
                kind: "Pod",
                short: &["po"],
                namespaced: true,
                status: true,
            },
            Self::Service => &Names {
                group: "",
                version: "v1",
                plural: "services",
                kind: "Service",
                short: &["svc"],
                namespaced: true,
                status: true,
            },
            Self::Endpoints => &Names {
                group: "",
                version: "v1",
                plural: "endpoints",
                kind: "Endpoints",
                short: &["ep"],
                namespaced: true,
                status: false,
            },
            Self::EndpointSlice => &Names {
                group: "discovery.k8s.io",
                version: "v1",
                plural: "endpointslices",
                kind: "EndpointSlice",
                short: &[],
                namespaced: true,
                status: false,
            },
            Self::Event => &Names {
                group: "",
                version: "v1",
                plural: "events",
                kind: "Event",
                short: &["ev"],
                namespaced: true,
                status: false,
            },
        }
    }

    /// The kind at a path, if the server knows it.
    pub fn find(group: &str, version: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| {
            let names = resource.names();
            names.group == group && names.version == version && names.plural == plural
        })
    }

    /// `v1` or `group/version`, as objects carry it.
    pub fn api_version(self) -> String {
        let names = self.names();
        if names.group.is_empty() {
            names.version.to_owned()
        } else {
            format!("{}/{}", names.group, names.version)
        }
    }

    /// `leases.coordination.k8s.io`, as messages name it; the bare plural in the core group.
    pub fn qualified(self) -> String {
        let names = self.names();
        if names.group.is_empty() {
            names.plural.to_owned()
        } else {
            format!("{}.{}", names.plural, names.group)
        }
    }
}
