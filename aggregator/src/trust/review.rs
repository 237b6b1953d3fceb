//! Tokens of agents, and what the API server says of them.
//!
//! A pod's projected token names the pod's node, and the API server vouches for it. Its answers are remembered for a while, by a
//! digest of the token and never by the token itself.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{Api, api::PostParams};
use nodegrace_clock::Clock;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use tokio::{sync::Semaphore, time::timeout};
use tonic::Status;

use super::verdict::{self, Verdict};

/// Whom tokens must be made for: one that leaks is of no use with the API server, and one for the API server is of no use here.
pub(super) const AUDIENCE: &str = "nodegrace";

/// For how long a token is taken for good without asking: agents that come back after a break in the network are known.
const GOOD_FOR: Duration = Duration::from_secs(120);
/// For how long a token is taken for bad without asking: what was forbidden may be put right, and nobody should wait for that.
const BAD_FOR: Duration = Duration::from_secs(10);
/// Longest wait for the API server. Real time; half of what an agent waits for its stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tokens remembered: twice the agents of the largest cluster that Kubernetes promises. Each takes some 200 bytes.
const MOST_KNOWN: usize = 10_000;
/// Reviews under way at once: whoever sends tokens of his own making must not make the API server's day.
const MOST_ASKED: usize = 32;

/// Asks an API server whose tokens are: cheap to clone, the same for everything that holds a clone.
#[derive(Clone)]
pub struct Reviewer(Arc<Inner>);

struct Inner {
    client: kube::Client,
    clock: Clock,
    /// The only user whose tokens are believed.
    user: String,
    known: Mutex<HashMap<Digest, Known>>,
    asking: Semaphore,
}

type Digest = [u8; SHA256_OUTPUT_LEN];

/// What was asked about a token, and since when; one question for all who wait for it.
struct Known {
    since: Duration,
    verdict: Shared<BoxFuture<'static, Verdict>>,
}

impl Known {
    /// Whether it need not be asked again.
    fn holds(&self, now: Duration) -> bool {
        let age = now.saturating_sub(self.since);
        match self.verdict.peek() {
            None => true,
            Some(Verdict::Node(_)) => age < GOOD_FOR,
            Some(Verdict::Refused(_)) => age < BAD_FOR,
            // Nobody answered.
            Some(Verdict::Unknown(_)) => false,
        }
    }
}

impl Reviewer {
    /// Has tokens reviewed through `client`, and believes those of one service account: any pod can have a token made for this
    /// audience, and it says truly where that pod is.
    pub fn new(client: kube::Client, clock: Clock, namespace: &str, account: &str) -> Self {
        Self(Arc::new(Inner {
            client,
            clock,
            user: format!("system:serviceaccount:{namespace}:{account}"),
            known: Mutex::default(),
            asking: Semaphore::new(MOST_ASKED),
        }))
    }

    /// The node that a token's pod is on.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for a token of no worth, `UNAVAILABLE` when the API server cannot be asked.
    pub(super) async fn node(&self, token: &str) -> Result<Arc<str>, Status> {
        match self.verdict(token).await {
            Verdict::Node(node) => Ok(node),
            Verdict::Refused(why) => Err(Status::unauthenticated(&*why)),
            Verdict::Unknown(why) => Err(Status::unavailable(&*why)),
        }
    }

    fn verdict(&self, token: &str) -> Shared<BoxFuture<'static, Verdict>> {
        let mut digits = Digest::default();
        digits.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let now = self.0.clock.now();
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = known.get(&digits).filter(|one| one.holds(now)) {
            return one.verdict.clone();
        }
        if known.len() >= MOST_KNOWN {
            known.retain(|_, one| one.holds(now));
            // Whichever it is, a review more is all it costs.
            let any = known.keys().next().copied();
            if let Some(any) = any.filter(|_| known.len() >= MOST_KNOWN) {
                known.remove(&any);
            }
        }
        let (reviewer, token) = (self.clone(), token.to_owned());
        let verdict = async move { reviewer.ask(token).await }.boxed().shared();
        let one = Known {
            since: now,
            verdict: verdict.clone(),
        };
        known.insert(digits, one);
        verdict
    }

    async fn ask(&self, token: String) -> Verdict {
        let Inner { client, user, .. } = &*self.0;
        let review = TokenReview {
            spec: TokenReviewSpec {
                token,
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            ..TokenReview::default()
        };
        let reviews = Api::all(client.clone());
        let asked = timeout(PATIENCE, async {
            let _place = self.0.asking.acquire().await;
            reviews.create(&PostParams::default(), &review).await
        });
        let unknown = |error: &dyn fmt::Display| {
            tracing::debug!(%error, "a token was not reviewed");
            Verdict::Unknown("the API server cannot be asked about tokens now".into())
        };
        match asked.await {
            Ok(Ok(review)) => verdict::of(review.status.unwrap_or_default(), user),
            Ok(Err(error)) => unknown(&error),
            Err(error) => unknown(&error),
        }
    }
}

impl fmt::Debug for Reviewer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Reviewer of {}", self.0.user)
    }
}
