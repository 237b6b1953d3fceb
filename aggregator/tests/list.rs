//! `ListNodes` and `ListGaps`: orders, filters and pages.

use nodegrace_proto::v1;
use tonic::Code;

use crate::kit::{World, seconds};

/// Three nodes whose kubelets renew every 5, 20 and 40 seconds, for ten minutes.
async fn three_nodes(world: &World) {
    for (name, period, count) in [("fast", 5, 120), ("slow", 20, 30), ("slowest", 40, 15)] {
        let mut agent = world.agent(name).await;
        agent.beats(count, seconds(period)).await;
    }
}

async fn names(world: &World, order_by: &str, filter: &str) -> Vec<String> {
    let request = v1::ListNodesRequest {
        order_by: order_by.to_owned(),
        filter: filter.to_owned(),
        ..v1::ListNodesRequest::default()
    };
    let answer = world.query().list_nodes(request).await.expect("a page");
    let nodes = answer.into_inner().nodes.into_iter();
    nodes.map(|node| node.name).collect()
}

#[tokio::test(start_paused = true)]
async fn the_smallest_margin_comes_first_and_an_unknown_one_last() {
    let world = World::new();
    three_nodes(&world).await;
    world.agent("new").await.beats(1, seconds(1)).await;

    let worst_first = ["slowest", "slow", "fast", "new"];
    assert_eq!(names(&world, "margin", "").await, worst_first);
    assert_eq!(names(&world, "", "").await, worst_first, "risk desc");
    assert_eq!(
        names(&world, "margin desc", "").await,
        ["fast", "slow", "slowest", "new"]
    );
    assert_eq!(
        names(&world, "gap_p50 desc, name", "margin:*").await,
        ["slowest", "slow", "fast"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_filter_picks_nodes() {
    let world = World::new();
    three_nodes(&world).await;
    assert_eq!(names(&world, "", "margin < 20s").await, ["slowest"]);
    assert_eq!(
        names(&world, "name", "name:slow* AND NOT gap_p99 > 30s").await,
        ["slow"]
    );
    assert_eq!(names(&world, "name", "connected").await, [""; 0]);
    assert_eq!(
        names(&world, "name", "state = STALE OR state = LEARNING")
            .await
            .len(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_by_field() {
    let world = World::new();
    let request = v1::ListNodesRequest::default;
    for (field, request) in [
        (
            "order_by",
            v1::ListNodesRequest {
                order_by: "luck".to_owned(),
                ..request()
            },
        ),
        (
            "filter",
            v1::ListNodesRequest {
                filter: "margin <".to_owned(),
                ..request()
            },
        ),
        (
            "page_size",
            v1::ListNodesRequest {
                page_size: -1,
                ..request()
            },
        ),
        (
            "page_token",
            v1::ListNodesRequest {
                page_token: "x".to_owned(),
                ..request()
            },
        ),
        (
            "view",
            v1::ListNodesRequest {
                view: 9,
                ..request()
            },
        ),
    ] {
        let status = world.query().list_nodes(request).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(field), "{field}: {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_show_every_node_once_while_figures_change() {
    let world = World::new();
    let mut agents = Vec::new();
    for number in 0..10 {
        let mut agent = world.agent(&format!("node-{number}")).await;
        agent.beats(3, seconds(number + 1)).await;
        agents.push(agent);
    }
    let mut request = v1::ListNodesRequest {
        page_size: 3,
        order_by: "margin".to_owned(),
        ..v1::ListNodesRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = world
            .query()
            .list_nodes(request.clone())
            .await
            .expect("a page")
            .into_inner();
        assert_eq!(page.total_size, 10);
        seen.extend(page.nodes.into_iter().map(|node| node.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        // What was the best becomes the worst.
        let better = agents.remove(0);
        let mut worse = better;
        worse.beats(1, seconds(45)).await;
        agents.push(worse);
    }
    assert_eq!(seen.len(), 10);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10, "{seen:?}");

    request.order_by = "name".to_owned();
    let status = world
        .query()
        .list_nodes(request)
        .await
        .expect_err("a foreign token");
    assert!(status.message().starts_with("page_token"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_page_of_large_nodes_ends_before_it_is_too_large_to_take() {
    let world = World::new();
    let _agents = world.crowd(400).await;
    let mut request = v1::ListNodesRequest {
        page_size: 400,
        view: v1::NodeView::Full.into(),
        ..v1::ListNodesRequest::default()
    };
    let (mut pages, mut nodes) = (0, 0);
    loop {
        let page = world.query().list_nodes(request.clone()).await;
        let page = page.expect("within a client's limit").into_inner();
        (pages, nodes) = (pages + 1, nodes + page.nodes.len());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(pages > 1 && nodes == 400, "{nodes} nodes on {pages} pages");
}

#[tokio::test(start_paused = true)]
async fn long_gaps_are_listed_by_page() {
    let world = World::new();
    three_nodes(&world).await;
    let mut request = v1::ListGapsRequest {
        min_duration: Some(prost_types::Duration {
            seconds: 30,
            nanos: 0,
        }),
        page_size: 5,
        ..v1::ListGapsRequest::default()
    };
    let mut ends = Vec::new();
    loop {
        let page = world
            .query()
            .list_gaps(request.clone())
            .await
            .expect("a page")
            .into_inner();
        for gap in page.gaps {
            assert_eq!(gap.node_name, "slowest");
            ends.push(gap.end_time.expect("an end").seconds);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(ends.len(), 14);
    assert!(
        ends.is_sorted_by(|later, earlier| later > earlier),
        "{ends:?}"
    );

    request.node_name = "nobody".to_owned();
    request.page_token.clear();
    let status = world
        .query()
        .list_gaps(request)
        .await
        .expect_err("an unknown node");
    assert_eq!(status.code(), Code::NotFound);
}
