//! The client against runtimes on a unix socket: one that answers, one that hangs, one that refuses and one that is gone.

mod bridge;

use std::path::Path;

use nodegrace_proto::cri::{
    Container, Image, ListContainersResponse, ListImagesResponse, ListPodSandboxResponse,
    PodSandbox, StatusRequest, StatusResponse, VersionResponse,
    image_service_server::{ImageService, ImageServiceServer},
    runtime_service_server::{RuntimeService, RuntimeServiceServer},
};
use tokio::{net::UnixListener, task::JoinSet};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, metadata::MetadataValue, transport::Server};

use super::*;

/// A runtime with two sandboxes, three containers and two images.
#[derive(Clone, Copy, Debug)]
enum FakeRuntime {
    Answers,
    /// Never answers `ListContainers`.
    Hangs,
    /// Never answers anything.
    HangsAtOnce,
    /// Does not know this version of the CRI.
    Refuses,
    /// The bridge to one that took 3 s for everything.
    Bridge,
    /// The bridge to one that did not answer it.
    BridgeToHanging,
    /// The bridge, which has another call to make.
    BusyBridge,
}

impl FakeRuntime {
    fn serve(self, socket: &Path) -> JoinSet<()> {
        self.serve_until(socket, std::future::pending())
    }

    fn serve_until(
        self,
        socket: &Path,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> JoinSet<()> {
        let listener = UnixListener::bind(socket).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            Server::builder()
                .add_service(RuntimeServiceServer::new(self))
                .add_service(ImageServiceServer::new(self))
                .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop)
                .await
                .unwrap();
        });
        tasks
    }

    async fn answer<T>(self, answer: T) -> Result<Response<T>, Status> {
        match self {
            Self::Refuses => Err(Status::unimplemented("unknown service runtime.v1")),
            Self::HangsAtOnce => std::future::pending().await,
            Self::Bridge => {
                let mut answer = Response::new(answer);
                answer.metadata_mut().insert(TOOK, 3_000_000.into());
                Ok(answer)
            }
            Self::BridgeToHanging => {
                let mut failed = Status::deadline_exceeded("the runtime does not answer");
                failed.metadata_mut().insert(TOOK, 40_000_000.into());
                Err(failed)
            }
            Self::BusyBridge => {
                let mut busy = Status::unavailable("busy with another call");
                let why = MetadataValue::from_static("busy");
                busy.metadata_mut().insert(NOT_ASKED, why);
                Err(busy)
            }
            Self::Answers | Self::Hangs => Ok(Response::new(answer)),
        }
    }
}

#[tonic::async_trait]
impl RuntimeService for FakeRuntime {
    async fn version(
        &self,
        _: Request<VersionRequest>,
    ) -> Result<Response<VersionResponse>, Status> {
        self.answer(VersionResponse {
            runtime_name: "fake".into(),
            runtime_version: "v1.2".into(),
            ..VersionResponse::default()
        })
        .await
    }

    async fn list_pod_sandbox(
        &self,
        _: Request<ListPodSandboxRequest>,
    ) -> Result<Response<ListPodSandboxResponse>, Status> {
        let sandbox = |state: PodSandboxState| PodSandbox {
            state: state.into(),
            ..PodSandbox::default()
        };
        self.answer(ListPodSandboxResponse {
            items: vec![
                sandbox(PodSandboxState::Ready),
                sandbox(PodSandboxState::Notready),
            ],
        })
        .await
    }

    async fn list_containers(
        &self,
        _: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        if matches!(self, Self::Hangs) {
            std::future::pending::<()>().await;
        }
        let container = |state: ContainerState| Container {
            state: state.into(),
            ..Container::default()
        };
        let states = [
            ContainerState::Running,
            ContainerState::Running,
            ContainerState::Exited,
        ];
        self.answer(ListContainersResponse {
            containers: states.map(container).into(),
        })
        .await
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        unreachable!("the agent does not ask for it")
    }
}

#[tonic::async_trait]
impl ImageService for FakeRuntime {
    async fn list_images(
        &self,
        _: Request<ListImagesRequest>,
    ) -> Result<Response<ListImagesResponse>, Status> {
        let image = |size| Image {
            size,
            ..Image::default()
        };
        self.answer(ListImagesResponse {
            images: vec![image(10), image(32)],
        })
        .await
    }
}

/// Asks the runtime behind `socket` once.
async fn ask(socket: &Path, deadline: Duration) -> Runtime {
    let mut client = RuntimeClient::new(socket.into(), Clock::real(), deadline);
    let asked = client.ask(&Slot::empty("not asked yet")).await;
    asked.expect("nothing is between it and the runtime")
}

fn methods(runtime: &Runtime) -> Vec<&str> {
    runtime
        .calls
        .iter()
        .map(|call| call.method.as_str())
        .collect()
}

#[tokio::test]
async fn counts_come_from_the_runtime_and_every_call_is_timed() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::Answers.serve(&socket);
    let runtime = ask(&socket, Duration::from_secs(5)).await;
    assert_eq!(
        (
            runtime.runtime_name.as_str(),
            runtime.runtime_version.as_str()
        ),
        ("fake", "v1.2")
    );
    assert_eq!(
        (runtime.pod_sandboxes, runtime.ready_pod_sandboxes),
        (Some(2), Some(1))
    );
    assert_eq!(
        (runtime.containers, runtime.running_containers),
        (Some(3), Some(2))
    );
    assert_eq!((runtime.images, runtime.image_bytes), (Some(2), Some(42)));
    assert_eq!(
        methods(&runtime),
        ["Version", "ListPodSandbox", "ListContainers", "ListImages"]
    );
    assert!(
        runtime
            .calls
            .iter()
            .all(|call| call.took.is_some() && call.error.is_empty())
    );
}

#[tokio::test]
async fn after_a_call_that_hangs_the_runtime_is_left_in_peace() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::Hangs.serve(&socket);
    let runtime = ask(&socket, Duration::from_millis(200)).await;
    assert_eq!(
        methods(&runtime),
        ["Version", "ListPodSandbox", "ListContainers"]
    );
    assert_eq!(runtime.calls[2].error, "no answer within 0.2 s");
    assert_eq!(
        (runtime.pod_sandboxes, runtime.containers, runtime.images),
        (Some(2), None, None)
    );
    assert_eq!(answered(&runtime), Ok(()));
}

#[tokio::test]
async fn a_runtime_that_answers_nothing_has_failed_and_its_call_is_timed() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::HangsAtOnce.serve(&socket);
    let runtime = ask(&socket, Duration::from_millis(200)).await;
    assert_eq!(methods(&runtime), ["Version"]);
    assert!(runtime.calls[0].took.unwrap().nanos >= 200_000_000);
    assert_eq!(
        answered(&runtime),
        Err(Missing::Failed("Version: no answer within 0.2 s".into()))
    );
}

#[tokio::test]
async fn a_runtime_without_this_version_of_the_cri_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::Refuses.serve(&socket);
    let runtime = ask(&socket, Duration::from_secs(5)).await;
    let Err(Missing::Failed(reason)) = answered(&runtime) else {
        panic!("every call fails");
    };
    assert!(reason.contains("unknown service runtime.v1"), "{reason}");
}

#[tokio::test]
async fn a_missing_socket_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let runtime = ask(&socket, Duration::from_secs(5)).await;
    let Err(Missing::Failed(reason)) = answered(&runtime) else {
        panic!("there is no socket");
    };
    let words = format!("{}: No such file", socket.display());
    assert!(reason.contains(&words), "{reason}");
}

#[test]
fn images_of_more_bytes_than_can_be_counted_are_as_many_as_can() {
    let image = |size| Image {
        size,
        ..Image::default()
    };
    let list = ListImagesResponse {
        images: vec![image(u64::MAX), image(1)],
    };
    let mut seen = Runtime::default();
    count_images(&list, &mut seen);
    assert_eq!((seen.images, seen.image_bytes), (Some(2), Some(u64::MAX)));
}
