//! The container runtime over its CRI socket: what it holds, and how long each call takes.
//!
//! The calls go one after the other, each with a deadline: a runtime that struggles must not struggle more because it is
//! watched. Only listing calls are ever made.

use std::{path::PathBuf, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::{
    cri::{
        ContainerState, ListContainersRequest, ListContainersResponse, ListImagesRequest,
        ListImagesResponse, ListPodSandboxRequest, ListPodSandboxResponse, PodSandboxState,
        VersionRequest, image_service_client::ImageServiceClient,
        runtime_service_client::RuntimeServiceClient,
    },
    v1::{Runtime, RuntimeCall},
};
use tokio::time::timeout;
use tonic::{Code, Response, Status, metadata::MetadataMap, transport::Channel};

use super::{Missing, Reading, slot::Slot};
use crate::{
    cri::{LARGEST_ANSWER, NOT_ASKED, TOOK, channel},
    wire,
};

/// Asks one runtime.
#[derive(Debug)]
pub(super) struct RuntimeClient {
    runtime: RuntimeServiceClient<Channel>,
    images: ImageServiceClient<Channel>,
    clock: Clock,
    deadline: Duration,
    /// Name and version, once told.
    identity: Option<(String, String)>,
    /// True once it was seen that it is the bridge (`bridge`) that answers.
    bridged: bool,
}

/// A round of calls, one after the other.
struct Round<'a> {
    clock: &'a Clock,
    deadline: Duration,
    slot: &'a Slot<Runtime>,
    calls: Vec<RuntimeCall>,
    /// True once a call was not answered in time.
    stuck: bool,
    bridged: &'a mut bool,
    /// Why the runtime was not asked, the first time that it was not.
    not_asked: Option<String>,
}

impl RuntimeClient {
    /// A client of the runtime behind `socket` that connects when it is first used, and again when it has to.
    pub(super) fn new(socket: PathBuf, clock: Clock, deadline: Duration) -> Self {
        let channel = channel(socket);
        Self {
            runtime: RuntimeServiceClient::new(channel.clone())
                .max_decoding_message_size(LARGEST_ANSWER),
            images: ImageServiceClient::new(channel).max_decoding_message_size(LARGEST_ANSWER),
            clock,
            deadline,
            identity: None,
            bridged: false,
        }
    }

    /// Asks for everything once. A call that fails leaves its counts unknown and the others alone, but after one that is not
    /// answered in time the runtime is left in peace. See [`answered`] for whether any of them was.
    ///
    /// # Errors
    /// When not a single call got as far as the runtime: the bridge to it is gone, or busy.
    pub(super) async fn ask(&mut self, slot: &Slot<Runtime>) -> Reading<Runtime> {
        let mut round = Round {
            clock: &self.clock,
            deadline: self.deadline,
            slot,
            calls: Vec::with_capacity(4),
            stuck: false,
            bridged: &mut self.bridged,
            not_asked: None,
        };
        let mut seen = Runtime::default();
        if self.identity.is_none() {
            let version = round
                .call("Version", self.runtime.version(VersionRequest::default()))
                .await;
            self.identity = version.map(|version| (version.runtime_name, version.runtime_version));
        }
        (seen.runtime_name, seen.runtime_version) = self.identity.clone().unwrap_or_default();
        if let Some(list) = round
            .call(
                "ListPodSandbox",
                self.runtime.list_pod_sandbox(ListPodSandboxRequest {}),
            )
            .await
        {
            count_sandboxes(&list, &mut seen);
        }
        if let Some(list) = round
            .call(
                "ListContainers",
                self.runtime.list_containers(ListContainersRequest {}),
            )
            .await
        {
            count_containers(&list, &mut seen);
        }
        if let Some(list) = round
            .call("ListImages", self.images.list_images(ListImagesRequest {}))
            .await
        {
            count_images(&list, &mut seen);
        }
        if round.calls.is_empty()
            && let Some(reason) = round.not_asked
        {
            return Err(Missing::Failed(reason));
        }
        seen.calls = round.calls;
        if answered(&seen).is_err() {
            // Whoever answers next may be another version.
            self.identity = None;
        }
        Ok(seen)
    }
}

/// Whether the runtime answered any call of a round; if not, why the first one failed.
pub(super) fn answered(runtime: &Runtime) -> Reading<()> {
    match &runtime.calls[..] {
        [first, ..] if runtime.calls.iter().all(|call| !call.error.is_empty()) => Err(
            Missing::Failed(format!("{}: {}", first.method, first.error)),
        ),
        _ => Ok(()),
    }
}

impl Round<'_> {
    async fn call<T>(
        &mut self,
        method: &'static str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Option<T> {
        if self.stuck {
            return None;
        }
        let start = self.clock.now();
        self.slot.wait(method, start);
        let answer = timeout(self.clock.to_real(self.deadline), call).await;
        let waited = self.clock.now().saturating_sub(start);
        let told = match &answer {
            Ok(Ok(answer)) => took(answer.metadata()),
            Ok(Err(status)) => took(status.metadata()),
            Err(_) => None,
        };
        *self.bridged |= told.is_some();
        let (answer, error) = match answer {
            Ok(Ok(answer)) => (Some(answer.into_inner()), String::new()),
            Ok(Err(status)) => {
                let error = wire::status_line(&status);
                if self.is_of_the_bridge(&status, told) {
                    self.not_asked
                        .get_or_insert_with(|| format!("{method}: {error}"));
                    return None;
                }
                // The deadline was the bridge's, which has waited for a call that somebody made before.
                self.stuck = status.code() == Code::DeadlineExceeded;
                (None, error)
            }
            Err(_) => {
                self.stuck = true;
                let deadline = self.deadline.as_secs_f64();
                (None, format!("no answer within {deadline} s"))
            }
        };
        self.calls.push(RuntimeCall {
            method: method.into(),
            took: Some(wire::duration(told.unwrap_or(waited))),
            error: wire::clip(error),
        });
        answer
    }

    /// Whether a failure says nothing of the runtime: it was not asked, or the bridge cannot be reached.
    fn is_of_the_bridge(&self, status: &Status, told: Option<Duration>) -> bool {
        let has_not_passed = *self.bridged && told.is_none();
        has_not_passed || status.metadata().contains_key(NOT_ASKED)
    }
}

/// How long the runtime took by the bridge's word: there it may have waited for nothing of the runtime's. Absent: there is
/// no bridge.
fn took(metadata: &MetadataMap) -> Option<Duration> {
    let took = metadata.get(TOOK)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_micros(took))
}

pub(super) fn count_sandboxes(list: &ListPodSandboxResponse, seen: &mut Runtime) {
    seen.pod_sandboxes = Some(count(list.items.len()));
    let ready = list
        .items
        .iter()
        .filter(|sandbox| sandbox.state() == PodSandboxState::Ready);
    seen.ready_pod_sandboxes = Some(count(ready.count()));
}

pub(super) fn count_containers(list: &ListContainersResponse, seen: &mut Runtime) {
    seen.containers = Some(count(list.containers.len()));
    let running = list
        .containers
        .iter()
        .filter(|one| one.state() == ContainerState::Running);
    seen.running_containers = Some(count(running.count()));
}

pub(super) fn count_images(list: &ListImagesResponse, seen: &mut Runtime) {
    seen.images = Some(count(list.images.len()));
    let sizes = list.images.iter().map(|image| image.size);
    seen.image_bytes = Some(sizes.fold(0, u64::saturating_add));
}

/// A number of objects on a node, far below four billion.
fn count(objects: usize) -> u32 {
    u32::try_from(objects).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
