//! Objects and events have the shape of the recordings, field by field.

use nodegrace_sim_cluster::{
    api::{Event, Key, Resource, Selector, Since, condition},
    kubelet::{Effect, Kind},
};
use serde_json::Value;

use crate::kit::{self, Client, Lines, fixture, fixtures, one_node, seconds};

/// Maps whose keys are free, and lists whose length is: their shape is that of their first entry.
const FREE: [&str; 6] = [
    "labels",
    "annotations",
    "capacity",
    "allocatable",
    "declaredFeatures",
    "fieldsV1",
];

/// Asserts that two values have the same fields of the same types, and stamps of the same precision.
fn same_shape(path: &str, recorded: &Value, ours: &Value) {
    let field = path.rsplit('.').next().unwrap_or_default();
    match (recorded, ours) {
        (Value::Object(_), Value::Object(_)) if FREE.contains(&field) => {}
        (Value::Object(recorded), Value::Object(ours)) => {
            let names = |fields: &serde_json::Map<String, Value>| {
                fields.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(recorded), names(ours), "{path}");
            for (name, value) in recorded {
                same_shape(&format!("{path}.{name}"), value, &ours[name]);
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            if let (Some(recorded), Some(ours)) = (recorded.first(), ours.first()) {
                same_shape(path, recorded, ours);
            }
        }
        (Value::String(recorded), Value::String(ours)) if recorded.ends_with('Z') => {
            assert_eq!(recorded.len(), ours.len(), "precision of {path}: {ours}");
        }
        _ => assert_eq!(
            std::mem::discriminant(recorded),
            std::mem::discriminant(ours),
            "{path}: {ours}"
        ),
    }
}

/// The recorded Node has no images yet; ours always has some.
fn without_images(mut node: Value) -> Value {
    node["status"].as_object_mut().unwrap().remove("images");
    node
}

#[tokio::test(start_paused = true)]
async fn a_node_and_its_lease_have_the_recorded_fields() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    clock.sleep(seconds(25.0)).await;
    let mut client = Client::connect(cluster.server()).await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

    let (_, node) = client.get("/api/v1/nodes/real-node").await;
    same_shape("node", &fixture("node-get.json"), &without_images(node));
    let (_, mut list) = client
        .get("/api/v1/nodes?fieldSelector=metadata.name%3Dreal-node")
        .await;
    list["items"][0] = without_images(list["items"][0].take());
    same_shape("nodes", &fixture("node-list.json"), &list);
    let (_, lease) = client.get(&format!("{leases}/real-node")).await;
    same_shape("lease", &fixture("lease-get.json"), &lease);
    let (_, list) = client
        .get(&format!("{leases}?fieldSelector=metadata.name%3Dreal-node"))
        .await;
    same_shape("leases", &fixture("lease-list.json"), &list);

    // Who owns which field of a Lease is the same to the letter, but for the owner's uid.
    let owned = |lease: &Value| {
        let owner = lease["metadata"]["ownerReferences"][0]["uid"]
            .as_str()
            .unwrap();
        let fields = lease["metadata"]["managedFields"][0]["fieldsV1"].to_string();
        fields.replace(owner, "UID")
    };
    assert_eq!(owned(&lease), owned(&fixture("lease-get.json")));
}

/// Status and reason of Ready, and whether the node is tainted as unreachable.
fn step(event: &Value) -> (String, String, bool) {
    let node = &event["object"];
    let ready = condition(node, "Ready").unwrap();
    let taints = node["spec"]["taints"].as_array();
    let tainted = taints.is_some_and(|taints| {
        taints.iter().any(|taint| {
            taint["key"] == "node.kubernetes.io/unreachable" && taint["effect"] == "NoSchedule"
        })
    });
    (
        ready["status"].to_string(),
        ready["reason"].to_string(),
        tainted,
    )
}

/// Who owns which fields of the conditions.
fn owners(event: &Value) -> Vec<(Value, Value)> {
    let entries = event["object"]["metadata"]["managedFields"]
        .as_array()
        .unwrap();
    let through_status = entries
        .iter()
        .filter(|entry| entry["subresource"] == "status");
    through_status
        .map(|entry| {
            let conditions = &entry["fieldsV1"]["f:status"]["f:conditions"];
            (entry["manager"].clone(), conditions.clone())
        })
        .collect()
}

/// Every event that has come.
async fn drain(lines: &mut Lines) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(event) = lines.within(seconds(0.1)).await {
        events.push(event);
    }
    events
}

#[tokio::test(start_paused = true)]
async fn a_flip_and_its_recovery_go_through_the_recorded_steps() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let mut client = Client::http2(cluster.connect().unwrap()).await;
    let mut nodes = client.watch("/api/v1/nodes?watch=1").await;
    clock.sleep(seconds(30.0)).await;
    let stopped = clock.now();
    cluster
        .node("real-node")
        .unwrap()
        .inject(Effect::Stopped, seconds(55.0));
    clock.sleep(seconds(80.0)).await;

    let flips = cluster.flips();
    assert_eq!(flips.len(), 1);
    let after = flips[0].at - stopped;
    assert!(after > seconds(29.0) && after < seconds(46.0), "{after:?}");
    let unseen_for = flips[0].unseen_for;
    assert!(
        unseen_for > seconds(40.0) && unseen_for < seconds(40.1),
        "{unseen_for:?}"
    );

    let ours = drain(&mut nodes).await;
    let recorded = fixtures("flap-node.jsonl");
    let steps = |events: &[Value]| {
        let mut steps: Vec<_> = events.iter().map(step).collect();
        steps.dedup();
        steps
    };
    assert_eq!(steps(&ours), steps(&recorded));
    let unknown = |event: &&Value| step(event).0.contains("Unknown");
    let first = |events: &[Value]| owners(events.iter().find(unknown).unwrap());
    assert_eq!(first(&ours), first(&recorded));
    assert_eq!(
        owners(ours.last().unwrap()),
        owners(recorded.last().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn pods_and_addresses_go_with_the_node_and_come_back() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let mut client = Client::http2(cluster.connect().unwrap()).await;
    let mut pods = client.watch("/api/v1/namespaces/shop/pods?watch=1").await;
    let mut slices = client
        .watch("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?watch=1")
        .await;
    cluster
        .node("real-node")
        .unwrap()
        .inject(Effect::Stopped, seconds(55.0));
    clock.sleep(seconds(80.0)).await;

    // What was there, then two pods that go and come back.
    let (pods, slices) = (drain(&mut pods).await, drain(&mut slices).await);
    assert_eq!((pods.len(), slices.len()), (2 + 4, 1 + 4));
    let recorded = fixture("flap-pod.jsonl");
    let conditions = |event: &Value| event["object"]["status"]["conditions"].clone();
    same_shape("conditions", &conditions(&recorded), &conditions(&pods[2]));
    assert_eq!(
        condition(&pods[2]["object"], "Ready").unwrap()["status"],
        "False"
    );
    let mut recorded = fixture("flap-slice.jsonl")["object"]["endpoints"].clone();
    // The recorded node is in no zone.
    recorded[0]["zone"] = "zone".into();
    same_shape("endpoints", &recorded, &slices[1]["object"]["endpoints"]);
    let ready: Vec<usize> = slices
        .iter()
        .map(|event| {
            let endpoints = event["object"]["endpoints"].as_array().unwrap().iter();
            endpoints
                .filter(|endpoint| endpoint["conditions"]["serving"] == true)
                .count()
        })
        .collect();
    assert_eq!(ready, [2, 1, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_first_post_after_a_pause_only_beats_and_the_second_says_ready() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    clock.sleep(seconds(30.0)).await;
    cluster
        .node("real-node")
        .unwrap()
        .inject(Effect::Stopped, seconds(55.0));
    clock.sleep(seconds(55.5)).await;
    let key = Key::cluster("real-node");
    let store = cluster.server().store();
    let ready = || {
        condition(&store.get(Resource::Node, &key).unwrap().value, "Ready")
            .unwrap()
            .clone()
    };
    assert_eq!(ready()["status"], "Unknown");
    assert!(ready()["lastHeartbeatTime"].as_str() > ready()["lastTransitionTime"].as_str());
    clock.sleep(seconds(11.0)).await;
    assert_eq!(ready()["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn the_controllers_event_has_the_recorded_fields() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let mut events = cluster
        .server()
        .store()
        .watch(Resource::Event, Selector::default(), Since::State)
        .unwrap();
    cluster
        .node("real-node")
        .unwrap()
        .inject(Effect::Stopped, seconds(70.0));
    let Some(Event::Change(_, event)) = events.next().await else {
        panic!("no event");
    };
    same_shape(
        "event",
        &fixture("flap-event.jsonl")["object"],
        &event.value,
    );
}
