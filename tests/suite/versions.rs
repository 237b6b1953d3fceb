//! Agents and aggregators one minor version apart: between the two lies what the previous version knows of each message, which is
//! what an older agent would have sent, or an older aggregator understood.

mod previous;

use std::net::SocketAddr;

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, Visibility};
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    kubeconfig::{Credentials, kubeconfig},
    kubelet::{Kind, NodeSpec},
};
use nodegrace_tests::running::{Aggregator, written};
use prost::Message as _;

use self::previous::{Between, Previous};

const NODE: &str = "node-1";
const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

#[tokio::test]
async fn reports_and_their_acknowledgements_go_through_what_the_previous_version_knows() {
    let spec = ClusterSpec::new(vec![NodeSpec::new(NODE, Kind::Healthy, 1)], 1);
    let cluster = Cluster::start(spec, &Clock::real()).expect("a cluster starts");
    let api_server = cluster.listen(SocketAddr::from(LOOPBACK), None).await;
    let api_server = api_server.expect("the API server listens");
    let kubeconfig = written(&kubeconfig(api_server, &Credentials::default()));

    let aggregator = Aggregator::start().await;
    let between = Between::start(Previous::released(), aggregator.channel()).await;
    let flags = ["--kubeconfig", &kubeconfig.path];
    let agent = Aggregator::agent_for(between, NODE, &flags);

    let seen = aggregator.until(NODE, in_sight).await;
    // What is not acknowledged is sent again, and nothing after it.
    let later = newest(&seen) + 3;
    let node = aggregator.until(NODE, |node| newest(node) > later).await;
    let known = Previous::released().known("nodegrace.v1.Node", &node);
    assert_eq!(known.name, NODE);
    assert_eq!(known.channels.len(), node.channels.len());
    assert!(agent.terminate().await.success());
    cluster.stop().await;
}

/// Without this the test above would show nothing once the versions differ.
#[test]
fn what_the_previous_version_did_not_know_does_not_go_through() {
    let spell = v1::BlindSpell {
        sequence_number: 7,
        message: "new".to_owned(),
        ..v1::BlindSpell::default()
    };
    let batch = v1::ReportBatch {
        node_name: NODE.to_owned(),
        blind_spells: vec![spell.clone()],
        ..v1::ReportBatch::default()
    };
    let through = |previous: Previous| previous.known("nodegrace.v1.ReportBatch", &batch);
    assert_eq!(through(Previous::released()), batch);
    let older = through(Previous::without("BlindSpell", "message"));
    let spell = v1::BlindSpell {
        message: String::new(),
        ..spell
    };
    assert_eq!(older.blind_spells, [spell]);
    assert!(older.encoded_len() < batch.encoded_len());
}

fn in_sight(node: &v1::Node) -> bool {
    let seen = node.channels.iter().filter(|figures| {
        let view = figures.view.as_ref();
        view.is_some_and(|view| view.visibility() == Visibility::Observed)
    });
    seen.count() == 2 && newest(node) > 0
}

fn newest(node: &v1::Node) -> u64 {
    let sample = node.latest_sample.as_ref();
    sample.map_or(0, |sample| sample.sequence_number)
}
