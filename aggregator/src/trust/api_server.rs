//! The questions about people and pods that the API server is asked.

use std::{fmt, time::Duration};

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus},
    authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus},
    core::v1::Pod,
};
use kube::{Api, api::PostParams};
use nodegrace_clock::Clock;
use tokio::{sync::Semaphore, time::timeout};

use super::Refusal;
use crate::seldom::Seldom;

/// Longest wait for an answer. Real time; with two questions about a token, half of what an agent waits for its stream.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions under way at once: whoever sends tokens of his own making must not make the API server's day.
const MOST_ASKED: usize = 32;

/// The API server, as far as it is asked who is who.
pub(super) struct ApiServer {
    client: kube::Client,
    asking: Semaphore,
    unanswered: Seldom,
}

impl ApiServer {
    pub(super) fn new(client: kube::Client, clock: Clock) -> Self {
        Self {
            client,
            asking: Semaphore::new(MOST_ASKED),
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
        let as_usual = PostParams::default();
        let answer = self.ask(reviews.create(&as_usual, &review)).await?;
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
        let as_usual = PostParams::default();
        let answer = self.ask(reviews.create(&as_usual, &review)).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// A pod. Absent: there is none of that name.
    ///
    /// # Errors
    /// `Unknown` when nobody answers.
    pub(super) async fn pod(&self, namespace: &str, name: &str) -> Result<Option<Pod>, Refusal> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        self.ask(pods.get_opt(name)).await
    }

    async fn ask<T>(&self, question: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
        let asked = timeout(PATIENCE, async {
            let _place = self.asking.acquire().await;
            question.await
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.unanswered(&error)),
            Err(error) => Err(self.unanswered(&error)),
        }
    }

    fn unanswered(&self, error: &dyn fmt::Display) -> Refusal {
        // It may be down, or this aggregator may not ask: only the error tells which.
        if let Some(times) = self.unanswered.happens() {
            tracing::warn!(%error, times, "the API server was asked who somebody is and did not say");
        }
        Refusal::Unknown("the API server cannot be asked about tokens now".into())
    }
}
