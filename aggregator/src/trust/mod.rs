//! Who is believed: which node an agent may report for, and who may query.

mod agents;
mod api_server;
mod certificate;
mod memory;
mod pod;
mod queries;
mod refusal;
mod verdict;

use std::{sync::Arc, time::Duration};

use hyper::HeaderMap;
use tonic::{Request, Status};

pub use self::{
    agents::Reviewer,
    queries::{AccessReviewer, QueryAuth},
};
pub(crate) use self::{
    memory::Confirmed,
    queries::{Permit, Wanted},
    refusal::Refusal,
};
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
        Self {
            peer: request.extensions().get().cloned(),
            token: bearer(request.metadata().as_ref()).map(str::to_owned),
        }
    }

    /// The only node it may report for now, absent: any; and when that was found.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it shows nothing of worth, `UNAVAILABLE` when nobody can tell now.
    pub(crate) async fn node(&self, parts: &Parts) -> Result<Confirmed<Option<Arc<str>>>, Status> {
        let found_now = |what| Confirmed {
            what,
            at: parts.clock.now(),
        };
        match &parts.config.agent_auth {
            AgentAuth::Nothing => Ok(found_now(None)),
            AgentAuth::Certificate => {
                let chain = self.peer.as_ref().map(|peer| &*peer.certificates);
                let node = certificate::node(chain.unwrap_or_default(), parts)?;
                Ok(found_now(Some(node)))
            }
            AgentAuth::Token(reviewer) => {
                let token = self.token.as_deref();
                let token = token.ok_or_else(|| Status::unauthenticated("no token was shown"))?;
                let Confirmed { what, at } = reviewer.node(token).await?;
                Ok(Confirmed {
                    what: Some(what),
                    at,
                })
            }
        }
    }
}

/// The token that headers show. Absent: none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// When what was found at `confirmed` is to be looked at again, at `now`: what was shown may end, or what it is good for. Streams
/// last for days; what is stolen is of use for at most so long after that, and 5,000 agents ask for eight checks a second.
pub(crate) fn next_check(confirmed: Duration, now: Duration) -> Duration {
    const VALID_FOR: Duration = Duration::from_secs(600);
    (confirmed + VALID_FOR).max(now + memory::PAUSE)
}
