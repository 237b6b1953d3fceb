//! The bridge between the agent's own client and a simulated runtime, in virtual time.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::UNIX_EPOCH};

use std::time::Duration;

use nodegrace_proto::{
    codec::SmallBuffers,
    cri::{
        Container, ContainerState, Image, ListContainersRequest, ListContainersResponse,
        ListImagesRequest, ListImagesResponse, PodSandboxState, StatusRequest, VersionRequest,
        VersionResponse, image_service_client::ImageServiceClient,
        runtime_service_client::RuntimeServiceClient,
    },
};
use nodegrace_sim_cluster::{
    cri::{Call, CallFault, Contents, CriRuntime},
    kubelet::Answers,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::{Code, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};

use super::*;
use crate::cri::channel;

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
            log: String::new(),
            log_format: crate::logging::LogFormat::Text,
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

    /// The containers by the bridge's word, and how many seconds it took.
    async fn containers(&self) -> (Result<ListContainersResponse, Status>, f64) {
        let start = self.clock.now();
        let answer = RuntimeServiceClient::new(self.ready().await)
            .list_containers(ListContainersRequest {})
            .await;
        let took = self.clock.now().saturating_sub(start).as_secs_f64();
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
    assert_eq!(images[0].size, 500 * (3 << 20), "those of all");
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
async fn a_slow_runtime_is_slow_for_everybody_who_asks() {
    let bridged = Bridged::start();
    bridged.containers().await.0.unwrap();
    bridged.clock.sleep(Duration::from_secs(60)).await;
    bridged
        .runtime
        .delay(Call::ListContainers, Duration::from_secs(3));
    let (first, took) = bridged.containers().await;
    assert!(first.is_ok() && (3.0..3.5).contains(&took), "{took} s");
    // Too soon to ask the runtime, which by now would be quick.
    bridged.runtime.delay(Call::ListContainers, Duration::ZERO);
    let (second, took) = bridged.containers().await;
    assert!(second.is_ok() && (3.0..3.5).contains(&took), "{took} s");
    assert_eq!(bridged.runtime.answered(Call::ListContainers), 2);
    bridged.clock.sleep(Duration::from_secs(10)).await;
    let (third, took) = bridged.containers().await;
    assert!(third.is_ok() && took < 0.5, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_though_nobody_waits_and_none_is_beside_it() {
    let bridged = Bridged::start();
    bridged
        .runtime
        .delay(Call::ListContainers, Duration::from_secs(20));
    for _ in 0..4 {
        let left = tokio::time::timeout(Duration::from_secs(4), bridged.containers()).await;
        assert!(left.is_err(), "it takes longer than that");
    }
    // Another kind waits until the runtime has nothing else to do.
    let start = bridged.clock.now();
    let mut image_service = ImageServiceClient::new(bridged.channel.clone());
    let images = image_service.list_images(ListImagesRequest {}).await;
    assert_eq!(images.unwrap().into_inner().images.len(), 500);
    let waited = bridged.clock.now().saturating_sub(start).as_secs_f64();
    assert!((3.0..5.0).contains(&waited), "{waited} s");
    assert_eq!(bridged.runtime.answered(Call::ListContainers), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_by_its_code_without_the_runtimes_words() {
    let bridged = Bridged::start();
    let words = "container web-7f of pod shop/web has no image registry.example/shop:1";
    let fault = Some(CallFault::Fail(words.to_owned()));
    bridged.runtime.fault(Call::ListContainers, fault);
    let failed = bridged.containers().await.0.unwrap_err();
    assert_eq!(failed.code(), Code::Unknown);
    assert_eq!(failed.message(), "the runtime failed");

    bridged.runtime.fault(Call::ListContainers, None);
    bridged.runtime.behave(Answers::Never);
    bridged.clock.sleep(Duration::from_secs(10)).await;
    let (hung, took) = bridged.containers().await;
    assert_eq!(hung.unwrap_err().code(), Code::DeadlineExceeded);
    assert!((40.0..41.0).contains(&took), "{took} s");

    bridged.runtime.behave(Answers::Always);
    assert!(bridged.containers().await.0.is_ok(), "it answers again");
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

#[tokio::test(start_paused = true)]
async fn every_other_call_is_refused() {
    let bridged = Bridged::start();
    let mut runtime = RuntimeServiceClient::new(bridged.ready().await);
    let status = runtime.status(StatusRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    for method in [
        "RuntimeService/RunPodSandbox",
        "RuntimeService/CreateContainer",
        "RuntimeService/StartContainer",
        "RuntimeService/ExecSync",
        "RuntimeService/Exec",
        "RuntimeService/Attach",
        "RuntimeService/PortForward",
        "RuntimeService/ContainerStatus",
        "RuntimeService/UpdateRuntimeConfig",
        "RuntimeService/GetContainerEvents",
        "ImageService/PullImage",
        "ImageService/RemoveImage",
        "ImageService/ImageStatus",
        "NoService/List",
    ] {
        let path = PathAndQuery::try_from(format!("/runtime.v1.{method}")).unwrap();
        let mut client = Grpc::new(bridged.ready().await);
        client.ready().await.unwrap();
        let codec = SmallBuffers::<StatusRequest, VersionResponse>::default();
        let request = tonic::Request::new(StatusRequest {});
        let refused = client.unary(request, path, codec).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{method}");
    }
    let answered = [Call::Status, Call::Version, Call::ListContainers];
    let answered = answered.map(|call| bridged.runtime.answered(call));
    assert_eq!(answered, [0, 0, 0], "none reaches the runtime");
}

#[tokio::test(start_paused = true)]
async fn the_socket_is_for_user_and_group_and_replaces_none_but_a_socket() {
    let bridged = Bridged::start();
    bridged.ready().await;
    let path = bridged.at("bridge.sock");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // The one before has crashed.
    Listener::bind(&path).unwrap();
    let file = bridged.at("file");
    fs::write(&file, "kept").unwrap();
    Listener::bind(&file).unwrap_err();
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn more_entries_than_a_node_can_have_are_an_error_and_not_less() {
    let told = |containers| ListContainersResponse {
        containers: vec![Container::default(); containers],
    };
    let most = bare::containers(&told(bare::MOST_ENTRIES)).unwrap();
    assert_eq!(most.containers.len(), bare::MOST_ENTRIES);
    let failed = bare::containers(&told(bare::MOST_ENTRIES + 1)).unwrap_err();
    assert_eq!(failed.code(), Code::OutOfRange);
}

#[test]
fn bytes_of_images_add_up_to_what_can_be_counted() {
    let image = |size| Image {
        size,
        ..Image::default()
    };
    let images = vec![image(u64::MAX), image(7)];
    let bare = bare::images(&ListImagesResponse { images }).unwrap();
    assert_eq!(bare.images, [image(u64::MAX), image(0)]);
}

#[test]
fn of_the_runtimes_name_only_a_name_comes_through() {
    let told = VersionResponse {
        version: "0.1.0".into(),
        runtime_name: "cri o\n{\"pod\":\"web\"}".into(),
        runtime_version: "v".repeat(500),
        runtime_api_version: "v1".into(),
    };
    let bare = bare::version(&told);
    assert_eq!(bare.runtime_name, "criopodweb");
    assert_eq!(bare.runtime_version.len(), 64);
    assert!(bare.version.is_empty() && bare.runtime_api_version.is_empty());
}
