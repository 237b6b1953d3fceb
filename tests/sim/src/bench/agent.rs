//! The agent table: a real agent on a node with 500 containers and 500 images, and prometheus-node-exporter beside it.

mod figures;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{Channel, GetNodeRequest, query_client::QueryClient};
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    kubeconfig::{Credentials, kubeconfig},
    kubelet::{Kind, NodeSpec},
};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;

use self::figures::{Size, Taken};
use super::{
    aggregator::{Server, Setup, free_port},
    args::Common,
    footprint::{Memory, Processor, instructions},
    http,
    process::{Launch, Running},
    programs::Programs,
};

const NODE: &str = "node-with-much-on-it";
const CONTAINERS: u32 = 500;
const IMAGES: u32 = 500;
const NODE_EXPORTER: &str = "prometheus-node-exporter";
/// How often it is scraped, as often as the agent samples.
const SCRAPE: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints the table.
///
/// # Errors
/// When a process cannot start, prometheus-node-exporter above all.
pub(super) async fn run(common: &Common) -> anyhow::Result<()> {
    let programs = Programs::of(common)?;
    let length = Duration::from_secs(if common.quick { 60 } else { 300 });
    let place = TempDir::with_prefix("nodegrace-bench-")?;
    let clock = Clock::real();
    let machines = TempDir::new_in("/dev/shm")?;
    let node = NodeSpec {
        pods: 110,
        running_containers: CONTAINERS,
        dead_containers: 0,
        images: IMAGES,
        ..NodeSpec::new(NODE, Kind::Healthy, 1)
    };
    let mut cluster = ClusterSpec::new(vec![node], 1);
    cluster.machines = Some(machines.path().into());
    let cluster = Cluster::start(cluster, &clock)?;
    let server = Server::aggregator(&programs, Setup::default(), place.path()).await?;

    let exporter_address = free_port().await?;
    let exporter = Launch::new(
        NODE_EXPORTER,
        [format!("--web.listen-address={exporter_address}")],
        place.path().join("node-exporter.log"),
    );
    let mut exporter = exporter.start()?;
    let launch = agent(&programs, &cluster, &server, place.path()).await?;
    let started = clock.now();
    let mut agent = launch.start()?;
    let first = first_heartbeat(&server, &mut agent, &clock).await? - started;

    let scraper = tokio::spawn(async move {
        loop {
            let scraped = http::get(exporter_address, "/metrics", true).await;
            if let Err(error) = scraped {
                eprintln!("bench: a scrape of {NODE_EXPORTER} failed: {error:#}");
            }
            Clock::real().sleep(SCRAPE).await;
        }
    });
    clock.sleep(WARM_UP).await;
    http::get(exporter_address, "/metrics", false)
        .await
        .with_context(|| {
            format!("{NODE_EXPORTER} does not answer: install the Debian package of this name")
        })?;
    let [agent, exporter] = watch([&mut agent, &mut exporter], length).await?;
    scraper.abort();
    let in_mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let size = Size {
        file: in_mib(fs::metadata(programs.agent())?.len()),
        instructions: in_mib(instructions(programs.agent())?),
    };
    figures::table(&agent, &exporter, first, &size, length).print();
    server.stop().await?;
    cluster.stop().await;
    Ok(())
}

/// The agent as a `DaemonSet` starts it: API server and kubelet with TLS, the runtime's socket, this machine's /proc.
async fn agent(
    programs: &Programs,
    cluster: &Cluster,
    server: &Server,
    place: &Path,
) -> anyhow::Result<Launch> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut tls = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tls = std::sync::Arc::new(tls);
    let api_server = cluster
        .listen(free_port().await?, Some(tls.clone()))
        .await?;
    let listener = TcpListener::bind(free_port().await?).await?;
    let kubelet = cluster.serve_kubelets(listener, Some(tls))?;
    let paths = cluster.machine_paths(NODE).context("a machine")?;
    let credentials = Credentials {
        authority: Some(made.cert.pem()),
        ..Credentials::default()
    };
    let file = |name: &str, text: String| {
        let path = place.join(name);
        fs::write(&path, text).map(|()| path)
    };
    let kubeconfig = file("kubeconfig", kubeconfig(api_server, &credentials))?;
    // This process stands for the kubelet's.
    let pid = file("kubelet.pid", std::process::id().to_string())?;
    let spool = place.join("spool");
    fs::create_dir(&spool)?;
    let arguments = [
        format!("--node-name={NODE}"),
        format!("--aggregator=http://{}", server.grpc),
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--kubelet-pid-file={}", pid.display()),
        format!("--kubelet-url=https://{kubelet}/{NODE}"),
        "--kubelet-insecure".to_owned(),
        format!("--cri-socket={}", paths.cri_socket.display()),
        format!("--spool-dir={}", spool.display()),
    ];
    Ok(Launch::new(
        programs.agent(),
        arguments,
        place.join("agent.log"),
    ))
}

/// When the aggregator knows a heartbeat of the node.
async fn first_heartbeat(
    server: &Server,
    agent: &mut Running,
    clock: &Clock,
) -> anyhow::Result<Duration> {
    let mut query = QueryClient::connect(format!("http://{}", server.grpc)).await?;
    let give_up = clock.now() + PATIENCE;
    loop {
        let request = GetNodeRequest {
            name: NODE.to_owned(),
        };
        let node = query.get_node(request).await.ok();
        let channels = node
            .map(|node| node.into_inner().channels)
            .unwrap_or_default();
        let lease = channels.iter().find(|one| one.channel() == Channel::Lease);
        if lease.is_some_and(|lease| lease.last_stamp_time.is_some()) {
            return Ok(clock.now());
        }
        let ended = agent.ended()?;
        ensure!(
            ended.is_none() && clock.now() < give_up,
            "no heartbeat comes from the agent: {}",
            agent.last_word()
        );
        clock.sleep(Duration::from_millis(2)).await;
    }
}

/// What both take in the same time.
async fn watch(both: [&mut Running; 2], length: Duration) -> anyhow::Result<[Taken; 2]> {
    let clock = Clock::real();
    let [agent, exporter] = both;
    let ids = [agent.id()?, exporter.id()?];
    let mut processors = ids.map(Processor::of);
    let mut before = [(Duration::ZERO, 0); 2];
    for (processor, (used, turns)) in processors.iter_mut().zip(&mut before) {
        *used = processor.used()?;
        *turns = processor.turns();
    }
    let start = clock.now();
    while clock.now() < start + length {
        clock.sleep(Duration::from_secs(1)).await;
        for processor in &mut processors {
            processor.used()?;
        }
    }
    let lasted = (clock.now() - start).as_secs_f64();
    let mut taken = Vec::new();
    for ((mut processor, (used, turns)), id) in processors.into_iter().zip(before).zip(ids) {
        let used = processor.used()?.saturating_sub(used);
        taken.push(Taken {
            memory: Memory::of(id)?,
            cpu: used.as_secs_f64() * 1e3 * 10.0 / lasted,
            turns: processor.turns().saturating_sub(turns) as f64 * 10.0 / lasted,
        });
    }
    taken.try_into().ok().context("two of them")
}
