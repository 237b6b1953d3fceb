//! Asks the runtime what is asked of the bridge, one call after the other.

use std::{path::PathBuf, sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::cri::{
    ListContainersRequest, ListImagesRequest, ListPodSandboxRequest, VersionRequest,
    VersionResponse, image_service_client::ImageServiceClient,
    runtime_service_client::RuntimeServiceClient,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};
use tonic::{Response, Status, transport::Channel};
use tracing::{info, warn};

use super::{
    Never,
    bare::{self, Containers, Images, Sandboxes},
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
    Sandboxes(Promise<Sandboxes>),
    Containers(Promise<Containers>),
    Images(Promise<Images>),
}

/// A question, and the only place there is for one: it is free again once the runtime has nothing to do.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) question: Question,
    pub(super) place: OwnedSemaphorePermit,
}

/// The runtime.
#[derive(Debug)]
pub(super) struct Runtime {
    calling: RuntimeServiceClient<Channel>,
    images: ImageServiceClient<Channel>,
    calls: Calls,
}

/// How calls are made.
#[derive(Debug)]
struct Calls {
    clock: Clock,
    deadline: Duration,
    conditions: Conditions,
}

/// Whether calls work, each kind by itself: one kind can fail for ever beside others that work.
#[derive(Debug, Default)]
struct Conditions {
    version: Condition,
    sandboxes: Condition,
    containers: Condition,
    images: Condition,
}

/// A call that is made: its name, its condition, and whose turn it is.
struct Call<'a> {
    name: &'static str,
    condition: &'a mut Condition,
    place: OwnedSemaphorePermit,
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
                conditions: Conditions::default(),
            },
        }
    }

    /// Asks for what is `asked`. Whoever waited may be gone: the call goes on, so that nobody can make the runtime begin
    /// again and again.
    pub(super) async fn answer(mut self, mut asked: mpsc::Receiver<Turn>) -> Never {
        let Calls {
            clock,
            deadline,
            conditions,
        } = &mut self.calls;
        let (clock, deadline) = (&*clock, *deadline);
        while let Some(Turn { question, place }) = asked.recv().await {
            let of = |name, condition| Call {
                name,
                condition,
                place,
            };
            match question {
                Question::Version(promise) => {
                    let call = self.calling.version(VersionRequest::default());
                    let call = timed(clock, deadline, call, |told| Ok(bare::version(&told))).await;
                    of("Version", &mut conditions.version).keep(&promise, call);
                }
                Question::Sandboxes(promise) => {
                    let call = self.calling.list_pod_sandbox(ListPodSandboxRequest {});
                    let call = timed(clock, deadline, call, |told| bare::sandboxes(&told)).await;
                    of("ListPodSandbox", &mut conditions.sandboxes).keep(&promise, call);
                }
                Question::Containers(promise) => {
                    let call = self.calling.list_containers(ListContainersRequest {});
                    let call = timed(clock, deadline, call, |told| bare::containers(&told)).await;
                    of("ListContainers", &mut conditions.containers).keep(&promise, call);
                }
                Question::Images(promise) => {
                    let call = self.images.list_images(ListImagesRequest {});
                    let call = timed(clock, deadline, call, |told| bare::images(&told)).await;
                    of("ListImages", &mut conditions.images).keep(&promise, call);
                }
            }
        }
        // Nobody is left to ask: the server has ended, and its end is told by itself.
        std::future::pending().await
    }
}

/// Makes one call. What is left of its answer, how long the runtime took for it and when that ended.
async fn timed<T, Bare>(
    clock: &Clock,
    deadline: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
    strip: impl FnOnce(T) -> Result<Bare, Status>,
) -> Answer<Bare> {
    let start = clock.now();
    let answer = timeout(clock.to_real(deadline), call).await;
    let end = clock.now();
    let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("")));
    Answer {
        outcome: answer.and_then(|answer| strip(answer.into_inner())),
        took: end.saturating_sub(start),
        end,
    }
}

impl Call<'_> {
    /// Leaves the answer for all who wait, a failure without the runtime's words. What is news is logged.
    fn keep<T>(self, promise: &Promise<T>, answer: Answer<T>) {
        let outcome = answer.outcome.map_err(|failed| {
            let told = coded(&failed);
            if self.condition.fails(told.message()) {
                let (code, error) = (told.code(), of_system(&failed));
                warn!(
                    call = self.name,
                    ?code,
                    ?error,
                    "the runtime cannot be asked"
                );
            }
            told
        });
        if outcome.is_ok() && self.condition.works() {
            info!(call = self.name, "the runtime answers again");
        }
        // First the place: who gets this answer may ask the next thing at once.
        drop(self.place);
        promise.send_replace(Some(Arc::new(Answer {
            outcome,
            took: answer.took,
            end: answer.end,
        })));
    }
}
