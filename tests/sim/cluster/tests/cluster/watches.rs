//! Watches: resumption, bookmarks, expiry, streaming lists, and slow readers.

use std::time::Duration;

use nodegrace_sim_cluster::{
    api::{Key, Resource, Selector, Since},
    kubelet::{Channel, Kind},
};
use serde_json::json;

use crate::kit::{self, Client, fixture, fixtures, one_node, seconds};

const ONE_LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?watch=1&fieldSelector=metadata.name%3Dreal-node";

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_revision_begins_with_the_state_and_follows_every_renewal() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut lines = Client::connect(cluster.server())
        .await
        .watch(ONE_LEASE)
        .await;
    assert_eq!(lines.next().await.unwrap()["type"], "ADDED");
    for _ in 0..5 {
        let event = lines.within(seconds(11.0)).await.unwrap();
        assert_eq!(event["type"], "MODIFIED");
    }
    let renewals = cluster.ledger().credited("real-node", Channel::Lease);
    assert_eq!(renewals.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_watch_resumes_where_it_stopped_and_misses_nothing() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let (_, from) = cluster
        .server()
        .store()
        .list(Resource::Lease, &Selector::default());
    clock.sleep(seconds(60.0)).await;
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client
        .watch(&format!("{ONE_LEASE}&resourceVersion={from}"))
        .await;
    let missed = cluster.ledger().credited("real-node", Channel::Lease);
    for renewal in missed {
        let event = lines.next().await.unwrap();
        assert_eq!(
            event["object"]["metadata"]["resourceVersion"],
            renewal.revision.to_string()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_compacted_revision_is_answered_with_the_recorded_error_event() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    cluster.server().store().compact();
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client
        .watch("/api/v1/nodes?watch=1&resourceVersion=1")
        .await;
    let mut event = lines.next().await.unwrap();
    let current = cluster.server().store().revision();
    assert_eq!(
        event["object"]["message"],
        format!("too old resource version: 1 ({current})")
    );
    let recorded = fixture("node-watch-expired.jsonl");
    event["object"]["message"] = recorded["object"]["message"].clone();
    assert_eq!(event, recorded);
    assert_eq!(lines.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn open_watches_can_be_expired_as_well() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut lines = Client::connect(cluster.server())
        .await
        .watch(ONE_LEASE)
        .await;
    lines.next().await.unwrap();
    cluster.server().store().expire_watches();
    assert_eq!(lines.next().await.unwrap()["object"]["code"], 410);
    assert_eq!(lines.next().await, None);
    assert_eq!(cluster.server().store().watchers(Resource::Lease), 0);
}

#[tokio::test(start_paused = true)]
async fn a_revision_of_the_future_brings_nothing_for_ten_seconds() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client
        .watch("/api/v1/nodes?watch=1&resourceVersion=99999999")
        .await;
    assert_eq!(lines.within(seconds(10.0)).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_its_state_with_a_marked_bookmark() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let path = "/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client.watch(path).await;
    assert_eq!(lines.next().await.unwrap()["type"], "ADDED");
    let end = lines.next().await.unwrap();
    assert_eq!(
        end["object"]["metadata"]["annotations"],
        json!({"k8s.io/initial-events-end": "true"})
    );

    cluster.server().serve_streaming_lists(false);
    let mut client = Client::connect(cluster.server()).await;
    let refused = client.watch(path).await.next().await.unwrap();
    assert_eq!(refused, fixture("node-watch-watchlist.jsonl"));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_every_minute_and_carry_what_the_recorded_ones_carry() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    for recorded in fixtures("bookmarks.jsonl") {
        let path = match recorded["object"]["kind"].as_str().unwrap() {
            "Node" => "/api/v1/nodes",
            "Lease" => "/apis/coordination.k8s.io/v1/leases",
            "Pod" => "/api/v1/pods",
            "Endpoints" => "/api/v1/endpoints",
            _ => "/apis/discovery.k8s.io/v1/endpointslices",
        };
        let began = clock.now();
        let mut client = Client::connect(cluster.server()).await;
        let mut lines = client
            .watch(&format!("{path}?watch=1&allowWatchBookmarks=true"))
            .await;
        let mut bookmark = loop {
            let event = lines.next().await.unwrap();
            if event["type"] == "BOOKMARK" {
                break event;
            }
        };
        let took = clock.now() - began;
        assert!(took >= seconds(59.0) && took <= seconds(61.0), "{took:?}");
        bookmark["object"]["metadata"]["resourceVersion"] =
            recorded["object"]["metadata"]["resourceVersion"].clone();
        assert_eq!(bookmark, recorded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_after_its_timeout() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let began = clock.now();
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client
        .watch(&format!("{ONE_LEASE}&timeoutSeconds=25"))
        .await;
    while lines.next().await.is_some() {}
    assert!((clock.now() - began).abs_diff(seconds(25.0)) < seconds(0.1));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_keep_up_is_cut_off() {
    let clock = kit::clock();
    let cluster = one_node(Kind::Healthy, &clock);
    let store = cluster.server().store().clone();
    let mut client = Client::connect(cluster.server()).await;
    let mut lines = client
        .watch("/api/v1/namespaces/default/events?watch=1")
        .await;
    for number in 0..5000 {
        let event = json!({"metadata": {"name": format!("e-{number}"), "namespace": "default"}});
        store.create(Resource::Event, event, "kit").unwrap();
    }
    let mut seen = 0;
    while lines.within(Duration::from_secs(1)).await.is_some() {
        seen += 1;
    }
    assert!(seen < 5000, "{seen}");
    assert_eq!(store.watchers(Resource::Event), 0);
}

#[tokio::test(start_paused = true)]
async fn many_watches_share_one_http2_connection() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let mut client = Client::http2(cluster.connect().unwrap()).await;
    let mut leases = client.watch(ONE_LEASE).await;
    let mut nodes = client
        .watch("/api/v1/nodes?watch=1&fieldSelector=metadata.name%3Dreal-node")
        .await;
    for lines in [&mut leases, &mut nodes] {
        assert_eq!(lines.next().await.unwrap()["type"], "ADDED");
        assert_eq!(lines.next().await.unwrap()["type"], "MODIFIED");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_watches_of_one_object_each_cost_a_write_nothing() {
    let cluster = one_node(Kind::Healthy, &kit::clock());
    let store = cluster.server().store();
    let watches: Vec<_> = (0..10_000)
        .map(|number| {
            let key = Key::new("kube-node-lease", format!("other-{number}"));
            store
                .watch(Resource::Lease, Selector::one(&key), Since::State)
                .unwrap()
        })
        .collect();
    assert_eq!(store.watchers(Resource::Lease), 10_000);
    let mut own = store
        .watch(
            Resource::Lease,
            Selector::one(&Key::new("kube-node-lease", "real-node")),
            Since::State,
        )
        .unwrap();
    for _ in 0..3 {
        own.next().await.unwrap();
    }
    drop(watches);
    assert_eq!(store.watchers(Resource::Lease), 1);
}
