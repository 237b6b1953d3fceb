//! What the watches of a large cluster cost the aggregator: memory, the time until everything is listed, and the time from a change
//! in the API server to the answer that tells it.
//!
//! `cargo run --release -p nodegrace-sim --example endpoint_scale`, some 15 s. Both sides are in this process and talk over TCP;
//! memory is what is allocated beyond what the simulated API server held before, by the allocator's own count.

use std::{
    alloc::System,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use cap::Cap;
use nodegrace_agent::{Timeouts, kube_client};
use nodegrace_aggregator::{ApiServer as Watched, Config};
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Key, Resource, Selector, Store, Writer},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// Counts what is allocated; its limit is none.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Nodes, Services and addresses of the cluster: the largest that Kubernetes promises.
const NODES: usize = 5_000;
const SERVICES: usize = 20_000;
const ADDRESSES: usize = 150_000;
/// Changes timed.
const CHANGES: usize = 100;
/// Pause between two questions: what is timed is no finer.
const PAUSE: Duration = Duration::from_millis(1);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "load";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    kube_client::install_crypto();
    let clock = Clock::real();
    let server = ApiServer::new(Store::new(clock.clone(), 1), clock.clone());
    fill(server.store())?;
    let address = server.listen(loopback(), None).await?;
    println!("{NODES} nodes, {SERVICES} Services, {ADDRESSES} addresses; 2 threads for both sides");
    for streaming in [true, false] {
        server.serve_streaming_lists(streaming);
        measure(&server, address, &clock, streaming).await?;
    }
    server.stop().await;
    Ok(())
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Starts an aggregator, and prints what it takes.
async fn measure(
    server: &ApiServer,
    address: SocketAddr,
    clock: &Clock,
    streaming: bool,
) -> anyhow::Result<()> {
    let held = HEAP.allocated();
    let url = format!("http://{address}").parse()?;
    let client = kube_client::connect(&kube::Config::new(url), &Timeouts::default(), clock)?;
    let config = Config {
        cluster: Some(Watched::new(client)),
        ..Config::default()
    };
    let grpc = TcpListener::bind(loopback()).await?;
    let http = TcpListener::bind(loopback()).await?;
    let url = format!("http://{}", grpc.local_addr()?);
    let (stop, begun) = (CancellationToken::new(), clock.now());
    let run = nodegrace_aggregator::run(config, clock.clone(), grpc, http, stop.clone());
    let running = tokio::spawn(run);
    let client = QueryClient::new(Channel::from_shared(url)?.connect_lazy());
    let listed = until(clock, begun, || is_listed(client.clone())).await?;
    // What listing took besides goes at once.
    clock.sleep(Duration::from_secs(1)).await;
    let bytes = HEAP.allocated().saturating_sub(held) as f64;
    println!(
        "{}: listed after {:.2} s; {:.1} MiB held, {:.0} KiB for 1,000 objects, {:.0} bytes for an address",
        if streaming {
            "streaming lists"
        } else {
            "page by page"
        },
        listed.as_secs_f64(),
        bytes / f64::from(1 << 20),
        bytes / 1024.0 / ((NODES + SERVICES) as f64 / 1000.0),
        bytes / ADDRESSES as f64,
    );
    let mut taken = Vec::new();
    for number in 0..CHANGES {
        // Others than those of the round before.
        let service = format!("svc-{}", (number * 97 + usize::from(streaming)) % SERVICES);
        let changed = clock.now();
        lose_first(server.store(), &service)?;
        let told = until(clock, changed, || is_told(client.clone(), service.clone()));
        taken.push(told.await?);
    }
    taken.sort_unstable();
    let millis = |place: usize| taken[place].as_secs_f64() * 1e3;
    println!(
        "  from a change to the answer that tells it: {:.1} ms median, {:.1} ms at most, of {CHANGES}",
        millis(CHANGES / 2),
        millis(CHANGES - 1),
    );
    stop.cancel();
    running.await?
}

/// Asks until the answer is yes, and says how long that took since `begun`.
async fn until<F: Future<Output = bool>>(
    clock: &Clock,
    begun: Duration,
    is_so: impl Fn() -> F,
) -> anyhow::Result<Duration> {
    while !is_so().await {
        anyhow::ensure!(clock.now() - begun < PATIENCE, "it took too long");
        clock.sleep(PAUSE).await;
    }
    Ok(clock.now() - begun)
}

async fn is_listed(mut client: QueryClient<Channel>) -> bool {
    let Ok(fleet) = client.get_fleet(v1::GetFleetRequest {}).await else {
        return false;
    };
    let watch = fleet.into_inner().cluster_watch.unwrap_or_default();
    let is_complete = |watch: &Option<v1::WatchProgress>| {
        let phase = watch.as_ref().map(v1::WatchProgress::phase);
        phase == Some(v1::WatchPhase::Complete)
    };
    is_complete(&watch.nodes)
        && is_complete(&watch.endpoint_slices)
        && watch.addresses == ADDRESSES as u64
}

async fn is_told(mut client: QueryClient<Channel>, service: String) -> bool {
    let request = v1::ExplainEndpointRequest {
        namespace: NAMESPACE.to_owned(),
        service,
        ..v1::ExplainEndpointRequest::default()
    };
    let story = client.explain_endpoint(request).await;
    story.is_ok_and(|story| !story.get_ref().entries.is_empty())
}

/// Takes the readiness from the first ready address of a Service.
fn lose_first(store: &Store, service: &str) -> anyhow::Result<()> {
    let writer = Writer {
        manager: NAMESPACE,
        status: false,
    };
    let key = Key::new(NAMESPACE, service);
    store.update(Resource::EndpointSlice, &key, writer, |slice| {
        let mut endpoints = slice["endpoints"].as_array_mut().into_iter().flatten();
        if let Some(endpoint) = endpoints.find(|one| one["conditions"]["ready"] == true) {
            endpoint["conditions"]["ready"] = false.into();
        }
        Ok(())
    })?;
    Ok(())
}

fn fill(store: &Store) -> anyhow::Result<()> {
    for number in 0..NODES {
        store
            .create(Resource::Node, node(number), NAMESPACE)
            .context("a node")?;
    }
    let mut address = 0;
    for number in 0..SERVICES {
        let end = ADDRESSES * (number + 1) / SERVICES;
        let endpoints: Vec<Value> = (address..end).map(endpoint).collect();
        address = end;
        store
            .create(
                Resource::EndpointSlice,
                slice(number, &endpoints),
                NAMESPACE,
            )
            .context("a slice")?;
    }
    // The server keeps each object as it was sent first: its memory, and no aggregator's.
    for resource in [Resource::Node, Resource::EndpointSlice] {
        for object in store.list(resource, &Selector::default()).0 {
            object.json();
        }
    }
    Ok(())
}

fn node(number: usize) -> Value {
    json!({
        "metadata": {"name": format!("node-{number}")},
        "status": {
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    })
}

fn endpoint(number: usize) -> Value {
    let [_, high, middle, low] = (number as u32).to_be_bytes();
    json!({
        "addresses": [format!("10.{high}.{middle}.{low}")],
        "conditions": {"ready": true, "serving": true, "terminating": false},
        "nodeName": format!("node-{}", number % NODES),
        "targetRef": {
            "kind": "Pod",
            "namespace": NAMESPACE,
            "name": format!("app-{number}-7d9c5b7b4-x2k9q"),
        },
    })
}

fn slice(number: usize, endpoints: &[Value]) -> Value {
    json!({
        "metadata": {
            "name": format!("svc-{number}"),
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": format!("svc-{number}")},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    })
}
