//! The guard before whatever shows something of the fleet: who may not see it gets a reason in its place.
//!
//! What is open is listed; every other path is guarded, also one that leads nowhere. So a path that a router and this list read
//! differently is refused.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use tonic::{Status, body::Body as GrpcBody};

use super::{Peer, drain::ending};
use crate::{
    Aggregator,
    aggregator::Parts,
    page,
    trust::{Permit, Refusal, Wanted},
};

/// What is served, and with it what is open and how a refusal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// gRPC: agents show who they are by themselves, and a probe may ask for health.
    Grpc,
    /// HTTP: open for probes, and for the page's files, which show nothing.
    Http,
}

#[derive(Clone)]
struct Guard {
    door: Door,
    parts: Arc<Parts>,
}

impl Aggregator {
    /// These routes, for those only who may see what they show. Routes that are added afterwards are open.
    pub(super) fn guarded(&self, door: Door, routes: Router) -> Router {
        let parts = Arc::clone(&self.parts);
        routes.layer(middleware::from_fn_with_state(Guard { door, parts }, pass))
    }
}

impl Door {
    /// What a path shows. Absent: nothing that is not for everybody.
    fn shows(self, path: &str) -> Option<Wanted> {
        let open = match self {
            Self::Grpc => ["/nodegrace.v1.Ingest/", "/grpc.health.v1.Health/"]
                .iter()
                .any(|service| path.starts_with(service)),
            Self::Http => ["/livez", "/readyz"].contains(&path) || page::is_file(path),
        };
        match self {
            _ if open => None,
            Self::Http if path == "/metrics" => Some(Wanted::Metrics),
            Self::Grpc | Self::Http => Some(Wanted::Fleet),
        }
    }

    /// The refusal of what is at `path`, in the form of the answers there.
    fn refuse(self, path: &str, refusal: Refusal) -> Response {
        if self == Self::Grpc {
            return Status::from(refusal).into_http();
        }
        let (code, more): (_, Option<(HeaderName, &str)>) = match refusal {
            Refusal::Unauthenticated(_) => {
                let how = (header::WWW_AUTHENTICATE, "Bearer realm=\"nodegrace\"");
                (StatusCode::UNAUTHORIZED, Some(how))
            }
            Refusal::Forbidden(_) => (StatusCode::FORBIDDEN, None),
            Refusal::Unknown(_) => {
                let when = (header::RETRY_AFTER, "10");
                (StatusCode::SERVICE_UNAVAILABLE, Some(when))
            }
        };
        let more = more.map(|more| [more]);
        let answer = if page::is_api(path) {
            page::failed(refusal.into())
        } else {
            format!("{}\n", refusal.why()).into_response()
        };
        (code, more, answer).into_response()
    }
}

async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Guard { door, parts } = guard;
    let Some(wanted) = door.shows(request.uri().path()) else {
        return next.run(request).await;
    };
    let peer = request.extensions().get::<Peer>();
    let admitted = parts
        .config
        .query_auth
        .admit(peer, request.headers(), wanted);
    match admitted.await {
        Ok(Some(permit)) if door == Door::Grpc => {
            let end = lasting(permit, Arc::clone(&parts));
            let answer = next.run(request).await;
            answer.map(|body| Body::new(ending(GrpcBody::new(body), end)))
        }
        // What HTTP answers is short.
        Ok(_) => next.run(request).await,
        Err(refusal) => {
            let reason = refusal.why();
            tracing::debug!(?peer, reason, "query refused");
            if let Some(times) = parts.refused.queries.count() {
                tracing::warn!(reason, times, "queries are refused, this was the last");
            }
            door.refuse(request.uri().path(), refusal)
        }
    }
}

/// Looks at a permit again and again; ends with the reason when it lasts no longer.
async fn lasting(mut permit: Permit, parts: Arc<Parts>) -> Status {
    let clock = &parts.clock;
    loop {
        let now = clock.now();
        clock.sleep(permit.due(now).saturating_sub(now)).await;
        if let Err(refusal) = permit.check().await {
            return refusal.into();
        }
    }
}
