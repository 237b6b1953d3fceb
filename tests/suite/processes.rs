//! Agent and aggregator as separate processes, started by hand as a user would: every form of kubeconfig, and everything that
//! can be missing. What is missing is said; the rest goes on.

use std::{path::Path, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1;
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    api::{Access, Permission, Resource},
    cri::{Contents, CriRuntime},
    kubeconfig::{Credentials, kubeconfig},
    kubelet::{Kind, NodeSpec},
};
use nodegrace_tests::{
    authority::Authority,
    process::{Process, run_to_end},
    question,
    running::{Aggregator, Written, written},
};

const NODE: &str = "node-0";
const TOKEN: &str = "a-service-account-token";
const USER: &str = "system:serviceaccount:nodegrace:nodegrace-agent";

/// A cluster of one healthy node whose kubelet beats every half second of real time.
fn cluster() -> Cluster {
    let clock = Clock::scaled(20.0, Clock::real().wall());
    let node = NodeSpec::new(NODE, Kind::Healthy, 1);
    Cluster::start(ClusterSpec::new(vec![node], 1), &clock).expect("the cluster starts")
}

/// What the agent's RBAC grants, and nothing else.
fn own_reads(access: Access) -> Access {
    access
        .permit(
            USER,
            Permission::new(&["get", "list", "watch"], Resource::Node),
        )
        .permit(
            USER,
            Permission::new(&["get", "list", "watch"], Resource::Lease).within("kube-node-lease"),
        )
}

/// Lets the cluster listen without TLS, and writes the kubeconfig that leads to it.
async fn plain_kubeconfig(cluster: &Cluster) -> Written {
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let address = cluster
        .listen(loopback, None)
        .await
        .expect("the API server listens");
    written(&kubeconfig(address, &Credentials::default()))
}

/// Waits until both channels of the node have heartbeats and a period.
async fn beats(aggregator: &Aggregator) -> v1::Node {
    aggregator
        .until(NODE, |node| {
            let lease = question::channel(node, v1::Channel::Lease);
            lease.heartbeats >= 3 && lease.period.is_some_and(|period| period.count >= 2)
        })
        .await
}

#[tokio::test]
async fn every_form_of_kubeconfig_leads_to_timed_heartbeats() {
    let authority = Authority::new();
    let client = authority.client(USER);
    let by_token = Credentials {
        token: Some(TOKEN.into()),
        authority: Some(authority.pem()),
        ..Credentials::default()
    };
    let by_certificate = Credentials {
        certificate: Some(client.pem.clone()),
        authority: Some(authority.pem()),
        ..Credentials::default()
    };
    for credentials in [by_token, by_certificate] {
        let cluster = cluster();
        cluster.server().set_access(own_reads(
            Access::closed()
                .with_token(TOKEN, USER)
                .with_certificate(&client.der, USER),
        ));
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let address = cluster
            .listen(loopback, Some(authority.server()))
            .await
            .expect("the API server listens");
        let file = written(&kubeconfig(address, &credentials));
        let aggregator = Aggregator::start().await;
        let agent = aggregator.agent(NODE, &["--kubeconfig", &file.path]);
        let node = beats(&aggregator).await;
        assert_eq!(
            node.facts.expect("the Node is read").kubelet_version,
            "v1.36.2"
        );
        assert!(agent.terminate().await.success());
        assert!(aggregator.process.terminate().await.success());
        cluster.stop().await;
    }
}

#[tokio::test]
async fn a_refused_agent_says_that_it_is_blind_and_samples_on() {
    let authority = Authority::new();
    let cluster = cluster();
    cluster.server().set_access(Access::closed());
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let address = cluster
        .listen(loopback, Some(authority.server()))
        .await
        .expect("the API server listens");
    let credentials = Credentials {
        token: Some("expired".into()),
        authority: Some(authority.pem()),
        ..Credentials::default()
    };
    let file = written(&kubeconfig(address, &credentials));
    let aggregator = Aggregator::start().await;
    let _agent = aggregator.agent(NODE, &["--kubeconfig", &file.path]);
    let node = aggregator
        .until(NODE, |node| {
            node.latest_sample.is_some()
                && view(node, v1::Channel::Lease).reason() == v1::BlindReason::Forbidden
        })
        .await;
    assert_eq!(
        view(&node, v1::Channel::Lease).visibility(),
        v1::Visibility::Blind
    );
    assert!(node.running_gap.is_none() && node.margin.is_none());
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_exist_and_a_missing_socket_are_said_and_nothing_stops() {
    let cluster = cluster();
    let file = plain_kubeconfig(&cluster).await;
    let aggregator = Aggregator::start().await;
    let socket = ["--cri-socket", "/nowhere/containerd.sock"];
    let _agent = aggregator.agent(
        "absent",
        &["--kubeconfig", &file.path, socket[0], socket[1]],
    );
    let node = aggregator
        .until("absent", |node| {
            node.facts.as_ref().is_some_and(|facts| facts.missing)
                && source(node, v1::Source::Runtime).is_some()
        })
        .await;
    assert_eq!(
        view(&node, v1::Channel::Lease).visibility(),
        v1::Visibility::Absent
    );
    let runtime = source(&node, v1::Source::Runtime).expect("it was waited for");
    assert_ne!(runtime.outcome(), v1::Outcome::Ok);
    assert!(!runtime.reason.is_empty());
    let load = source(&node, v1::Source::Load).expect("another source");
    assert_eq!(load.outcome(), v1::Outcome::Ok);
    cluster.stop().await;
}

#[tokio::test]
async fn an_agent_knows_the_runtime_through_the_bridge_and_both_start_again() {
    let dir = tempfile::tempdir().expect("there is a place for files");
    let [runtimes, bridges] = ["runtime.sock", "bridge.sock"].map(|name| {
        let socket = dir.path().join(name);
        socket.to_string_lossy().into_owned()
    });
    let contents = Contents {
        running_containers: 3,
        dead_containers: 2,
        ready_sandboxes: 3,
        dead_sandboxes: 0,
        images: 4,
        image_bytes: 1 << 20,
    };
    let runtime = CriRuntime::new(Clock::real(), contents);
    let connections = CriRuntime::bind(Path::new(&runtimes)).expect("a socket");
    let _serving = tokio::spawn(async move {
        let never = std::future::pending();
        runtime.serve(connections, never).await
    });
    let args = [
        "cri-bridge",
        "--cri-socket",
        &runtimes,
        "--listen",
        &bridges,
    ];
    let mut crashed = Process::start("nodegrace-agent", &args);
    crashed.line("bridge started").await;
    crashed.kill().await;
    let mut bridge = Process::start("nodegrace-agent", &args);
    bridge.line("bridge started").await;

    let cluster = cluster();
    let file = plain_kubeconfig(&cluster).await;
    let aggregator = Aggregator::start().await;
    let flags = ["--kubeconfig", &file.path, "--cri-socket", &bridges];
    let _agent = aggregator.agent(NODE, &flags);
    let runtime = |node: &v1::Node| node.latest_sample.clone()?.runtime;
    let node = aggregator.until(NODE, |node| runtime(node).is_some()).await;
    let seen = runtime(&node).expect("it was waited for");
    assert_eq!(
        (seen.containers, seen.running_containers),
        (Some(5), Some(3))
    );
    assert_eq!((seen.images, seen.image_bytes), (Some(4), Some(256 << 20)));

    assert!(bridge.terminate().await.success());
    let ended = run_to_end("nodegrace-agent", &args[..3]);
    assert_eq!(ended.status.code(), Some(64), "{}", ended.stderr);
    let own = [
        "cri-bridge",
        "--cri-socket",
        &runtimes,
        "--listen",
        &runtimes,
    ];
    let ended = run_to_end("nodegrace-agent", &own);
    assert_eq!(ended.status.code(), Some(64), "{}", ended.stderr);
    cluster.stop().await;
}

#[tokio::test]
async fn an_unreachable_api_server_is_blindness_and_no_gap() {
    let nobody = "127.0.0.1:1".parse().expect("an address");
    let file = written(&kubeconfig(nobody, &Credentials::default()));
    let aggregator = Aggregator::start().await;
    let _agent = aggregator.agent(NODE, &["--kubeconfig", &file.path]);
    let node = aggregator
        .until(NODE, |node| {
            view(node, v1::Channel::NodeStatus).reason() == v1::BlindReason::Connection
        })
        .await;
    assert!(node.running_gap.is_none() && node.gap.is_none_or(|gap| gap.count == 0));
}

#[tokio::test]
async fn an_unreachable_aggregator_is_waited_for_and_loses_no_heartbeat() {
    let cluster = cluster();
    let file = plain_kubeconfig(&cluster).await;
    let aggregator = Aggregator::start().await;
    let port = aggregator.address;
    aggregator.process.kill().await;
    let mut agent = Aggregator::agent_for(port, NODE, &["--kubeconfig", &file.path]);
    agent.line("no stream to the aggregator").await;
    tokio::time::timeout(Duration::from_secs(60), async {
        while cluster.ledger().of(NODE).len() < 6 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the kubelet beats");
    let aggregator = Aggregator::start_at(port).await;
    let node = beats(&aggregator).await;
    assert_eq!(node.losses.unwrap_or_default(), v1::Losses::default());
    assert_eq!(
        node.observation
            .expect("it is always there")
            .forgotten_records,
        0
    );
    cluster.stop().await;
}

fn view(node: &v1::Node, channel: v1::Channel) -> v1::ChannelView {
    question::channel(node, channel)
        .view
        .clone()
        .unwrap_or_default()
}

fn source(node: &v1::Node, source: v1::Source) -> Option<v1::SourceReport> {
    let sample = node.latest_sample.as_ref()?;
    sample
        .sources
        .iter()
        .find(|report| report.source() == source)
        .cloned()
}
