//! Plain answers: get, list, write, refuse.

use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    api::{Access, Permission, Resource},
    kubelet::{Kind, fleet},
};
use serde_json::json;

use crate::kit::{self, Client, fixture, one_node};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

#[tokio::test(start_paused = true)]
async fn refusals_are_word_for_word_those_recorded() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    assert_eq!(
        client.get("/api/v1/nodes/absent").await,
        (404, fixture("node-get-404.json"))
    );
    assert_eq!(client.get("/version").await, (200, fixture("version.json")));

    cluster
        .server()
        .set_access(Access::closed().with_token("secret", "agent"));
    assert_eq!(
        client.get("/api/v1/nodes/real-node").await,
        (401, fixture("node-get-401.json"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_identity_may_do_what_is_permitted_and_nothing_else() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let leases = Permission::new(&["get", "watch"], Resource::Lease).within("kube-node-lease");
    let access = Access::default().permit("system:anonymous", leases);
    cluster.server().set_access(access);
    let mut client = Client::connect(cluster.server()).await;
    assert_eq!(client.get(&format!("{LEASES}/real-node")).await.0, 200);
    let (code, status) = client.get(LEASES).await;
    assert_eq!((code, &status["reason"]), (403, &json!("Forbidden")));
    assert_eq!(
        status["message"],
        "leases.coordination.k8s.io is forbidden: User \"system:anonymous\" cannot list resource \"leases\" in API group \
         \"coordination.k8s.io\" in the namespace \"kube-node-lease\""
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_paged_and_a_page_after_compaction_is_gone() {
    let clock = kit::clock();
    let nodes = fleet(25, 1);
    let cluster = Cluster::start(ClusterSpec::new(nodes, 1), &clock).unwrap();
    let mut client = Client::connect(cluster.server()).await;
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let (code, page) = client
            .get(&format!("/api/v1/nodes?limit=10&continue={next}"))
            .await;
        assert_eq!(code, 200);
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| node["metadata"]["name"].clone()),
        );
        match page["metadata"]["continue"].as_str() {
            Some(token) => next = token.to_owned(),
            None => break,
        }
    }
    assert_eq!(names.len(), 25);

    cluster
        .server()
        .store()
        .create(
            Resource::Event,
            json!({"metadata": {"name": "e", "namespace": "default"}}),
            "kit",
        )
        .unwrap();
    cluster.server().store().compact();
    let (code, status) = client
        .get(&format!("/api/v1/nodes?limit=10&continue={next}"))
        .await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")));
}

#[tokio::test(start_paused = true)]
async fn a_list_from_the_future_is_refused_as_too_large() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let (code, status) = client.get("/api/v1/nodes?resourceVersion=99999999").await;
    assert_eq!((code, &status["reason"]), (504, &json!("Timeout")));
    assert_eq!(
        status["details"]["causes"][0]["reason"],
        "ResourceVersionTooLarge"
    );
    for any in ["", "0", "1"] {
        assert_eq!(
            client
                .get(&format!("/api/v1/nodes?resourceVersion={any}"))
                .await
                .0,
            200
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_writes_from_an_old_copy_gets_a_conflict() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let path = format!("{LEASES}/real-node");
    let (_, mut lease) = client.get(&path).await;
    lease["spec"]["renewTime"] = json!("2026-11-24T02:17:41.000000Z");
    let (code, written) = client.ask("PUT", &path, Some(lease.clone())).await;
    assert_eq!(code, 200);
    assert_eq!(written["metadata"]["uid"], lease["metadata"]["uid"]);
    assert_ne!(
        written["metadata"]["resourceVersion"],
        lease["metadata"]["resourceVersion"]
    );
    let (code, status) = client.ask("PUT", &path, Some(lease)).await;
    assert_eq!((code, &status["reason"]), (409, &json!("Conflict")));
}

#[tokio::test(start_paused = true)]
async fn a_write_through_status_leaves_the_spec_alone_and_the_other_way_round() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let change = json!({"spec": {"unschedulable": true}, "status": {"capacity": {"pods": "7"}}});
    let path = "/api/v1/nodes/real-node";
    let (_, node) = client
        .ask("PATCH", &format!("{path}/status"), Some(change.clone()))
        .await;
    assert_eq!(
        (
            &node["spec"]["unschedulable"],
            &node["status"]["capacity"]["pods"]
        ),
        (&json!(null), &json!("7"))
    );
    let (_, node) = client
        .ask(
            "PATCH",
            path,
            Some(json!({"spec": {"unschedulable": true}, "status": null})),
        )
        .await;
    assert_eq!(
        (
            &node["spec"]["unschedulable"],
            &node["status"]["capacity"]["pods"]
        ),
        (&json!(true), &json!("7"))
    );
}

#[tokio::test(start_paused = true)]
async fn objects_are_created_and_deleted_with_the_servers_own_metadata() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let event = json!({"metadata": {"generateName": "e-"}, "reason": "Test"});
    let (code, created) = client
        .ask("POST", "/api/v1/namespaces/default/events", Some(event))
        .await;
    assert_eq!(code, 201);
    assert_eq!(
        created["metadata"]["creationTimestamp"],
        "2026-11-24T02:17:40Z"
    );
    assert_eq!(created["metadata"]["managedFields"][0]["manager"], "kit");
    let name = created["metadata"]["name"].as_str().unwrap();
    let path = format!("/api/v1/namespaces/default/events/{name}");
    assert_eq!(client.ask("DELETE", &path, None).await.0, 200);
    assert_eq!(client.get(&path).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_api_leases_are_an_unknown_path() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    cluster.server().serve_leases(false);
    let mut client = Client::connect(cluster.server()).await;
    assert_eq!(client.get(LEASES).await, (404, json!(null)));
    assert_eq!(client.get("/apis/coordination.k8s.io/v1").await.0, 404);
    assert_eq!(client.get("/api/v1/nodes").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn the_request_log_tells_who_asked_what_and_how_much_it_weighed() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let (_, node) = client.get("/api/v1/nodes/real-node").await;
    let log = cluster.server().request_log();
    assert_eq!(
        (
            log[0].verb.as_str(),
            log[0].user_agent.as_str(),
            log[0].code
        ),
        ("get", "kit/1.0", 200)
    );
    let key = ("get".to_owned(), "nodes".to_owned(), "kit/1.0".to_owned());
    let cost = cluster
        .server()
        .costs()
        .into_iter()
        .find(|(known, _)| *known == key)
        .unwrap()
        .1;
    assert_eq!(
        (cost.requests, cost.bytes),
        (1, node.to_string().len() as u64)
    );
}
