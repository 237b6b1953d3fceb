//! Who is believed: which node an agent may report for.

mod certificate;
mod review;
mod verdict;

use std::sync::Arc;

use tonic::{Request, Status};

pub use self::review::Reviewer;
use crate::{aggregator::Parts, serve::Peer};

/// How agents show which node they are on.
#[derive(Clone, Debug, Default)]
pub enum AgentAuth {
    /// They need not: whoever reaches the port can report for every node.
    #[default]
    Nothing,
    /// By a client certificate that names it: [`Tls`](crate::Tls) has the authorities.
    Certificate,
    /// By a token of their pod's, which an API server knows.
    Token(Reviewer),
}

/// What an agent shows with a stream.
pub(crate) struct Shown {
    peer: Option<Peer>,
    token: Option<String>,
}

impl Shown {
    /// What a request shows.
    pub(crate) fn with<T>(request: &Request<T>) -> Self {
        let token = request.metadata().get("authorization");
        let token = token.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        Self {
            peer: request.extensions().get().cloned(),
            token: token.map(str::to_owned),
        }
    }

    /// The only node it may report for now. Absent: any.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it shows nothing of worth, `UNAVAILABLE` when nobody can tell now.
    pub(crate) async fn node(&self, parts: &Parts) -> Result<Option<Arc<str>>, Status> {
        match &parts.config.agent_auth {
            AgentAuth::Nothing => Ok(None),
            AgentAuth::Certificate => {
                let chain = self.peer.as_ref().map(|peer| &*peer.certificates);
                certificate::node(chain.unwrap_or_default(), parts).map(Some)
            }
            AgentAuth::Token(reviewer) => {
                let token = self.token.as_deref().filter(|token| !token.is_empty());
                let token = token.ok_or_else(|| Status::unauthenticated("no token was shown"))?;
                reviewer.node(token).await.map(Some)
            }
        }
    }
}
