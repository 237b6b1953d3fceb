//! The endpoint story: addresses that go with a node, from the cluster's own words back to the late heartbeat.

use std::{collections::BTreeMap, time::Duration};

use nodegrace_aggregator::StoreConfig;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim::System;
use nodegrace_sim_cluster::{
    api::{Key, Resource},
    kubelet::{Effect, Kind},
    workload::NAMESPACE,
};
use nodegrace_tests::{
    question,
    virtual_time::{minutes, nodes, seconds, spec, start},
};

/// A system whose aggregator watches a cluster of so many healthy nodes.
fn watched(count: usize, store: Option<StoreConfig>) -> System {
    let mut spec = spec(nodes(&vec![Kind::Healthy; count], 1), 1);
    spec.watch_cluster = true;
    spec.aggregators[0].store = store;
    start(spec)
}

/// Lets something befall a node for so many seconds.
fn befall(system: &System, node: &str, effect: Effect, seconds: u64) {
    let node = system.cluster().node(node).expect("it is there");
    node.inject(effect, Duration::from_secs(seconds));
}

async fn flips(system: &System) -> Vec<v1::Flip> {
    let request = v1::ListFlipsRequest {
        order_by: "seen_time".into(),
        addresses: true,
        ..v1::ListFlipsRequest::default()
    };
    let mut client = QueryClient::new(system.queries());
    let answer = client.list_flips(request).await.expect("flips");
    answer.into_inner().flips
}

async fn story(system: &System, service: &str) -> v1::ExplainEndpointResponse {
    let request = v1::ExplainEndpointRequest {
        namespace: NAMESPACE.into(),
        service: service.into(),
        ..v1::ExplainEndpointRequest::default()
    };
    let mut client = QueryClient::new(system.queries());
    let answer = client.explain_endpoint(request).await;
    answer.expect("a story").into_inner()
}

/// The story as people read it.
fn told(story: &v1::ExplainEndpointResponse) -> String {
    let lines = story
        .entries
        .iter()
        .map(|entry| format!("{}\n", entry.sentence));
    format!("{}\n{}", story.summary, lines.collect::<String>())
}

#[tokio::test(start_paused = true)]
async fn a_vanished_address_is_traced_back_to_its_late_heartbeat() {
    let system = watched(5, None);
    minutes(&system, 5).await;
    befall(&system, "node-2", Effect::Stopped, 55);
    minutes(&system, 4).await;
    let story = story(&system, "svc-000").await;
    assert_eq!(told(&story), include_str!("golden/explained.txt"));
    assert_eq!(story.flips.len(), 1);
    let flip = &story.flips[0];
    assert!(flip.seen_by_watch && flip.seen_by_agent, "counted once");
    assert_eq!(flip.kind(), v1::FlipKind::HeartbeatLost);
    assert!(flip.unready_for.is_some() && flip.outage.is_some());
    assert!(!flip.taints.is_empty());
    assert_eq!(flips(&system).await.len(), 1);
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_lost_heartbeat_is_never_told_as_one() {
    let system = watched(5, None);
    minutes(&system, 5).await;
    befall(&system, "node-0", Effect::RuntimeDown, 120);
    befall(&system, "node-1", Effect::Rebooted, 90);
    let store = system.cluster().server().store();
    store
        .delete(Resource::Node, &Key::cluster("node-2"))
        .expect("it is there");
    minutes(&system, 5).await;
    system.cluster().controller().freeze_leases(true);
    seconds(&system, 60).await;
    system.cluster().controller().freeze_leases(false);
    minutes(&system, 5).await;

    let flips = flips(&system).await;
    let kinds_of = |node: &str| -> Vec<v1::FlipKind> {
        let of_node = flips.iter().filter(|flip| flip.node_name == node);
        of_node.map(v1::Flip::kind).collect()
    };
    assert_eq!(kinds_of("node-0")[0], v1::FlipKind::KubeletNotReady);
    assert_eq!(kinds_of("node-1")[0], v1::FlipKind::NodeRebooted);
    assert_eq!(kinds_of("node-4"), [v1::FlipKind::ControllerStale]);
    let lost = flips
        .iter()
        .filter(|flip| flip.kind() == v1::FlipKind::HeartbeatLost);
    assert_eq!(lost.count(), 0, "{flips:#?}");
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn flips_and_what_went_with_them_survive_a_restart_to_the_digit() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut system = watched(5, Some(StoreConfig::new(directory.path())));
    minutes(&system, 5).await;
    befall(&system, "node-2", Effect::Stopped, 55);
    minutes(&system, 3).await;
    let before = flips(&system).await;
    assert_eq!(before.len(), 1);
    assert!(!before[0].addresses.is_empty());
    seconds(&system, 2).await;
    system.crash_aggregator(0).await;
    system.start_aggregator(0).expect("it starts");
    seconds(&system, 5).await;
    assert_eq!(flips(&system).await, before);

    // What flips while nobody watches is found, once.
    system.crash_aggregator(0).await;
    befall(&system, "node-3", Effect::Stopped, 100);
    seconds(&system, 70).await;
    system.start_aggregator(0).expect("it starts");
    minutes(&system, 3).await;
    let after = flips(&system).await;
    assert_eq!(after.len(), 2, "{after:#?}");
    assert_eq!(after[1].node_name, "node-3");
    assert!(after[1].ready_again_time.is_some());
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn what_was_booted_or_deleted_while_nobody_watched_lost_no_heartbeats_either() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut system = watched(5, Some(StoreConfig::new(directory.path())));
    minutes(&system, 5).await;
    befall(&system, "node-1", Effect::Rebooted, 150);
    befall(&system, "node-2", Effect::Stopped, 900);
    seconds(&system, 60).await;
    assert_eq!(flips(&system).await.len(), 2);
    system.crash_aggregator(0).await;
    let store = system.cluster().server().store();
    store
        .delete(Resource::Node, &Key::cluster("node-2"))
        .expect("it is there");
    seconds(&system, 150).await;
    system.start_aggregator(0).expect("it starts");
    minutes(&system, 2).await;
    let kinds: BTreeMap<String, v1::FlipKind> = flips(&system)
        .await
        .into_iter()
        .map(|flip| (flip.node_name.clone(), flip.kind()))
        .collect();
    let expected = [
        ("node-1".to_owned(), v1::FlipKind::NodeRebooted),
        ("node-2".to_owned(), v1::FlipKind::NodeDeleted),
    ];
    assert_eq!(kinds, expected.into());
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn nodes_and_agents_that_lack_each_other_are_counted_apart() {
    let mut system = watched(4, None);
    minutes(&system, 5).await;
    let watch = question::fleet(system.queries()).await.cluster_watch;
    let phase = |watch: &Option<v1::WatchProgress>| watch.as_ref().map(v1::WatchProgress::phase);
    let watch = watch.expect("it is always there");
    assert_eq!(phase(&watch.nodes), Some(v1::WatchPhase::Complete));
    assert_eq!(
        phase(&watch.endpoint_slices),
        Some(v1::WatchPhase::Complete)
    );

    system.stop_agent("node-0").await.expect("it stops");
    let store = system.cluster().server().store();
    store
        .delete(Resource::Node, &Key::cluster("node-1"))
        .expect("it is there");
    store
        .create(
            Resource::Node,
            serde_json::json!({"metadata": {"name": "bare"}, "spec": {}, "status": {}}),
            "test",
        )
        .expect("it is new");
    minutes(&system, 2).await;
    let fleet = question::fleet(system.queries()).await;
    let agents = fleet.agent_coverage.expect("nodes are watched");
    assert_eq!(agents.without_agent_names, ["bare"]);
    assert_eq!(agents.without_node_names, ["node-1"]);
    assert_eq!(agents.silent_agent_names, ["node-0"]);
    let no_agent = fleet
        .states
        .iter()
        .find(|count| count.state() == v1::State::NoAgent);
    assert_eq!(no_agent.map(|count| count.nodes), Some(1));
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn services_on_endangered_nodes_are_known_before_anything_flips() {
    let system = watched(5, None);
    minutes(&system, 5).await;
    befall(&system, "node-2", Effect::Stopped, 35);
    seconds(&system, 32).await;
    let node = question::node(system.queries(), "node-2").await;
    assert_eq!(node.state(), v1::State::Overdue);
    let blast = node.blast_radius.expect("slices are watched");
    assert!(blast.addresses > 0 && blast.total_services > 0);
    let mut client = QueryClient::new(system.queries());
    let mut token = String::new();
    let mut at_risk = Vec::new();
    loop {
        let request = v1::ListServicesAtRiskRequest {
            page_size: 1,
            page_token: token,
        };
        let page = client.list_services_at_risk(request).await;
        let page = page.expect("a page").into_inner();
        at_risk.extend(page.services);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(at_risk.len() as u32, blast.total_services);
    assert!(
        at_risk
            .iter()
            .all(|service| service.node_names == ["node-2"])
    );
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_and_a_version_too_old_are_both_got_over() {
    let system = watched(3, None);
    let server = system.cluster().server();
    server.serve_streaming_lists(false);
    minutes(&system, 3).await;
    server.store().forget_changes();
    server.store().expire_watches();
    befall(&system, "node-1", Effect::Stopped, 70);
    minutes(&system, 3).await;
    let story = story(&system, "svc-000").await;
    assert_eq!(story.flips.len(), 1, "{}", told(&story));
    assert_eq!(story.warning, "");
    let fleet = question::fleet(system.queries()).await;
    let watch = fleet.cluster_watch.and_then(|watch| watch.nodes);
    assert!(watch.expect("it is watched").relists > 0);
    system.stop().await.expect("everything stops");
}
