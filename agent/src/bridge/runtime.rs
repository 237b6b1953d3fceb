//! Asks the runtime what is asked of the bridge, one call after the other.

use std::{path::PathBuf, sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::cri::{
    ListContainersRequest, ListContainersResponse, ListImagesRequest, ListImagesResponse,
    ListPodSandboxRequest, ListPodSandboxResponse, VersionRequest, VersionResponse,
    image_service_client::ImageServiceClient, runtime_service_client::RuntimeServiceClient,
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Response, Status, transport::Channel};
use tracing::{info, warn};

use super::{
    Never, bare,
    error::{coded, of_system},
    line::{Answer, Promise},
};
use crate::{
    condition::Condition,
    cri::{LARGEST_ANSWER, channel},
};

/// What can be asked, and where the answer goes.
#[derive(Debug)]
pub(super) enum Question {
    Version(Promise<VersionResponse>),
    Sandboxes(Promise<ListPodSandboxResponse>),
    Containers(Promise<ListContainersResponse>),
    Images(Promise<ListImagesResponse>),
}

/// The runtime.
#[derive(Debug)]
pub(super) struct Runtime {
    calling: RuntimeServiceClient<Channel>,
    images: ImageServiceClient<Channel>,
    calls: Calls,
}

/// Calls, their times and what was said of them.
#[derive(Debug)]
struct Calls {
    clock: Clock,
    deadline: Duration,
    condition: Condition,
}

impl Runtime {
    /// The runtime behind `socket`, of which no call may take longer than `deadline`.
    pub(super) fn new(socket: PathBuf, clock: Clock, deadline: Duration) -> Self {
        let channel = channel(socket);
        Self {
            calling: RuntimeServiceClient::new(channel.clone())
                .max_decoding_message_size(LARGEST_ANSWER),
            images: ImageServiceClient::new(channel).max_decoding_message_size(LARGEST_ANSWER),
            calls: Calls {
                clock,
                deadline,
                condition: Condition::default(),
            },
        }
    }

    /// Asks for what is `asked`. Whoever waited may be gone: the call goes on, so that nobody can make the runtime begin
    /// again and again.
    pub(super) async fn answer(mut self, mut asked: mpsc::Receiver<Question>) -> Never {
        let calls = &mut self.calls;
        while let Some(question) = asked.recv().await {
            match question {
                Question::Version(promise) => {
                    let call = self.calling.version(VersionRequest::default());
                    calls
                        .make(promise, call, |told| Ok(bare::version(&told)))
                        .await;
                }
                Question::Sandboxes(promise) => {
                    let call = self.calling.list_pod_sandbox(ListPodSandboxRequest {});
                    calls
                        .make(promise, call, |told| bare::sandboxes(&told))
                        .await;
                }
                Question::Containers(promise) => {
                    let call = self.calling.list_containers(ListContainersRequest {});
                    calls
                        .make(promise, call, |told| bare::containers(&told))
                        .await;
                }
                Question::Images(promise) => {
                    let call = self.images.list_images(ListImagesRequest {});
                    calls.make(promise, call, |told| bare::images(&told)).await;
                }
            }
        }
        // Nobody is left to ask: the server has ended, and its end is told by itself.
        std::future::pending().await
    }
}

impl Calls {
    /// Makes one call and leaves what is bare of its answer.
    async fn make<T>(
        &mut self,
        promise: Promise<T>,
        call: impl Future<Output = Result<Response<T>, Status>>,
        strip: impl FnOnce(T) -> Result<T, Status>,
    ) {
        let start = self.clock.now();
        let answer = timeout(self.clock.to_real(self.deadline), call).await;
        let took = self.clock.now().saturating_sub(start);
        let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("")));
        let outcome = answer.and_then(|answer| strip(answer.into_inner()));
        let outcome = outcome.map_err(|failed| self.failed(&failed));
        if outcome.is_ok() && self.condition.works() {
            info!("the runtime answers again");
        }
        promise.send_replace(Some(Arc::new(Answer { outcome, took })));
    }

    /// The failure that is told, which is logged when it is news.
    fn failed(&mut self, failed: &Status) -> Status {
        let told = coded(failed);
        if self.condition.fails(told.message()) {
            let (code, error) = (told.code(), of_system(failed));
            warn!(?code, ?error, "the runtime cannot be asked");
        }
        told
    }
}
