//! The cluster's watches against an API server that does everything wrong, by a script.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::StreamBody;
use hyper::{
    Request, Response,
    body::{Bytes, Frame},
};
use kube::client::Body;
use nodegrace_aggregator::{ApiServer, Config, MetricsFormat};
use nodegrace_proto::v1;
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    kubelet::{Effect, Kind, NodeSpec},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower::service_fn;

use crate::kit::{World, a_clock, api_server::client, seconds};

/// How everything is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Streaming,
    Page,
    Watch,
}

/// What is answered.
enum Answer {
    /// These lines, and then nothing more.
    Open(Vec<Value>),
    /// These lines, and the end.
    Ends(Vec<Value>),
    /// Nothing, and the end half a second later.
    Cut,
    Refused(u16),
}

use Answer::{Cut, Ends, Open, Refused};
use Asked::{Page, Streaming, Watch};

/// What was asked of slices.
type Log = Arc<Mutex<Vec<Asked>>>;

/// An aggregator that watches an API server which has one node, and answers by `script` what is asked of slices.
fn world(script: impl Fn(Asked, usize) -> Answer + Send + Sync + Clone + 'static) -> (World, Log) {
    let log = Log::default();
    let asked = Arc::clone(&log);
    let service = service_fn(move |request: Request<Body>| {
        let query = request.uri().query().unwrap_or_default();
        let how = match (
            query.contains("sendInitialEvents"),
            query.contains("watch=true"),
        ) {
            (true, _) => Streaming,
            (false, true) => Watch,
            (false, false) => Page,
        };
        let answer = if request.uri().path().ends_with("/nodes") {
            match how {
                Streaming => Open(vec![added(&node()), listed()]),
                _ => Open(Vec::new()),
            }
        } else {
            let mut asked = asked.lock().expect("no panic");
            asked.push(how);
            script(how, asked.iter().filter(|one| **one == how).count())
        };
        std::future::ready(Ok::<_, Infallible>(response(answer)))
    });
    let config = Config {
        cluster: Some(ApiServer::new(kube::Client::new(service, "default"))),
        ..Config::default()
    };
    (World::start(config, a_clock()), log)
}

/// A body that goes on for as long as its script says.
type Lines = UnboundedReceiverStream<Result<Frame<Bytes>, Infallible>>;

fn response(answer: Answer) -> Response<StreamBody<Lines>> {
    let (sender, body) = mpsc::unbounded_channel();
    let send = |value: &Value| {
        let _ = sender.send(Ok(Frame::data(Bytes::from(format!("{value}\n")))));
    };
    let mut code = 200;
    match answer {
        Open(lines) => {
            lines.iter().for_each(send);
            tokio::spawn(async move { sender.closed().await });
        }
        Ends(lines) => lines.iter().for_each(send),
        Cut => {
            tokio::spawn(async move {
                let _ = tokio::time::timeout(Duration::from_millis(500), sender.closed()).await;
            });
        }
        Refused(429) => {
            code = 429;
            // What is too much is refused before anything knows how to write a Status.
            let text = Bytes::from_static(b"Too many requests, please try again later.\n");
            let _ = sender.send(Ok(Frame::data(text)));
        }
        Refused(refused) => {
            code = refused;
            send(&json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "endpointslices is forbidden to somebody", "reason": "Forbidden", "code": code,
            }));
        }
    }
    let body = StreamBody::new(UnboundedReceiverStream::new(body));
    let mut response = Response::new(body);
    *response.status_mut() = code.try_into().expect("a code");
    response
}

fn added(object: &Value) -> Value {
    json!({"type": "ADDED", "object": object})
}

/// The bookmark that ends a streaming list.
fn listed() -> Value {
    json!({"type": "BOOKMARK", "object": {"kind": "any", "apiVersion": "v1", "metadata": {
        "resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"},
    }}})
}

fn node() -> Value {
    json!({"metadata": {"name": "bare", "uid": "uid", "resourceVersion": "5"}, "status": {"conditions": [
        {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]}})
}

/// A slice of one ready address, of the Service or of none.
fn slice(of_service: bool, version: u32) -> Value {
    let labels = if of_service {
        json!({"kubernetes.io/service-name": "web"})
    } else {
        json!({})
    };
    json!({
        "metadata": {"name": "web-1", "namespace": "shop", "resourceVersion": version.to_string(), "labels": labels},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "nodeName": "bare"}],
    })
}

fn page() -> Answer {
    Ends(vec![
        json!({"metadata": {"resourceVersion": "7"}, "items": [slice(true, 6)]}),
    ])
}

fn count(log: &Log, how: Asked) -> usize {
    let log = log.lock().expect("no panic");
    log.iter().filter(|one| **one == how).count()
}

/// How far the watch of slices is.
async fn phase(world: &World) -> v1::WatchPhase {
    let watch = world.fleet().await.cluster_watch;
    let slices = watch.and_then(|watch| watch.endpoint_slices);
    slices.expect("it is watched").phase()
}

async fn explain(world: &World) -> Result<v1::ExplainEndpointResponse, tonic::Status> {
    let request = v1::ExplainEndpointRequest {
        namespace: "shop".into(),
        service: "web".into(),
        ..v1::ExplainEndpointRequest::default()
    };
    let story = world.query().explain_endpoint(request).await;
    story.map(tonic::Response::into_inner)
}

#[tokio::test(start_paused = true)]
async fn a_list_that_always_dies_part_way_is_asked_for_more_and_more_seldom() {
    let (world, log) = world(|_, _| Ends(vec![added(&slice(true, 6))]));
    world.pass(seconds(600)).await;
    let lists = count(&log, Streaming);
    assert!((10..40).contains(&lists), "{lists} lists in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_refused_again_and_again_leads_to_a_new_list() {
    let (world, log) = world(|how, _| match how {
        Streaming => Ends(vec![added(&slice(true, 6)), listed()]),
        _ => Refused(429),
    });
    world.pass(seconds(600)).await;
    let (lists, watches) = (count(&log, Streaming), count(&log, Watch));
    assert!((2..12).contains(&lists), "{lists} lists, {watches} watches");
    assert!(watches > lists);
    assert!(lists + watches < 100, "{lists} lists, {watches} watches");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_cut_off_whenever_it_is_opened_stays_behind() {
    let (world, log) = world(|how, times| match (how, times) {
        (Streaming, 1) => Ends(vec![added(&slice(true, 6)), listed()]),
        (Watch, _) => Cut,
        _ => Refused(503),
    });
    for _ in 0..100 {
        world.pass(Duration::from_millis(250)).await;
        assert_eq!(phase(&world).await, v1::WatchPhase::Behind);
    }
    assert!(count(&log, Watch) > 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_could_not_stream_a_list_once_is_asked_again_later() {
    let (world, log) = world(|how, times| match (how, times) {
        (Streaming, 1) => Refused(500),
        (Streaming, _) => Open(vec![added(&slice(true, 6)), listed()]),
        (Page, _) => page(),
        // The version is soon too old.
        (Watch, _) => Ends(vec![json!({"type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old", "reason": "Expired", "code": 410,
        }})]),
    });
    world.pass(seconds(60)).await;
    assert_eq!(count(&log, Streaming), 1);
    assert!(count(&log, Page) > 1);
    world.pass(seconds(900)).await;
    assert!(count(&log, Streaming) > 1);
    let story = explain(&world).await.expect("a story");
    assert_eq!(story.ready_addresses, Some(1));
}

#[tokio::test(start_paused = true)]
async fn why_nothing_is_listed_stands_in_every_answer_that_lacks_it() {
    let (world, log) = world(|_, _| Refused(403));
    world.pass(seconds(600)).await;
    let asked = count(&log, Streaming);
    assert!(
        asked <= 18,
        "asked {asked} times although it is not permitted"
    );
    let refused = explain(&world).await.expect_err("nothing is listed");
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert!(refused.message().contains("forbidden"), "{refused}");
    let flips = world
        .query()
        .list_flips(v1::ListFlipsRequest::default())
        .await;
    let flips = flips.expect("an answer").into_inner();
    assert!(flips.warning.contains("forbidden"), "{}", flips.warning);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_permits_nothing_for_a_moment_is_asked_again_soon() {
    let (world, _) = world(|how, times| match (how, times) {
        (Streaming, 1) => Ends(vec![added(&slice(true, 6)), listed()]),
        (Watch, 1 | 2) => Refused(403),
        _ => Open(Vec::new()),
    });
    world.pass(seconds(1)).await;
    assert_eq!(phase(&world).await, v1::WatchPhase::Behind);
    world.pass(seconds(20)).await;
    assert_eq!(phase(&world).await, v1::WatchPhase::Complete);

    // The same of one that was never listed.
    let (world, _) = self::world(|_, times| match times {
        1 | 2 => Refused(401),
        _ => Open(vec![added(&slice(true, 6)), listed()]),
    });
    world.pass(seconds(20)).await;
    assert_eq!(phase(&world).await, v1::WatchPhase::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_slice_that_loses_its_service_takes_its_addresses_along() {
    let (world, _) = world(|_, _| {
        let change = json!({"type": "MODIFIED", "object": slice(false, 8)});
        Open(vec![added(&slice(true, 6)), listed(), change])
    });
    world.pass(seconds(1)).await;
    let story = explain(&world).await.expect("a story");
    assert_eq!((story.ready_addresses, story.addresses), (Some(0), Some(0)));
    assert!(
        story.summary.contains("shop/web has no address now"),
        "{}",
        story.summary
    );
    let kinds: Vec<_> = story.entries.iter().map(v1::TimelineEntry::kind).collect();
    assert_eq!(kinds, [v1::TimelineKind::AddressRemoved]);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_an_agent_is_answered_from_the_watch() {
    let (world, _) = world(|_, _| Open(vec![added(&slice(true, 6)), listed()]));
    world.pass(seconds(1)).await;
    let request = v1::GetNodeRequest {
        name: "bare".into(),
    };
    let node = world
        .query()
        .get_node(request)
        .await
        .expect("a node")
        .into_inner();
    assert_eq!(node.state(), v1::State::NoAgent);
    let metrics = world.aggregator.metrics(MetricsFormat::Text).await;
    let metrics = metrics.expect("an answer");
    assert!(metrics.contains("\nnodegrace_nodes{state=\"NO_AGENT\"} 1\n"));
    let ready = node.ready.as_ref().map(v1::Ready::status);
    assert_eq!(ready, Some(v1::ConditionStatus::True));
    assert_eq!(
        node.blast_radius
            .expect("slices are watched")
            .without_any_left,
        1
    );
    let request = v1::GetNodeRequest {
        name: "nobody".into(),
    };
    let nobody = world.query().get_node(request).await;
    assert_eq!(nobody.expect_err("unknown").code(), tonic::Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn since_when_changes_are_known_is_told_and_asking_for_more_is_warned_of() {
    let (world, _) = world(|_, _| Open(vec![added(&slice(true, 6)), listed()]));
    world.pass(Duration::from_secs(100)).await;
    let story = explain(&world).await.expect("a story");
    let since = story.changes_since_time.expect("it is listed");
    assert_eq!(story.warning, "");
    let asked = v1::ExplainEndpointRequest {
        namespace: "shop".into(),
        service: "web".into(),
        since_time: Some(timestamp(since.seconds - 60)),
        ..v1::ExplainEndpointRequest::default()
    };
    let story = world.query().explain_endpoint(asked).await;
    let story = story.expect("a story").into_inner();
    assert!(
        story.warning.contains("changes_since_time"),
        "{}",
        story.warning
    );
}

fn timestamp(seconds: i64) -> nodegrace_proto::prost_types::Timestamp {
    nodegrace_proto::prost_types::Timestamp { seconds, nanos: 0 }
}

/// The kinds of an agent's flips, each so many seconds after a heartbeat, under a flag of 50 s.
async fn kinds_after(delays: &[u64]) -> Vec<v1::FlipKind> {
    let world = World::new();
    let mut agent = world.agent("node-1").await;
    for delay in delays {
        agent.beats(10, seconds(10)).await;
        world.pass(seconds(*delay)).await;
        let gone = agent.ready(v1::ConditionStatus::Unknown);
        agent.send(gone).await.expect("an ack");
        world.pass(seconds(1)).await;
        let beat = agent.beat();
        agent.send(beat).await.expect("an ack");
        let back = agent.ready(v1::ConditionStatus::True);
        agent.send(back).await.expect("an ack");
    }
    world.pass(seconds(10)).await;
    let flips = world
        .query()
        .list_flips(v1::ListFlipsRequest::default())
        .await;
    let flips = flips.expect("flips").into_inner().flips;
    flips.iter().map(v1::Flip::kind).collect()
}

#[tokio::test(start_paused = true)]
async fn a_grace_period_that_the_flag_does_not_know_of_makes_no_stale_controller() {
    assert_eq!(
        kinds_after(&[41, 43, 44]).await,
        [v1::FlipKind::HeartbeatLost; 3]
    );
    assert_eq!(
        kinds_after(&[8, 3, 6]).await,
        [v1::FlipKind::ControllerStale; 3]
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_not_ready_takes_no_address_along_when_it_falls_silent() {
    let clock = a_clock();
    let nodes = vec![NodeSpec::new("node-1", Kind::Healthy, 7)];
    let cluster = Cluster::start(ClusterSpec::new(nodes, 1), &clock).expect("it starts");
    let config = Config {
        cluster: Some(ApiServer::new(client(cluster.server()))),
        ..Config::default()
    };
    let world = World::start(config, clock);
    world.pass(seconds(60)).await;
    let node = cluster.node("node-1").expect("it is there");
    node.inject(Effect::RuntimeDown, seconds(900));
    world.pass(seconds(60)).await;
    node.inject(Effect::Stopped, seconds(200));
    world.pass(seconds(120)).await;
    let flips = world
        .query()
        .list_flips(v1::ListFlipsRequest::default())
        .await;
    let flips = flips.expect("flips").into_inner().flips;
    assert_eq!(flips.len(), 1, "{flips:#?}");
    assert_eq!(flips[0].kind(), v1::FlipKind::KubeletNotReady);
    assert!(flips[0].unknown_time.is_some(), "it was marked");
    assert_eq!(flips[0].lost_addresses, 0);
}
