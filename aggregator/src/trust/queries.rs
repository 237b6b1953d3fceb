//! Who may ask: tokens of people and programs, and what RBAC lets them see.

use std::{fmt, sync::Arc, time::Duration};

use hyper::HeaderMap;
use k8s_openapi::api::{
    authentication::v1::UserInfo,
    authorization::v1::{NonResourceAttributes, ResourceAttributes, SubjectAccessReviewSpec},
};
use nodegrace_clock::Clock;

use super::{Refusal, agents::AUDIENCE, api_server::ApiServer, bearer, memory::Memory, next_check};
use crate::serve::Peer;

/// Group and resource of what is asked about: there is no such object, only the right to `get` it.
const GROUP: &str = "nodegrace.io";
const RESOURCE: &str = "fleet";
/// Where metrics are, for a role that allows its path: every Prometheus has one.
const METRICS: &str = "/metrics";

/// Who may query.
#[derive(Clone, Debug, Default)]
pub enum QueryAuth {
    /// Whoever reaches the port.
    #[default]
    Nothing,
    /// Whoever comes from the loopback of the pod, as `kubectl port-forward` does, and others by their tokens.
    BeyondLoopback(AccessReviewer),
    /// Whoever shows a token of somebody who may.
    Token(AccessReviewer),
}

/// What somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What is known of nodes.
    Fleet,
    /// Metrics: fewer rights will do.
    Metrics,
}

/// Asks an API server who may query: cheap to clone, the same for everything that holds a clone.
#[derive(Clone)]
pub struct AccessReviewer(Arc<Inner>);

struct Inner {
    api_server: ApiServer,
    fleet: Memory<()>,
    metrics: Memory<()>,
}

/// A permit to see something, as long as it lasts.
pub(crate) struct Permit {
    reviewer: AccessReviewer,
    token: String,
    wanted: Wanted,
    /// When it was found right last, on the aggregator's clock.
    granted: Duration,
}

impl QueryAuth {
    /// Whether somebody at `peer` may see what is wanted, by what the request's `headers` show. Absent: they need not ask, now or
    /// later.
    ///
    /// # Errors
    /// When they show nothing of worth, may not, or nobody can tell.
    pub(crate) async fn admit(
        &self,
        peer: Option<&Peer>,
        headers: &HeaderMap,
        wanted: Wanted,
    ) -> Result<Option<Permit>, Refusal> {
        let reviewer = match self {
            Self::Nothing => return Ok(None),
            Self::BeyondLoopback(_) if peer.is_some_and(Peer::is_loopback) && is_local(headers) => {
                return Ok(None);
            }
            Self::BeyondLoopback(reviewer) | Self::Token(reviewer) => reviewer,
        };
        let token = bearer(headers).ok_or_else(|| {
            Refusal::unauthenticated("no token was shown: authorization must be Bearer TOKEN")
        })?;
        let mut permit = Permit {
            reviewer: reviewer.clone(),
            token: token.to_owned(),
            wanted,
            granted: Duration::ZERO,
        };
        permit.check().await?;
        Ok(Some(permit))
    }
}

/// Whether a request that comes from loopback is meant for it. A browser that was given another name for it asks for somebody
/// else, who is to show a token as others do. gRPC, which browsers do not speak, names no host here.
fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get("host") else {
        return true;
    };
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

impl Permit {
    /// Checks that it still lasts.
    ///
    /// # Errors
    /// When it does not, or when nobody could tell for too long.
    pub(crate) async fn check(&mut self) -> Result<(), Refusal> {
        let Self {
            reviewer,
            token,
            wanted,
            ..
        } = self;
        let memory = match wanted {
            Wanted::Fleet => &reviewer.0.fleet,
            Wanted::Metrics => &reviewer.0.metrics,
        };
        let (asking, shown, wanted) = (reviewer.clone(), token.clone(), *wanted);
        let ask = async move { asking.ask(&shown, wanted).await };
        self.granted = memory.recall(token, ask).await?.at;
        Ok(())
    }

    /// When it is to be checked again, at `now`.
    pub(crate) fn due(&self, now: Duration) -> Duration {
        next_check(self.granted, now)
    }
}

impl AccessReviewer {
    /// Has tokens and rights reviewed through `client`.
    pub fn new(client: kube::Client, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            api_server: ApiServer::new(client, clock.clone()),
            fleet: Memory::new(clock.clone()),
            metrics: Memory::new(clock),
        }))
    }

    async fn ask(&self, token: &str, wanted: Wanted) -> Result<(), Refusal> {
        let user = self.user(token).await?;
        let name = user.username.clone().unwrap_or_default();
        let of_user = SubjectAccessReviewSpec {
            user: user.username,
            uid: user.uid,
            groups: user.groups,
            extra: user.extra,
            ..SubjectAccessReviewSpec::default()
        };
        let path = (wanted == Wanted::Metrics).then(|| SubjectAccessReviewSpec {
            non_resource_attributes: Some(NonResourceAttributes {
                path: Some(METRICS.to_owned()),
                verb: Some("get".to_owned()),
            }),
            ..of_user.clone()
        });
        let fleet = SubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                resource: Some(RESOURCE.to_owned()),
                verb: Some("get".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..of_user
        };
        let mut reasons = Vec::new();
        for question in path.into_iter().chain([fleet]) {
            let status = self.0.api_server.may(question).await?;
            if status.allowed && status.denied != Some(true) {
                return Ok(());
            }
            reasons.extend(
                [status.reason, status.evaluation_error]
                    .into_iter()
                    .flatten(),
            );
        }
        reasons.retain(|reason| !reason.is_empty());
        let more = if reasons.is_empty() {
            String::new()
        } else {
            format!(" ({})", reasons.join("; "))
        };
        let or = match wanted {
            Wanted::Fleet => "",
            Wanted::Metrics => ", nor the path /metrics",
        };
        Err(Refusal::Forbidden(
            format!("{name} may not get {RESOURCE}.{GROUP}{or}{more}").into(),
        ))
    }

    /// Whose a token is: one for the API server, as people have them, or one for this audience, which is of no use elsewhere.
    async fn user(&self, token: &str) -> Result<UserInfo, Refusal> {
        let mut errors = Vec::new();
        for audience in [None, Some(AUDIENCE)] {
            let status = self.0.api_server.whose(token, audience).await?;
            let audiences = status.audiences.unwrap_or_default();
            // An API server that knows no audiences names none and has not checked any.
            let checked =
                audience.is_none_or(|audience| audiences.iter().any(|one| one == audience));
            if status.authenticated == Some(true) && checked {
                return Ok(status.user.unwrap_or_default());
            }
            errors.push(status.error.unwrap_or_default());
        }
        Err(Refusal::unauthenticated(format!(
            "the token is not valid: {}; for the audience {AUDIENCE}: {}",
            errors[0], errors[1]
        )))
    }
}

impl fmt::Debug for AccessReviewer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessReviewer")
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::SocketAddr, time::UNIX_EPOCH};

    use hyper::{Request, Response};
    use kube::client::Body;

    use super::*;

    /// Somebody at `address` asks for `host` without a token.
    async fn is_asked_for_a_token(address: &str, host: &str) -> bool {
        let nobody = tower::service_fn(async |_: Request<Body>| {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let clock = Clock::scaled(1.0, UNIX_EPOCH);
        let reviewer = AccessReviewer::new(kube::Client::new(nobody, "default"), clock);
        let auth = QueryAuth::BeyondLoopback(reviewer);
        let address: SocketAddr = address.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        let peer = Peer::at(address);
        match auth.admit(Some(&peer), &headers, Wanted::Fleet).await {
            Ok(permit) => permit.is_some(),
            Err(refusal) => {
                assert!(matches!(refusal, Refusal::Unauthenticated(_)));
                true
            }
        }
    }

    #[tokio::test]
    async fn whoever_comes_through_a_forwarded_port_need_not_show_a_token_and_others_must() {
        for near in [
            "127.0.0.1:1",
            "127.0.0.2:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(
                !is_asked_for_a_token(near, "localhost:4851").await,
                "{near}"
            );
            assert!(is_asked_for_a_token(near, "evil.example").await, "{near}");
        }
        for far in [
            "10.0.0.1:1",
            "[::ffff:10.0.0.1]:1",
            "[fe80::1]:1",
            "0.0.0.0:1",
        ] {
            assert!(is_asked_for_a_token(far, "localhost:4851").await, "{far}");
        }
    }

    #[test]
    fn a_browser_that_was_given_another_name_for_loopback_is_no_local_one() {
        let local = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            is_local(&headers)
        };
        assert!(is_local(&HeaderMap::new()));
        for host in [
            "localhost:4851",
            "LocalHost",
            "127.0.0.1:4851",
            "[::1]:4851",
            "[::1]",
        ] {
            assert!(local(host), "{host}");
        }
        for host in [
            "",
            "evil.example:4851",
            "localhost.evil.example",
            "127.0.0.1.evil",
            "a:b",
        ] {
            assert!(!local(host), "{host}");
        }
    }
}
