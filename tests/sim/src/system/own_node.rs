//! What agents may do that read the API server as their own nodes, as `deploy/components/own-node` grants it.

use nodegrace_sim_cluster::{
    Cluster,
    api::{API_AUDIENCE, Access, Account, NODE_LEASE_NAMESPACE, Permission, Resource},
};

/// The agents' account.
pub const AGENT: &str = "system:serviceaccount:nodegrace:nodegrace-agent";

/// What lets every node's agent do what it needs with a token of its own, and nothing else. Whoever shows no token may do
/// everything: that are the kubelets and the controller.
pub fn access(cluster: &Cluster) -> Access {
    let on = |verb: &str| format!("impersonate-on:associated-node:{verb}");
    let nodes = Permission::new(&[&on("list"), &on("watch")], Resource::Node);
    let leases = Permission::new(&[&on("get")], Resource::Lease).within(NODE_LEASE_NAMESPACE);
    let itself = ["impersonate:associated-node"];
    let itself = Permission::on(&itself, "authentication.k8s.io", "nodes");
    let access = Access::default()
        .permit(AGENT, nodes)
        .permit(AGENT, leases)
        .permit(AGENT, itself);
    let names = cluster.nodes().iter().map(|node| &node.spec().name);
    names.fold(access, |access, node| {
        access.with_account(&token(node), account(node))
    })
}

/// The token of a node's agent.
pub fn token(node: &str) -> String {
    format!("agent-on-{node}")
}

/// Whose that token is: bound to the node.
pub fn account(node: &str) -> Account {
    let bound = ("authentication.kubernetes.io/node-name".into(), node.into());
    Account {
        name: ("nodegrace".into(), "nodegrace-agent".into()),
        audiences: vec![API_AUDIENCE.into()],
        extra: [bound].into(),
        expires: None,
    }
}
