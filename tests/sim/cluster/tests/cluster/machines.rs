//! The machines around the kubelets: files, runtime, metrics.

use std::{fs, path::Path, time::Duration};

use nodegrace_proto::cri::{
    ListContainersRequest, ListImagesRequest, ListPodSandboxRequest,
    image_service_client::ImageServiceClient, runtime_service_client::RuntimeServiceClient,
};
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    cri::{Call, CallFault},
    kubelet::{Effect, Kind, NodeSpec},
};
use tonic::transport::{Channel, Endpoint, Uri};

use crate::kit::{self, Client, seconds};

fn cluster(kind: Kind, directory: &Path, clock: &nodegrace_clock::Clock) -> Cluster {
    let mut spec = ClusterSpec::new(vec![NodeSpec::new("n", kind, 3)], 1);
    spec.machines = Some(directory.to_owned());
    Cluster::start(spec, clock).unwrap()
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join("n/proc").join(name)).unwrap()
}

/// The process directory of the kubelet, found as an agent finds it; none while there is none.
fn kubelet_pid(directory: &Path) -> Option<u32> {
    let entries = fs::read_dir(directory.join("n/proc")).unwrap();
    let mut pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.find(|pid: &u32| read(directory, &format!("{pid}/comm")) == "kubelet\n")
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_host_shows_its_load_and_its_waits() {
    let directory = tempfile::tempdir().unwrap();
    let clock = kit::clock();
    let _cluster = cluster(Kind::Overloaded, directory.path(), &clock);
    clock.sleep(seconds(300.0)).await;
    let load: f64 = read(directory.path(), "loadavg")
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(load > 6.0, "{load}");
    let io = read(directory.path(), "pressure/io");
    let ten: f64 = io
        .split("avg10=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(ten > 15.0, "{io}");
    assert!(read(directory.path(), "pressure/cpu").contains("full avg10=0.00"));
    let pid = kubelet_pid(directory.path()).unwrap();
    let stat = read(directory.path(), &format!("{pid}/stat"));
    assert_eq!(stat.split_whitespace().count(), 52, "{stat}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_kubelet_is_in_state_t_and_a_restarted_one_has_another_pid() {
    let directory = tempfile::tempdir().unwrap();
    let clock = kit::clock();
    let cluster = cluster(Kind::Healthy, directory.path(), &clock);
    clock.sleep(seconds(15.0)).await;
    let pid = kubelet_pid(directory.path()).unwrap();
    let node = cluster.node("n").unwrap();
    node.inject(Effect::Stopped, seconds(30.0));
    clock.sleep(seconds(15.0)).await;
    assert!(read(directory.path(), &format!("{pid}/stat")).contains(") T "));
    clock.sleep(seconds(30.0)).await;
    node.inject(Effect::Gone, seconds(15.0));
    clock.sleep(seconds(12.0)).await;
    assert_eq!(kubelet_pid(directory.path()), None);
    clock.sleep(seconds(15.0)).await;
    let next = kubelet_pid(directory.path()).unwrap();
    assert_ne!(next, pid);
    let stat = read(directory.path(), &format!("{next}/stat"));
    let started: f64 = stat.split_whitespace().nth(21).unwrap().parse().unwrap();
    // Twelve and fifteen seconds ago the kubelet was gone, and fifteen seconds long.
    assert!((clock.now().as_secs_f64() - started / 100.0 - 12.0).abs() < 1.0);
}

#[tokio::test(start_paused = true)]
async fn counters_grow_at_the_rate_of_their_figures() {
    let directory = tempfile::tempdir().unwrap();
    let clock = kit::clock();
    let cluster = cluster(Kind::CpuStarved, directory.path(), &clock);
    clock.sleep(seconds(30.0)).await;
    cluster
        .node("n")
        .unwrap()
        .inject(Effect::Starved, seconds(40.0));
    clock.sleep(seconds(5.0)).await;
    let waited = || {
        let pid = kubelet_pid(directory.path()).unwrap();
        let tasks = fs::read_dir(directory.path().join(format!("n/proc/{pid}/task"))).unwrap();
        let waits = tasks.map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').nth(1).unwrap().parse::<f64>().unwrap() / 1e9
        });
        waits.sum::<f64>()
    };
    clock.sleep(seconds(6.0)).await;
    let mut before = waited();
    let mut rates = Vec::new();
    for _ in 0..2 {
        clock.sleep(seconds(10.0)).await;
        let now = waited();
        rates.push((now - before) / 10.0);
        before = now;
    }
    // Some threads wait all the time, as many as the spell makes wait.
    assert!(
        rates.iter().all(|rate| (1.2..=4.2).contains(rate)),
        "{rates:?}"
    );
    assert!((rates[0] - rates[1]).abs() < 0.1, "{rates:?}");
}

async fn runtime(directory: &Path) -> Channel {
    let socket = directory.join("n/cri.sock");
    let connect = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move {
            tokio::net::UnixStream::connect(socket)
                .await
                .map(hyper_util::rt::TokioIo::new)
        }
    });
    Endpoint::from_static("http://cri")
        .connect_with_connector(connect)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_runtime_tells_its_contents_over_its_socket_and_takes_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let clock = nodegrace_clock::Clock::scaled(100.0, kit::recorded_day());
    let cluster = cluster(Kind::SlowRuntime, directory.path(), &clock);
    let channel = runtime(directory.path()).await;
    let spec = cluster.node("n").unwrap().spec();
    let knobs = cluster.runtime("n").unwrap();

    let mut images = ImageServiceClient::new(channel.clone());
    let listed = images
        .list_images(ListImagesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.images.len() as u32, spec.images);
    let mut runtime = RuntimeServiceClient::new(channel);
    let listed = runtime
        .list_containers(ListContainersRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        listed.containers.len() as u32,
        spec.running_containers + spec.dead_containers
    );
    assert_eq!(knobs.answered(Call::ListContainers), 1);

    knobs.fault(
        Call::ListPodSandbox,
        Some(CallFault::Fail("no shim".to_owned())),
    );
    let error = runtime
        .list_pod_sandbox(ListPodSandboxRequest {})
        .await
        .unwrap_err();
    assert_eq!(error.message(), "no shim");
    knobs.fault(Call::ListPodSandbox, Some(CallFault::Hang));
    let hung = runtime.list_pod_sandbox(ListPodSandboxRequest {});
    assert!(
        tokio::time::timeout(Duration::from_millis(300), hung)
            .await
            .is_err()
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_kubelet_serves_its_metrics_and_settings() {
    let clock = nodegrace_clock::Clock::scaled(200.0, kit::recorded_day());
    let mut spec = ClusterSpec::new(vec![NodeSpec::new("n", Kind::SlowRuntime, 3)], 1);
    spec.machine_pace.calm = seconds(2.0);
    let cluster = Cluster::start(spec, &clock).unwrap();
    let address = cluster
        .listen_kubelets("127.0.0.1:0".parse().unwrap(), None)
        .await
        .unwrap();
    clock.sleep(seconds(120.0)).await;
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut client = Client::http1(socket).await;
    let (_, settings) = client.get("/n/configz").await;
    assert_eq!(
        settings["kubeletconfig"]["nodeStatusReportFrequency"],
        "5m0s"
    );
    assert_eq!(settings["kubeletconfig"]["nodeLeaseDurationSeconds"], 40);
    let text = client.text("/n/metrics").await;
    let value = |series: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(series)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let images = "kubelet_runtime_operations_duration_seconds";
    assert!(value(&format!("{images}_count{{operation_type=\"list_images\"}}")) >= 3.0);
    assert!(value(&format!("{images}_sum{{operation_type=\"list_images\"}}")) > 5.0);
    assert!(value("kubelet_pleg_relist_duration_seconds_bucket{le=\"+Inf\"}") >= 5.0);
    assert!(
        value("rest_client_requests_total{code=\"200\",host=\"api.simulated:6443\",method=\"PUT\"")
            >= 10.0
    );
    cluster.stop().await;
}
