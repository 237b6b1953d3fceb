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
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use super::{
    line::{Line, Promise},
    runtime::Question,
};

/// Kinds of calls: of each there is never more than one that waits or is under way.
pub(super) const KINDS: usize = 4;

/// Largest question: the agent's are empty.
const LARGEST_QUESTION: usize = 1 << 10;

/// The bridge: cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bridge(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    clock: Clock,
    questions: mpsc::Sender<Question>,
    version: Line<VersionResponse>,
    sandboxes: Line<ListPodSandboxResponse>,
    containers: Line<ListContainersResponse>,
    images: Line<ListImagesResponse>,
}

impl Bridge {
    /// A bridge to whoever answers `questions`.
    pub(super) fn new(questions: mpsc::Sender<Question>, clock: Clock) -> Self {
        Self(Arc::new(Parts {
            clock,
            questions,
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

    /// An answer takes everybody who asks as long as it took the runtime: who shares one would find the runtime faster
    /// than it is.
    async fn ask<T: Clone>(
        &self,
        line: &Line<T>,
        question: fn(Promise<T>) -> Question,
    ) -> Result<Response<T>, Status> {
        let Parts {
            clock, questions, ..
        } = &*self.0;
        let asked = clock.now();
        let ask = |promise| {
            let sent = questions.try_send(question(promise));
            sent.map_err(|_| Status::unavailable("the bridge stops"))
        };
        let answer = line.wait(asked, ask).await?;
        clock.sleep_until(asked + answer.took).await;
        answer.outcome.clone().map(Response::new)
    }
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
