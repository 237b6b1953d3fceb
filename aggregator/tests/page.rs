//! The page and its JSON: the same figures as gRPC, what is told of changes, and the headers that guard it.

use nodegrace_proto::{json, v1};
use serde_json::Value;

use crate::kit::{World, seconds};

async fn two_nodes(world: &World) {
    for (name, period, count) in [("fast", 5, 120), ("slow", 20, 30)] {
        let mut agent = world.agent(name).await;
        agent.beats(count, seconds(period)).await;
    }
}

/// The strip of a node by the names of its columns.
fn strip<'a>(strips: &'a Value, node: &str, column: &str) -> &'a Value {
    let columns = strips["columns"].as_array().expect("columns");
    let at = columns.iter().position(|name| name == column);
    let nodes = strips["nodes"].as_array().expect("nodes");
    let row = nodes.iter().find(|row| row[0] == node);
    &row.expect("the node")[at.expect("the column")]
}

fn names(strips: &Value) -> Vec<&str> {
    let rows = strips["nodes"].as_array().expect("nodes");
    rows.iter().filter_map(|row| row[0].as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_that_of_grpc() {
    let world = World::new();
    two_nodes(&world).await;
    let same = |grpc: Result<Value, json::Error>| grpc.expect("JSON");
    let node = world.node("slow").await;
    assert_eq!(
        world.json("/api/v1/nodes/slow.json").await,
        same(json::to_value(&node))
    );
    assert_eq!(
        world.json("/api/v1/fleet.json").await,
        same(json::to_value(&world.fleet().await))
    );
    let gaps = world.json("/api/v1/gaps.json?page_size=1000").await;
    let told: Vec<Value> = world
        .gaps()
        .await
        .iter()
        .map(|gap| same(json::to_value(gap)))
        .collect();
    assert_eq!(gaps["gaps"], Value::from(told));
    let request = v1::GetNodeCourseRequest {
        node_name: "slow".to_owned(),
    };
    let course = world.query().get_node_course(request).await;
    assert_eq!(
        world.json("/api/v1/course.json?node_name=slow").await,
        same(json::to_value(course.expect("a course").get_ref()))
    );
    let request = v1::ListFlipsRequest::default();
    let flips = world.query().list_flips(request).await;
    assert_eq!(
        world.json("/api/v1/flips.json?kind=HEARTBEAT_LOST").await,
        same(json::to_value(flips.expect("flips").get_ref()))
    );
    let request = v1::SimulateGraceRequest {
        candidates: vec![v1::GraceCandidate {
            grace_period: Some(seconds(15).try_into().expect("in range")),
            monitor_period: None,
        }],
        max_nodes: 0,
    };
    let outcome = world
        .query()
        .simulate_grace(request)
        .await
        .expect("an outcome");
    assert_eq!(
        world.json("/api/v1/what-if.json?grace_period=15s").await,
        same(json::to_value(outcome.get_ref()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_strip_holds_the_figures_of_its_node() {
    let world = World::new();
    two_nodes(&world).await;
    let strips = world.json("/api/v1/strips.json").await;
    let node = world.node("slow").await;
    let p99 = node.gap.and_then(|gap| gap.p99).expect("a p99");
    let millis = p99.seconds as f64 * 1e3 + f64::from(p99.nanos) / 1e6;
    let told = strip(&strips, "slow", "p99").as_f64().expect("a number");
    assert!((told - millis).abs() < 0.001, "{told} is not {millis}");
    let flips = node.expected_flips.expect("flips");
    assert_eq!(strip(&strips, "slow", "flips_per_day"), flips.per_day);
}

#[tokio::test(start_paused = true)]
async fn with_a_cursor_only_what_changed_is_told() {
    let world = World::new();
    two_nodes(&world).await;
    world.pass(seconds(600)).await;
    let all = world.json("/api/v1/strips.json").await;
    assert_eq!((all["full"].as_bool(), names(&all).len()), (Some(true), 2));

    let mut agent = world.agent("new").await;
    agent.beats(2, seconds(1)).await;
    let cursor = all["cursor"].as_str().expect("a cursor");
    let news = world
        .json(&format!("/api/v1/strips.json?cursor={cursor}"))
        .await;
    assert_eq!(news["full"], false);
    assert_eq!(names(&news), ["new"]);
    let filtered = format!("/api/v1/strips.json?cursor={cursor}&filter=name:old");
    assert_eq!(
        world.json(&filtered).await["gone"],
        serde_json::json!(["new"])
    );
    let again = world
        .json("/api/v1/strips.json?cursor=of-another-run")
        .await;
    assert_eq!(again["full"], true);
}

#[tokio::test(start_paused = true)]
async fn an_error_has_the_code_and_the_field_of_grpc() {
    let world = World::new();
    for (path, status, field) in [
        ("/api/v1/nodes.json?filter=nonsense", 400, "filter"),
        ("/api/v1/strips.json?filter=nonsense", 400, "filter"),
        ("/api/v1/nodes.json?order_by=nonsense", 400, "order_by"),
        (
            "/api/v1/what-if.json?grace_period=soon",
            400,
            "grace_period",
        ),
        ("/api/v1/nodes.json?fliter=x", 400, "query"),
        ("/api/v1/flips.json?kind=NONE", 400, "kind"),
        ("/api/v1/course.json", 400, "node_name"),
        ("/api/v1/explain-endpoint.json?namespace=a", 400, "service"),
        ("/api/v1/nodes/%ff.json", 400, "name"),
    ] {
        let answer = world.get(path, &[]).await;
        let error = answer.json();
        assert_eq!(
            (answer.status, error["code"].as_i64()),
            (status, Some(3)),
            "{path}: {error}"
        );
        let violation = &error["details"][0]["fieldViolations"][0];
        assert_eq!(violation["field"], field, "{path}: {error}");
    }
    for path in [
        "/api/v1/nodes/nobody.json",
        "/api/v1/nope.json",
        "/api/v2",
        "/api/",
    ] {
        let missing = world.get(path, &[]).await;
        assert_eq!(
            (missing.status, missing.json()["code"].as_i64()),
            (404, Some(5)),
            "{path}"
        );
    }
    let posted = hyper::Request::post("/api/v1/fleet.json").body(axum::body::Body::empty());
    let refused = world.ask(posted.expect("a request")).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_i64()),
        (405, Some(12))
    );
    assert_eq!(refused.headers["allow"], "GET,HEAD");
}

#[tokio::test(start_paused = true)]
async fn what_only_a_watched_cluster_tells_is_refused_in_words() {
    let world = World::new();
    for path in [
        "/api/v1/explain-endpoint.json?namespace=shop&service=cart",
        "/api/v1/services-at-risk.json",
    ] {
        let error = world.get(path, &[]).await.json();
        // FAILED_PRECONDITION: what the page says how to turn on.
        assert_eq!(error["code"], 9, "{path}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_course_shows_the_worst_of_every_two_minutes_and_what_was_not_seen_as_a_hole() {
    let world = World::new();
    let mut agent = world.agent("node").await;
    agent.beats(30, seconds(10)).await;
    world.pass(seconds(600)).await;
    agent.beats(30, seconds(10)).await;
    let course = world.json("/api/v1/course.json?node_name=node").await;
    assert_eq!(course["step"], "120s");
    let steps = course["steps"].as_array().expect("steps");
    let gaps: Vec<_> = steps.iter().map(|step| step["gap"].as_str()).collect();
    let holes = gaps.iter().filter(|gap| gap.is_none()).count();
    // By where the ten minutes fall.
    assert!((4..=5).contains(&holes), "{gaps:?}");
    assert_eq!(gaps.iter().max(), Some(&Some("610s")), "{gaps:?}");
    assert_eq!(gaps[1], Some("10s"), "{gaps:?}");
    assert!(steps.iter().all(|step| step.get("runtimeCall").is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_page_is_good_over_grpc() {
    let world = World::new();
    two_nodes(&world).await;
    let page = world.json("/api/v1/nodes.json?page_size=1").await;
    let request = v1::ListNodesRequest {
        page_size: 1,
        page_token: page["nextPageToken"].as_str().expect("a token").to_owned(),
        ..v1::ListNodesRequest::default()
    };
    let next = world.query().list_nodes(request).await.expect("a page");
    assert_eq!(next.get_ref().nodes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_page_asks_nobody_else_and_is_not_sent_twice() {
    let world = World::new();
    let page = world.get("/", &[]).await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let tag = page.headers["etag"].to_str().expect("text").to_owned();
    let again = world.get("/", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, &*again.text), (304, ""));

    // Every file that the page names is there, and none is elsewhere.
    for file in page
        .text
        .split(['"', '\''])
        .filter(|text| text.starts_with("/page/"))
    {
        assert_eq!(world.get(file, &[]).await.status, 200, "{file}");
    }
    assert!(!page.text.contains("src=\"http"));
}
