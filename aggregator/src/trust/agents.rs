//! Tokens of agents, and the nodes they are on.
//!
//! A pod's projected token names the pod's node, and the API server vouches for it. Where it does not name it, the pod can be
//! looked up.

use std::{fmt, sync::Arc};

use nodegrace_clock::Clock;

use super::{
    Refusal,
    api_server::ApiServer,
    memory::{Confirmed, Memory},
    pod,
    verdict::{self, Place},
};

/// Whom tokens must be made for: one that leaks is of no use with the API server, and one for the API server is of no use here.
pub(super) const AUDIENCE: &str = "nodegrace";

/// Asks an API server on which nodes the pods are whose tokens agents show: cheap to clone, the same for everything that holds a
/// clone.
#[derive(Clone)]
pub struct Reviewer {
    shared: Arc<Shared>,
    /// Whether pods are looked up that their tokens name, and no node with them.
    pod_lookup: bool,
}

struct Shared {
    api_server: ApiServer,
    memory: Memory<Arc<str>>,
    /// The namespace of the only service account whose tokens are believed.
    namespace: String,
    /// The account as a user.
    user: String,
}

impl Reviewer {
    /// Has tokens reviewed through `client`, and believes those of one service account: any pod can have a token made for this
    /// audience, and it says truly where that pod is.
    pub fn new(client: kube::Client, clock: Clock, namespace: &str, account: &str) -> Self {
        Self {
            shared: Arc::new(Shared {
                api_server: ApiServer::new(client, clock.clone()),
                memory: Memory::new(clock),
                namespace: namespace.to_owned(),
                user: format!("system:serviceaccount:{namespace}:{account}"),
            }),
            pod_lookup: false,
        }
    }

    /// The same, which asks for the pod where a token names a pod and no node, as before Kubernetes 1.30.
    #[must_use]
    pub fn with_pod_lookup(self) -> Self {
        Self {
            pod_lookup: true,
            ..self
        }
    }

    /// The node that a token's pod is on.
    ///
    /// # Errors
    /// For a token of no worth, and when the API server cannot be asked.
    pub(super) async fn node(&self, token: &str) -> Result<Confirmed<Arc<str>>, Refusal> {
        let (reviewer, shown) = (self.clone(), token.to_owned());
        let ask = async move { reviewer.ask(&shown).await };
        self.shared.memory.recall(token, ask).await
    }

    async fn ask(&self, token: &str) -> Result<Arc<str>, Refusal> {
        let Shared {
            api_server,
            namespace,
            user,
            ..
        } = &*self.shared;
        let review = api_server.whose(token, Some(AUDIENCE)).await?;
        match verdict::of(review, user)? {
            Place::Node(node) => Ok(node),
            Place::Pod(named) if self.pod_lookup => {
                let found = api_server.pod(namespace, &named.name).await?;
                pod::node(&named, found)
            }
            Place::Pod(named) => Err(Refusal::unauthenticated(format!(
                "the API server says that the token is of pod {} and not on which node that is, as before Kubernetes 1.30: an \
                 aggregator with --agent-pod-lookup asks",
                named.name
            ))),
        }
    }
}

impl fmt::Debug for Reviewer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lookup = if self.pod_lookup { " and pods" } else { "" };
        write!(formatter, "Reviewer of {}{lookup}", self.shared.user)
    }
}
