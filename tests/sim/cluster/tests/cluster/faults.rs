//! Faults to order: cuts, stops, silence, refusals, delays.

use std::time::Duration;

use nodegrace_sim_cluster::{
    Cluster,
    api::Fault,
    kubelet::{Channel, Kind},
};
use serde_json::json;

use crate::kit::{self, Client, one_node, seconds};

const WATCH: &str = "/api/v1/nodes?watch=1";

#[tokio::test(start_paused = true)]
async fn cutting_connections_breaks_watches_and_lets_new_ones_in() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut lines = Client::connect(cluster.server()).await.watch(WATCH).await;
    lines.next().await.unwrap();
    cluster.server().cut_connections();
    assert_eq!(lines.within(seconds(1.0)).await, None);
    assert_eq!(
        Client::connect(cluster.server())
            .await
            .get("/api/v1/nodes")
            .await
            .0,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_the_objects_and_forgets_the_history() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let before = cluster.server().store().revision();
    clock.sleep(seconds(15.0)).await;
    cluster.server().stop().await;
    assert!(cluster.connect().is_err());
    clock.sleep(seconds(5.0)).await;
    cluster.server().start().await.unwrap();

    let mut client = Client::connect(cluster.server()).await;
    assert_eq!(client.get("/api/v1/nodes/real-node").await.0, 200);
    let mut lines = client
        .watch(&format!("{WATCH}&resourceVersion={before}"))
        .await;
    assert_eq!(lines.next().await.unwrap()["object"]["code"], 410);
}

#[tokio::test(start_paused = true)]
async fn kubelets_do_not_reach_a_stopped_server_and_renew_soon_after_its_return() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    clock.sleep(seconds(30.0)).await;
    let beats = |cluster: &Cluster| cluster.ledger().credited("real-node", Channel::Lease).len();
    let before = beats(&cluster);
    cluster.server().stop().await;
    clock.sleep(seconds(60.0)).await;
    assert_eq!(beats(&cluster), before);
    cluster.server().start().await.unwrap();
    clock.sleep(seconds(7.5)).await;
    assert_eq!(beats(&cluster), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_accepts_and_never_answers_until_it_speaks() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client.watch(WATCH).await;
    lines.next().await.unwrap();
    cluster.server().fall_silent();
    assert_eq!(lines.within(seconds(30.0)).await, None);
    let mut late = Client::connect(cluster.server()).await;
    let asking = tokio::spawn(async move { late.get("/version").await.0 });
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(!asking.is_finished());
    cluster.server().speak();
    assert_eq!(asking.await.unwrap(), 200);
    assert!(lines.within(seconds(11.0)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn refusals_strike_what_they_name_as_often_as_ordered() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    for (code, reason) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ] {
        cluster
            .server()
            .order(Fault::refuse("/nodes", code).times(1));
        let (found, status) = client.get("/api/v1/nodes").await;
        assert_eq!((found, &status["reason"]), (code, &json!(reason)));
        assert_eq!(client.get("/api/v1/nodes").await.0, 200);
    }
    // That there is too much to do no Status says.
    cluster
        .server()
        .order(Fault::refuse("/nodes", 429).times(1));
    let (found, status) = client.get("/api/v1/nodes").await;
    assert_eq!((found, &status["reason"]), (429, &json!(null)));
    cluster.server().order(Fault::refuse("leases", 500));
    assert_eq!(client.get("/api/v1/nodes").await.0, 200);
    assert_eq!(
        client.get("/apis/coordination.k8s.io/v1/leases").await.0,
        500
    );
    cluster.server().heal();
    assert_eq!(
        client.get("/apis/coordination.k8s.io/v1/leases").await.0,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_answers_back_by_the_clusters_clock() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    cluster
        .server()
        .order(Fault::delay("/version", seconds(3.0)));
    let began = clock.now();
    Client::connect(cluster.server())
        .await
        .get("/version")
        .await;
    assert!((clock.now() - began).abs_diff(seconds(3.0)) < seconds(0.1));
}

#[tokio::test]
async fn a_listener_comes_back_on_its_address() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let address = cluster
        .listen("127.0.0.1:0".parse().unwrap(), None)
        .await
        .unwrap();
    cluster.server().stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    cluster.server().start().await.unwrap();
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(Client::http2(socket).await.get("/version").await.0, 200);
    cluster.stop().await;
}
