//! A real flip, recorded on Kubernetes 1.36.2: the API server's own words in, the story of the endpoint out.

use std::{convert::Infallible, time::Duration};

use http_body_util::StreamBody;
use hyper::{
    Request, Response,
    body::{Bytes, Frame},
};
use kube::client::Body;
use nodegrace_aggregator::{ApiServer, Config};
use nodegrace_clock::Clock;
use nodegrace_core::ControllerSettings;
use nodegrace_proto::v1;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower::service_fn;

use crate::kit::{Agent, World, a_clock};

/// Lists and watches of the Node, its Lease and its `EndpointSlice`, a line for each event with its arrival.
const RECORDED: &str = include_str!("data/endpoint-flap.jsonl");

/// One line of it.
struct Line {
    /// Since the first.
    at: Duration,
    path: String,
    /// The list, or the event.
    list: Option<Value>,
    event: Option<Value>,
}

fn lines() -> Vec<Line> {
    let lines = RECORDED.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let at = line["at"].as_f64().expect("a time");
        (at, line)
    });
    let lines: Vec<_> = lines.collect();
    let first = lines[0].0;
    let line = |(at, line): (f64, Value)| Line {
        at: Duration::from_secs_f64(at - first),
        path: line["path"].as_str().expect("a path").to_owned(),
        list: line.get("list").cloned(),
        event: line.get("event").cloned(),
    };
    lines.into_iter().map(line).collect()
}

/// An API server that says again what was recorded of `nodes` and `endpointslices`, at the times at which it was said. It has no
/// streaming lists, like the one that was recorded.
fn replay(clock: &Clock) -> ApiServer {
    let (clock, begun) = (clock.clone(), clock.now());
    let service = service_fn(move |request: Request<Body>| {
        let kind = if request.uri().path().ends_with("/nodes") {
            "/nodes"
        } else {
            "/endpointslices"
        };
        let query = request.uri().query().unwrap_or_default().to_owned();
        let of_kind = lines().into_iter().filter(|line| line.path.contains(kind));
        let (sender, body) = mpsc::unbounded_channel();
        let send = move |sender: &mpsc::UnboundedSender<_>, value: &Value| {
            let frame = Frame::data(Bytes::from(format!("{value}\n")));
            let _ = sender.send(Ok::<_, Infallible>(frame));
        };
        if query.contains("sendInitialEvents") {
            let refusal = include_str!("../../agent/tests/recorded/node-watch-expired.jsonl");
            let refusal = refusal.replace("410", "500");
            send(&sender, &serde_json::from_str(&refusal).expect("JSON"));
        } else if query.contains("watch=true") {
            let clock = clock.clone();
            let of_kind: Vec<_> = of_kind.collect();
            tokio::spawn(async move {
                for line in of_kind {
                    if let Some(event) = &line.event {
                        clock.sleep_until(begun + line.at).await;
                        send(&sender, event);
                    }
                }
                sender.closed().await;
            });
        } else {
            let list = of_kind.into_iter().find_map(|line| line.list);
            send(&sender, &list.expect("a list"));
        }
        let body = StreamBody::new(UnboundedReceiverStream::new(body));
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    });
    ApiServer::new(kube::Client::new(service, "default"))
}

/// Reports what an agent on the node would have seen of the recording.
async fn report(world: &World, agent: &mut Agent) {
    let begun = world.clock.now();
    let mut heartbeat = Value::Null;
    let mut status = Value::Null;
    for line in lines() {
        let Some(event) = line.event.filter(|_| !line.path.contains("endpointslices")) else {
            continue;
        };
        // A bookmark is no change of anything.
        if event["type"] == "BOOKMARK" {
            continue;
        }
        world.clock.sleep_until(begun + line.at).await;
        if line.path.contains("/leases") {
            let batch = agent.beat();
            agent.send(batch).await.expect("an ack");
            continue;
        }
        let conditions = event["object"]["status"]["conditions"].as_array().cloned();
        let conditions = conditions.into_iter().flatten();
        let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
        let ready = ready.next().expect("a condition");
        if ready["lastHeartbeatTime"] != heartbeat {
            heartbeat = ready["lastHeartbeatTime"].clone();
            let mut batch = agent.beat();
            batch.heartbeats[0].channel = v1::Channel::NodeStatus.into();
            agent.send(batch).await.expect("an ack");
        }
        if ready["status"] != status {
            status = ready["status"].clone();
            let status = match status.as_str() {
                Some("True") => v1::ConditionStatus::True,
                _ => v1::ConditionStatus::Unknown,
            };
            let mut batch = agent.ready(status);
            let time = ready["lastTransitionTime"].as_str().expect("a time");
            batch.ready_changes[0].transition_time = Some(time.parse().expect("a time"));
            agent.send(batch).await.expect("an ack");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_flip_is_explained_as_it_was_recorded() {
    let clock = a_clock();
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = Config {
        cluster: Some(replay(&clock)),
        ..World::durable(directory.path())
    };
    let periods = (Duration::from_secs(40), Duration::from_secs(5));
    config.fleet.controller = ControllerSettings::default().with_periods(periods.0, periods.1);
    let world = World::start(config, clock);
    let mut agent = world.agent("real-node").await;
    report(&world, &mut agent).await;
    let request = v1::ExplainEndpointRequest {
        namespace: "cxqt".into(),
        service: "npth-price".into(),
        ..v1::ExplainEndpointRequest::default()
    };
    let story = world.query().explain_endpoint(request.clone()).await;
    let story = story.expect("a story").into_inner();
    let lines = story
        .entries
        .iter()
        .map(|entry| format!("{}\n", entry.sentence));
    let told = format!("{}\n{}", story.summary, lines.collect::<String>());
    assert_eq!(told, include_str!("data/endpoint-flap.txt"));
    assert_eq!(story.flips.len(), 1);
    assert!(
        story.flips[0].seen_by_watch && story.flips[0].seen_by_agent,
        "counted once"
    );
    assert!(story.addresses.is_some_and(|addresses| addresses > 0));

    // The flip is kept. What the Service has now nobody watches any more, and none is another answer.
    let world = world.restart(directory.path()).await;
    let story = world.query().explain_endpoint(request).await;
    let story = story.expect("a story").into_inner();
    assert_eq!(story.flips.len(), 1);
    assert_eq!((story.ready_addresses, story.addresses), (None, None));
    assert!(story.summary.contains("is not known"), "{}", story.summary);
}
