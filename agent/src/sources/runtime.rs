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
use tonic::{Response, Status, transport::Channel};

use super::{Missing, Reading, slot::Slot};
use crate::{
    cri::{LARGEST_ANSWER, channel},
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
}

/// A round of calls, one after the other.
struct Round<'a> {
    clock: &'a Clock,
    deadline: Duration,
    slot: &'a Slot<Runtime>,
    calls: Vec<RuntimeCall>,
    /// True once a call was not answered in time.
    stuck: bool,
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
        }
    }

    /// Asks for everything once. A call that fails leaves its counts unknown and the others alone, but after one that is not
    /// answered in time the runtime is left in peace. See [`answered`] for whether any of them was.
    pub(super) async fn ask(&mut self, slot: &Slot<Runtime>) -> Runtime {
        let mut round = Round {
            clock: &self.clock,
            deadline: self.deadline,
            slot,
            calls: Vec::with_capacity(4),
            stuck: false,
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
        seen.calls = round.calls;
        if answered(&seen).is_err() {
            // Whoever answers next may be another version.
            self.identity = None;
        }
        seen
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
        let (answer, error) = match timeout(self.clock.to_real(self.deadline), call).await {
            Ok(Ok(answer)) => (Some(answer.into_inner()), String::new()),
            Ok(Err(status)) => (None, wire::status_line(&status)),
            Err(_) => {
                self.stuck = true;
                (
                    None,
                    format!("no answer within {} s", self.deadline.as_secs_f64()),
                )
            }
        };
        self.calls.push(RuntimeCall {
            method: method.into(),
            took: Some(wire::duration(self.clock.now().saturating_sub(start))),
            error: wire::clip(error),
        });
        answer
    }
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
