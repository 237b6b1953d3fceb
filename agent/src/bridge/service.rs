//! The calls that the agent may make.

use std::sync::Arc;

use nodegrace_clock::Clock;
use nodegrace_proto::cri::{
    ListContainersRequest, ListContainersResponse, ListImagesRequest, ListImagesResponse,
    ListPodSandboxRequest, ListPodSandboxResponse, StatusRequest, StatusResponse, VersionRequest,
    VersionResponse,
    image_service_server::{ImageService, ImageServiceServer},
    runtime_service_server::{RuntimeService, RuntimeServiceServer},
};
use tokio::sync::{Semaphore, mpsc};
use tonic::{Request, Response, Status, metadata::MetadataValue};

use super::{
    bare::{Containers, Images, Sandboxes},
    line::{Line, Promise},
    runtime::{Question, Turn},
};
use crate::cri::{NOT_ASKED, TOOK};

/// Calls to the runtime at once. Another one does not wait, and is told so: its wait would look as if it was the runtime's.
pub(super) const MOST_CALLS: usize = 1;

/// Largest question: the agent's are empty.
const LARGEST_QUESTION: usize = 1 << 10;

/// The bridge: cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bridge(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    clock: Clock,
    places: Arc<Semaphore>,
    turns: mpsc::Sender<Turn>,
    version: Line<VersionResponse>,
    sandboxes: Line<Sandboxes>,
    containers: Line<Containers>,
    images: Line<Images>,
}

impl Bridge {
    /// A bridge to whoever answers at `turns`.
    pub(super) fn new(turns: mpsc::Sender<Turn>, clock: Clock) -> Self {
        Self(Arc::new(Parts {
            clock,
            places: Arc::new(Semaphore::new(MOST_CALLS)),
            turns,
            version: Line::new(),
            sandboxes: Line::new(),
            containers: Line::new(),
            images: Line::new(),
        }))
    }

    /// What is served; everything else is unknown to the server, and refused as `UNIMPLEMENTED`.
    pub(super) fn services(&self) -> (RuntimeServiceServer<Self>, ImageServiceServer<Self>) {
        let runtime = RuntimeServiceServer::new(self.clone());
        let images = ImageServiceServer::new(self.clone());
        (
            runtime.max_decoding_message_size(LARGEST_QUESTION),
            images.max_decoding_message_size(LARGEST_QUESTION),
        )
    }

    /// The answer, with the time that the runtime took for it: what passes here is not the runtime's.
    async fn ask<Bare: Clone, T: From<Bare>>(
        &self,
        line: &Line<Bare>,
        question: fn(Promise<Bare>) -> Question,
    ) -> Result<Response<T>, Status> {
        let parts = &*self.0;
        let ask = |promise| {
            let place = Arc::clone(&parts.places).try_acquire_owned();
            let turn = place.map(|place| Turn {
                question: question(promise),
                place,
            });
            let turn = turn.map_err(|_| not_asked("busy with another call"))?;
            let sent = parts.turns.try_send(turn);
            sent.map_err(|_| not_asked("the bridge stops"))
        };
        let answer = line.wait(parts.clock.now(), ask).await?;
        let took = u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX);
        let took = MetadataValue::from(took);
        match answer.outcome.clone() {
            Ok(bare) => {
                let mut told = Response::new(bare.into());
                told.metadata_mut().insert(TOOK, took);
                Ok(told)
            }
            Err(mut failed) => {
                failed.metadata_mut().insert(TOOK, took);
                Err(failed)
            }
        }
    }
}

/// Says that the runtime was not asked, for this reason.
pub(super) fn not_asked(reason: &'static str) -> Status {
    let mut status = Status::unavailable(reason);
    let reason = MetadataValue::from_static(reason);
    status.metadata_mut().insert(NOT_ASKED, reason);
    status
}

#[tonic::async_trait]
impl RuntimeService for Bridge {
    async fn version(
        &self,
        _: Request<VersionRequest>,
    ) -> Result<Response<VersionResponse>, Status> {
        self.ask(&self.0.version, Question::Version).await
    }

    async fn list_pod_sandbox(
        &self,
        _: Request<ListPodSandboxRequest>,
    ) -> Result<Response<ListPodSandboxResponse>, Status> {
        self.ask(&self.0.sandboxes, Question::Sandboxes).await
    }

    async fn list_containers(
        &self,
        _: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        self.ask(&self.0.containers, Question::Containers).await
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Err(Status::unimplemented("the agent does not ask for it"))
    }
}

#[tonic::async_trait]
impl ImageService for Bridge {
    async fn list_images(
        &self,
        _: Request<ListImagesRequest>,
    ) -> Result<Response<ListImagesResponse>, Status> {
        self.ask(&self.0.images, Question::Images).await
    }
}
