//! The bridge between the agent's own client and a simulated runtime, in virtual time.

mod counts;
mod refusals;
mod socket;
mod times;

use std::{
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use nodegrace_proto::cri::{
    Container, ContainerState, Image, ListContainersRequest, ListContainersResponse,
    ListImagesRequest, PodSandboxState, VersionRequest, image_service_client::ImageServiceClient,
    runtime_service_client::RuntimeServiceClient,
};
use nodegrace_sim_cluster::{
    cri::{Call, CallFault, Contents, CriRuntime},
    kubelet::Answers,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::{Code, Status, transport::Channel};

use super::*;
use crate::{
    cri::{NOT_ASKED, TOOK, channel},
    logging::{LogArgs, LogFormat},
};

/// What the runtime holds: more than a node should.
const CONTENTS: Contents = Contents {
    running_containers: 500,
    dead_containers: 200,
    ready_sandboxes: 250,
    dead_sandboxes: 50,
    images: 500,
    image_bytes: 3 << 20,
};

/// A runtime, the bridge to it, and whoever runs them.
struct Bridged {
    clock: Clock,
    runtime: CriRuntime,
    channel: Channel,
    dir: TempDir,
    tasks: JoinSet<()>,
}

impl Bridged {
    fn start() -> Self {
        let mut bridged = Self::without_runtime();
        let connections = CriRuntime::bind(&bridged.at("runtime.sock")).unwrap();
        let runtime = bridged.runtime.clone();
        bridged.tasks.spawn(async move {
            let never = std::future::pending();
            runtime.serve(connections, never).await.unwrap();
        });
        bridged
    }

    fn without_runtime() -> Self {
        let clock = Clock::scaled(1.0, UNIX_EPOCH);
        let dir = tempfile::tempdir().unwrap();
        let at = |name| dir.path().join(name);
        let args = BridgeArgs {
            cri_socket: at("runtime.sock"),
            listen: at("bridge.sock"),
            cri_timeout: Duration::from_secs(40),
            log: LogArgs {
                log: String::new(),
                log_format: LogFormat::Text,
            },
        };
        let mut tasks = JoinSet::new();
        let (channel, clocks) = (channel(args.listen.clone()), clock.clone());
        tasks.spawn(async move {
            let shutdown = CancellationToken::new();
            bridge(&args, clocks, shutdown).await.unwrap();
        });
        Self {
            runtime: CriRuntime::new(clock.clone(), CONTENTS),
            clock,
            channel,
            dir,
            tasks,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The containers by the bridge's word, and how many seconds the runtime took by it.
    async fn containers(&self) -> (Result<ListContainersResponse, Status>, f64) {
        let answer = RuntimeServiceClient::new(self.ready().await)
            .list_containers(ListContainersRequest {})
            .await;
        let took = match &answer {
            Ok(answer) => answer.metadata().get(TOOK),
            Err(failed) => failed.metadata().get(TOOK),
        };
        let took = took.expect("it says so with every answer");
        let took = took.to_str().unwrap().parse::<u32>().unwrap();
        let took = f64::from(took) / 1e6;
        (answer.map(tonic::Response::into_inner), took)
    }

    /// The way to the bridge, once it listens.
    async fn ready(&self) -> Channel {
        while !self.at("bridge.sock").exists() {
            tokio::task::yield_now().await;
        }
        self.channel.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn counts_and_states_come_through_and_nothing_else() {
    let bridged = Bridged::start();
    let channel = bridged.ready().await;
    let mut runtime = RuntimeServiceClient::new(channel.clone());

    let containers = bridged.containers().await.0.unwrap().containers;
    let in_state = |state: ContainerState| {
        let bare = Container {
            state: state.into(),
            ..Container::default()
        };
        containers.iter().filter(|one| **one == bare).count()
    };
    assert_eq!(in_state(ContainerState::Running), 500);
    assert_eq!(in_state(ContainerState::Exited), 200);
    assert_eq!(containers.len(), 700);

    let sandboxes = runtime.list_pod_sandbox(nodegrace_proto::cri::ListPodSandboxRequest {});
    let sandboxes = sandboxes.await.unwrap().into_inner().items;
    let ready = sandboxes
        .iter()
        .filter(|one| one.state() == PodSandboxState::Ready);
    assert_eq!((sandboxes.len(), ready.count()), (300, 250));
    assert!(sandboxes.iter().all(|one| one.id.is_empty()));

    let mut image_service = ImageServiceClient::new(channel);
    let images = image_service.list_images(ListImagesRequest {}).await;
    let images = images.unwrap().into_inner().images;
    assert_eq!(images.len(), 500);
    assert!(images.iter().all(|one| one.id.is_empty()));
    assert_eq!(images[0].size, 6 * (256 << 20), "about those of all");
    assert!(images[1..].iter().all(|one| *one == Image::default()));

    let version = runtime.version(VersionRequest::default()).await;
    let version = version.unwrap().into_inner();
    assert_eq!(version.runtime_name, "containerd");
    assert_eq!(version.runtime_version, "1.6.20~ds1");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_all_the_time_makes_no_more_calls_than_the_agent() {
    let bridged = Bridged::start();
    for _ in 0..120 {
        bridged.containers().await.0.unwrap();
        bridged.clock.sleep(Duration::from_secs(1)).await;
    }
    let calls = bridged.runtime.answered(Call::ListContainers);
    assert!((12..=13).contains(&calls), "{calls} in two minutes");
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_is_not_there_is_said_to_be_so_until_it_comes() {
    let mut bridged = Bridged::without_runtime();
    let absent = bridged.containers().await.0.unwrap_err();
    assert_eq!(absent.code(), Code::Unavailable);
    assert_eq!(absent.message(), "the runtime cannot be reached");

    let connections = CriRuntime::bind(&bridged.at("runtime.sock")).unwrap();
    let runtime = bridged.runtime.clone();
    bridged.tasks.spawn(async move {
        let never = std::future::pending();
        runtime.serve(connections, never).await.unwrap();
    });
    bridged.clock.sleep(Duration::from_secs(10)).await;
    assert!(bridged.containers().await.0.is_ok());
}
