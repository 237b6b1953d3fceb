//! `sim-kubelet`: a stand-in for a kubelet in a process of its own, for tests that do to it what happens to real ones. It renews a
//! Lease, or posts a status after asking a real runtime, and does nothing else.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;
use nodegrace_agent::{Timeouts, kube_client};
use nodegrace_clock::Clock;
use nodegrace_proto::cri::{
    ListContainersRequest, ListImagesRequest, ListPodSandboxRequest, VersionRequest,
    image_service_client::ImageServiceClient, runtime_service_client::RuntimeServiceClient,
};
use nodegrace_sim_cluster::stamp;
use rustix::fs::OFlags;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::{Channel, Endpoint};

/// Attempts made at once, as a kubelet makes them.
const ATTEMPTS: u32 = 5;
/// What a state file holds: a page, the least a disk takes without the page cache.
const PAGE: usize = 4096;

/// A stand-in for a kubelet: renews a node's Lease, or posts its status.
#[derive(Clone, Debug, Parser)]
#[command(name = "sim-kubelet", version)]
struct Args {
    /// URL of the API server.
    #[arg(long)]
    api_server: String,

    /// The node. It is there already, and so is its Lease.
    #[arg(long)]
    node: String,

    /// Time between two renewals, or two posts.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    interval: Duration,

    /// Longest wait for an answer of the API server.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Socket of a runtime that is asked before each post. With it the status is posted, and no Lease renewed.
    #[arg(long)]
    cri_socket: Option<PathBuf>,

    /// File that is written to the disk before each renewal.
    #[arg(long)]
    state_file: Option<PathBuf>,

    /// Threads that want a processor from one SIGUSR1 to the next.
    #[arg(long, default_value_t = 0)]
    busy_threads: u32,
}

fn main() -> ExitCode {
    let args = Args::parse();
    for _ in 0..args.busy_threads {
        thread::spawn(|| {
            loop {
                if BUSY.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                } else {
                    thread::sleep(IDLE);
                }
            }
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ran = runtime
        .context("runtime")
        .and_then(|runtime| runtime.block_on(beat(&args)));
    match ran {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("sim-kubelet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the threads that want a processor do.
static BUSY: AtomicBool = AtomicBool::new(false);
/// How often they look whether they should, while they should not.
const IDLE: Duration = Duration::from_millis(50);

async fn beat(args: &Args) -> anyhow::Result<std::convert::Infallible> {
    let mut signals = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            BUSY.fetch_not(Ordering::Relaxed);
        }
    });
    kube_client::install_crypto();
    let timeouts = Timeouts {
        request: args.timeout,
        // A kubelet notices a dead connection late; one that answers late is none.
        keepalive_timeout: args.timeout,
        ..Timeouts::default()
    };
    let config = kube::Config::new(args.api_server.parse()?);
    let api_server = kube_client::connect(&config, &timeouts, &Clock::real())?;
    let runtime = args
        .cri_socket
        .as_ref()
        .map(|socket| {
            let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))?;
            anyhow::Ok(endpoint.connect_lazy())
        })
        .transpose()?;
    let posted = Posted::of(args, api_server);
    let mut latest = None;
    loop {
        if let Some(runtime) = &runtime
            && let Err(error) = ask(runtime.clone()).await
        {
            eprintln!("sim-kubelet: the runtime: {error}");
        }
        if let Some(file) = &args.state_file {
            write_state(file)?;
        }
        for _ in 0..ATTEMPTS {
            match posted.beat(latest.take()).await {
                Ok(object) => {
                    latest = Some(object);
                    break;
                }
                Err(error) => eprintln!("sim-kubelet: no heartbeat: {error:#}"),
            }
        }
        Clock::real().sleep(args.interval).await;
    }
}

/// The object that shows that the kubelet is alive.
struct Posted {
    api_server: kube::Client,
    path: String,
    status: bool,
}

impl Posted {
    fn of(args: &Args, api_server: kube::Client) -> Self {
        let (node, status) = (&args.node, args.cri_socket.is_some());
        let path = if status {
            format!("/api/v1/nodes/{node}")
        } else {
            format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}")
        };
        Self {
            api_server,
            path,
            status,
        }
    }

    /// One heartbeat, stamped now, on top of the object as it was last seen; that is asked for only where it is not known.
    async fn beat(&self, latest: Option<Value>) -> anyhow::Result<Value> {
        let mut object = if let Some(object) = latest {
            object
        } else {
            let get = http::Request::get(&self.path).body(Vec::new())?;
            self.api_server.request(get).await?
        };
        let now = Clock::real().wall();
        let path = if self.status {
            let conditions = object["status"]["conditions"].as_array_mut();
            let ready = conditions
                .into_iter()
                .flatten()
                .find(|condition| condition["type"] == "Ready");
            ready.context("the node has no Ready condition")?["lastHeartbeatTime"] =
                stamp::seconds(now).into();
            format!("{}/status", self.path)
        } else {
            object["spec"]["renewTime"] = stamp::micros(now).into();
            self.path.clone()
        };
        let put = http::Request::put(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(&object)?)?;
        Ok(self.api_server.request(put).await?)
    }
}

/// What a status needs to know of the runtime.
async fn ask(runtime: Channel) -> Result<(), tonic::Status> {
    let mut containers = RuntimeServiceClient::new(runtime.clone());
    containers.version(VersionRequest::default()).await?;
    containers
        .list_pod_sandbox(ListPodSandboxRequest {})
        .await?;
    containers.list_containers(ListContainersRequest {}).await?;
    let mut images = ImageServiceClient::new(runtime);
    images.list_images(ListImagesRequest {}).await?;
    Ok(())
}

/// Writes a page through to the disk, and waits for it.
fn write_state(file: &PathBuf) -> anyhow::Result<()> {
    /// The disk takes no other memory than that of whole pages.
    #[repr(align(4096))]
    struct Page([u8; PAGE]);

    let mut opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        // Past the page cache.
        .custom_flags(OFlags::DIRECT.bits().cast_signed())
        .open(file)
        .with_context(|| file.display().to_string())?;
    opened.write_all(&Page([1; PAGE]).0)?;
    opened.sync_data()?;
    Ok(())
}
