//! The questions about people and pods that the API server is asked.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus},
    authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus},
    core::v1::Pod,
};
use kube::{Api, api::PostParams};
use nodegrace_clock::Clock;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::Refusal;
use crate::seldom::Seldom;

/// Longest wait for an answer. Real time; with two questions about a token, half of what an agent waits for its stream.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions under way at once: whoever sends tokens of his own making must not make the API server's day.
const MOST_ASKED: usize = 32;

/// The API server, as far as it is asked who is who.
pub(super) struct ApiServer {
    client: kube::Client,
    asking: Arc<Semaphore>,
    unanswered: Seldom,
}

impl ApiServer {
    pub(super) fn new(client: kube::Client, clock: Clock) -> Self {
        Self {
            client,
            asking: Arc::new(Semaphore::new(MOST_ASKED)),
            unanswered: Seldom::new(clock),
        }
    }

    /// Whose a token is. Without an audience it must be one for the API server itself.
    ///
    /// # Errors
    /// `Unknown` when nobody answers.
    pub(super) async fn whose(
        &self,
        token: &str,
        audience: Option<&str>,
    ) -> Result<TokenReviewStatus, Refusal> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                audiences: audience.map(|audience| vec![audience.to_owned()]),
            },
            ..TokenReview::default()
        };
        let reviews = Api::all(self.client.clone());
        let create = async move { reviews.create(&PostParams::default(), &review).await };
        let answer = self.ask(create).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// Whether somebody may do something.
    ///
    /// # Errors
    /// `Unknown` when nobody answers.
    pub(super) async fn may(
        &self,
        spec: SubjectAccessReviewSpec,
    ) -> Result<SubjectAccessReviewStatus, Refusal> {
        let review = SubjectAccessReview {
            spec,
            ..SubjectAccessReview::default()
        };
        let reviews = Api::all(self.client.clone());
        let create = async move { reviews.create(&PostParams::default(), &review).await };
        let answer = self.ask(create).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// A pod. Absent: there is none of that name.
    ///
    /// # Errors
    /// `Unknown` when nobody answers.
    pub(super) async fn pod(&self, namespace: &str, name: &str) -> Result<Option<Pod>, Refusal> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let name = name.to_owned();
        self.ask(async move { pods.get_opt(&name).await }).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = kube::Result<T>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.answer(question).await.map_err(|error| {
            // It may be down, or this aggregator may not ask: only the error tells which.
            if let Some(times) = self.unanswered.happens() {
                tracing::warn!(%error, times, "the API server was asked who somebody is and did not say");
            }
            Refusal::Unknown("the API server cannot be asked about tokens now".into())
        })
    }

    /// Asks in turn. A question that was put keeps its place until it is answered or late, whoever waits for it still: a peer that
    /// goes at once, again and again, has no more questions put than one that stays. Whoever goes before that leaves the queue.
    async fn answer<T: Send + 'static>(
        &self,
        question: impl Future<Output = kube::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let until = Instant::now() + PATIENCE;
        let place = timeout_at(until, Arc::clone(&self.asking).acquire_owned()).await??;
        let answer = tokio::spawn(async move {
            let _place = place;
            timeout_at(until, question).await
        });
        Ok(answer.await???)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::pending, time::UNIX_EPOCH};

    use futures::FutureExt as _;
    use hyper::{Request, Response};
    use kube::client::Body;
    use tokio::time::advance;

    use super::*;
    use crate::trust::memory::Memory;

    /// An API server that never answers about tokens that are made up, and tells of another one that it is somebody's.
    fn slow_about_what_is_made_up() -> Arc<ApiServer> {
        let service = tower::service_fn(async |request: Request<Body>| {
            let review = request.into_body().collect_bytes().await.unwrap();
            if String::from_utf8_lossy(&review).contains("made up") {
                pending::<()>().await;
            }
            let known = br#"{"metadata": {}, "spec": {}, "status": {"authenticated": true}}"#;
            Ok::<_, Infallible>(Response::new(Body::from(known.to_vec())))
        });
        let client = kube::Client::new(service, "default");
        Arc::new(ApiServer::new(client, Clock::scaled(1.0, UNIX_EPOCH)))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_before_the_answer_keeps_nobody_else_from_asking() {
        let api_server = slow_about_what_is_made_up();
        let memory = Memory::new(Clock::scaled(1.0, UNIX_EPOCH));
        let ask = |token: String| {
            let api_server = Arc::clone(&api_server);
            memory.recall(&token.clone(), async move {
                api_server.whose(&token, None).await
            })
        };
        for number in 0..3 * MOST_ASKED {
            let cut_off = ask(format!("made up {number}")).now_or_never();
            assert!(cut_off.is_none());
        }
        tokio::task::yield_now().await;
        assert_eq!(api_server.asking.available_permits(), 0);
        advance(PATIENCE / 2).await;
        let status = ask("somebody's".to_owned()).await.unwrap().what;
        assert_eq!(status.authenticated, Some(true));
        assert_eq!(api_server.asking.available_permits(), MOST_ASKED);
    }
}
