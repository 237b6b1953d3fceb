//! A container runtime that speaks the CRI, with adjustable contents, delays and faults.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::Stream;
use nodegrace_clock::Clock;
use nodegrace_proto::cri::{
    Container, ContainerState, Image, ListContainersRequest, ListContainersResponse,
    ListImagesRequest, ListImagesResponse, ListPodSandboxRequest, ListPodSandboxResponse,
    PodSandbox, PodSandboxState, RuntimeCondition, RuntimeStatus, StatusRequest, StatusResponse,
    VersionRequest, VersionResponse,
    image_service_server::{ImageService, ImageServiceServer},
    runtime_service_server::{RuntimeService, RuntimeServiceServer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixListener,
    sync::watch,
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::Connected},
};

use crate::kubelet::Answers;

/// The calls of the CRI that the runtime answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Version.
    Version,
    /// Status.
    Status,
    /// `ListPodSandbox`.
    ListPodSandbox,
    /// `ListContainers`.
    ListContainers,
    /// `ListImages`.
    ListImages,
}

/// What the runtime holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Containers that run.
    pub running_containers: u32,
    /// Containers that exited.
    pub dead_containers: u32,
    /// Pod sandboxes that are ready.
    pub ready_sandboxes: u32,
    /// Pod sandboxes that are not.
    pub dead_sandboxes: u32,
    /// Images.
    pub images: u32,
    /// Size of each image in bytes.
    pub image_bytes: u64,
}

/// How a call goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// It is never answered.
    Hang,
    /// It fails with this message.
    Fail(String),
}

/// A runtime: cheap to clone.
#[derive(Clone, Debug)]
pub struct CriRuntime {
    clock: Clock,
    state: Arc<Mutex<State>>,
    answers: watch::Sender<Answers>,
}

#[derive(Debug)]
struct State {
    contents: Contents,
    delays: HashMap<Call, Duration>,
    faults: HashMap<Call, CallFault>,
    answered: HashMap<Call, u64>,
    /// Requests by their paths, unknown ones included.
    received: HashMap<String, u64>,
}

impl CriRuntime {
    /// A runtime that answers at once, at `clock`'s pace.
    pub fn new(clock: Clock, contents: Contents) -> Self {
        Self {
            clock,
            state: Arc::new(Mutex::new(State {
                contents,
                delays: HashMap::new(),
                faults: HashMap::new(),
                answered: HashMap::new(),
                received: HashMap::new(),
            })),
            answers: watch::Sender::new(Answers::Always),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what it holds.
    pub fn hold(&self, contents: Contents) {
        self.lock().contents = contents;
    }

    /// Sets how long a call takes, in the clock's time.
    pub fn delay(&self, call: Call, by: Duration) {
        self.lock().delays.insert(call, by);
    }

    /// Makes a call go wrong; none heals it.
    pub fn fault(&self, call: Call, fault: Option<CallFault>) {
        let mut state = self.lock();
        match fault {
            Some(fault) => state.faults.insert(call, fault),
            None => state.faults.remove(&call),
        };
    }

    /// Sets how it takes every call. Calls that it took and left go on when it answers again.
    pub fn behave(&self, answers: Answers) {
        self.answers.send_if_modified(|known| {
            let other = *known != answers;
            *known = answers;
            other
        });
    }

    /// How many calls were answered.
    pub fn answered(&self, call: Call) -> u64 {
        self.lock().answered.get(&call).copied().unwrap_or(0)
    }

    /// How many requests came for this path, such as `/runtime.v1.RuntimeService/Version`, known or not.
    pub fn received(&self, path: &str) -> u64 {
        self.lock().received.get(path).copied().unwrap_or(0)
    }

    /// How many requests came in all.
    pub fn received_in_all(&self) -> u64 {
        self.lock().received.values().sum()
    }

    /// Binds a unix socket, in place of one that an earlier run left, for [`CriRuntime::serve`].
    pub fn bind(socket: &Path) -> io::Result<UnixListenerStream> {
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(socket).map(UnixListenerStream::new),
        }
    }

    /// Serves any connections until `stop`.
    pub async fn serve<Io>(
        &self,
        connections: impl Stream<Item = io::Result<Io>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error>
    where
        Io: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let counted = self.clone();
        Server::builder()
            .trace_fn(move |request| {
                let path = request.uri().path().to_owned();
                *counted.lock().received.entry(path).or_default() += 1;
                tracing::Span::none()
            })
            .add_service(RuntimeServiceServer::new(self.clone()))
            .add_service(ImageServiceServer::new(self.clone()))
            .serve_with_incoming_shutdown(connections, stop)
            .await
    }

    /// Takes the time of a call, or its fault; then the contents.
    async fn take(&self, call: Call) -> Result<Contents, Status> {
        let mut answers = self.answers.subscribe();
        let now = *answers.borrow();
        match now {
            Answers::Always => {}
            Answers::Refused => return Err(Status::unavailable("connection refused")),
            Answers::Never => {
                // Its sender is here.
                let _ = answers.wait_for(|now| *now != Answers::Never).await;
            }
        }
        let (delay, fault) = {
            let state = self.lock();
            (
                state.delays.get(&call).copied(),
                state.faults.get(&call).cloned(),
            )
        };
        match fault {
            Some(CallFault::Hang) => std::future::pending::<()>().await,
            Some(CallFault::Fail(message)) => return Err(Status::unknown(message)),
            None => {}
        }
        if let Some(delay) = delay {
            self.clock.sleep(delay).await;
        }
        let mut state = self.lock();
        *state.answered.entry(call).or_default() += 1;
        Ok(state.contents)
    }
}

#[tonic::async_trait]
impl RuntimeService for CriRuntime {
    async fn version(
        &self,
        _: Request<VersionRequest>,
    ) -> Result<Response<VersionResponse>, Status> {
        self.take(Call::Version).await?;
        Ok(Response::new(VersionResponse {
            version: "0.1.0".to_owned(),
            runtime_name: "containerd".to_owned(),
            runtime_version: "1.6.20~ds1".to_owned(),
            runtime_api_version: "v1".to_owned(),
        }))
    }

    async fn list_pod_sandbox(
        &self,
        _: Request<ListPodSandboxRequest>,
    ) -> Result<Response<ListPodSandboxResponse>, Status> {
        let contents = self.take(Call::ListPodSandbox).await?;
        let of = |state: PodSandboxState, count| {
            (0..count).map(move |number| PodSandbox {
                id: format!("{:064x}", u64::from(number) << 8 | state as u64),
                state: state.into(),
            })
        };
        let ready = of(PodSandboxState::Ready, contents.ready_sandboxes);
        let dead = of(PodSandboxState::Notready, contents.dead_sandboxes);
        Ok(Response::new(ListPodSandboxResponse {
            items: ready.chain(dead).collect(),
        }))
    }

    async fn list_containers(
        &self,
        _: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        let contents = self.take(Call::ListContainers).await?;
        let of = |state: ContainerState, count| {
            (0..count).map(move |number| Container {
                id: format!("{:064x}", u64::from(number) << 8 | state as u64),
                pod_sandbox_id: format!(
                    "{:064x}",
                    u64::from(number % contents.ready_sandboxes.max(1)) << 8
                ),
                state: state.into(),
            })
        };
        let running = of(ContainerState::Running, contents.running_containers);
        let dead = of(ContainerState::Exited, contents.dead_containers);
        Ok(Response::new(ListContainersResponse {
            containers: running.chain(dead).collect(),
        }))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        self.take(Call::Status).await?;
        let condition = |kind: &str| RuntimeCondition {
            r#type: kind.to_owned(),
            status: true,
            reason: String::new(),
            message: String::new(),
        };
        Ok(Response::new(StatusResponse {
            status: Some(RuntimeStatus {
                conditions: vec![condition("RuntimeReady"), condition("NetworkReady")],
            }),
        }))
    }
}

#[tonic::async_trait]
impl ImageService for CriRuntime {
    async fn list_images(
        &self,
        _: Request<ListImagesRequest>,
    ) -> Result<Response<ListImagesResponse>, Status> {
        let contents = self.take(Call::ListImages).await?;
        let images = (0..contents.images)
            .map(|number| Image {
                id: format!("sha256:{number:064x}"),
                size: contents.image_bytes,
            })
            .collect();
        Ok(Response::new(ListImagesResponse { images }))
    }
}
