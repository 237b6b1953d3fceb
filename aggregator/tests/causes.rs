//! Why heartbeats were late: from the samples on the wire to the answers, across a restart, and as rows that people read.

use nodegrace_proto::v1::{self, CauseKind, CauseScope};

use crate::kit::{Agent, World, seconds};

/// A sample of a node whose kubelet is in this state; `fine` ones cover 1 s, the others 10 s.
fn sample(state: &str, fine: bool) -> v1::Sample {
    let source = |source: v1::Source| v1::SourceReport {
        source: source.into(),
        outcome: v1::Outcome::Ok.into(),
        ..v1::SourceReport::default()
    };
    let interval = seconds(if fine { 1 } else { 10 });
    v1::Sample {
        sources: vec![source(v1::Source::KubeletProcess)],
        kubelet_process: Some(v1::KubeletProcess {
            pid: 700,
            start_monotonic: Some(seconds(60).try_into().expect("in range")),
            state: state.to_owned(),
            cpu_cores: Some(if state == "T" { 0.0 } else { 0.05 }),
            run_queue_wait_ratio: Some(0.01),
            ..v1::KubeletProcess::default()
        }),
        fine,
        interval: Some(interval.try_into().expect("in range")),
        ..v1::Sample::default()
    }
}

/// An agent of `node` in `zone`, whose node beats on time for some minutes.
async fn settled(world: &World, node: &str, zone: &str) -> Agent {
    let mut agent = world.agent(node).await;
    let facts = v1::NodeFacts {
        zone: zone.to_owned(),
        ..v1::NodeFacts::default()
    };
    let batch = v1::ReportBatch {
        node_facts: Some(facts),
        ..agent.batch()
    };
    agent.send(batch).await.expect("an ack");
    for _ in 0..15 {
        agent.beats(1, seconds(10)).await;
        let batch = agent.sample(sample("S", false));
        agent.send(batch).await.expect("an ack");
    }
    agent
}

/// Its kubelet is stopped for 35 s, watched every second from the eleventh on.
async fn stop(world: &World, agent: &mut Agent) {
    for second in 1..=35 {
        world.pass(seconds(1)).await;
        if second % 10 == 0 {
            let batch = agent.sample(sample("T", false));
            agent.send(batch).await.expect("an ack");
        }
        if second > 10 {
            let batch = agent.sample(sample("T", true));
            agent.send(batch).await.expect("an ack");
        }
    }
    let batch = agent.beat();
    agent.send(batch).await.expect("an ack");
    let batch = agent.sample(sample("S", true));
    agent.send(batch).await.expect("an ack");
    agent.beats(1, seconds(10)).await;
    let batch = agent.sample(sample("S", false));
    agent.send(batch).await.expect("an ack");
}

/// A world with a node whose kubelet was stopped once, and its agent.
async fn stopped_once(world: &World) -> Agent {
    let mut agent = settled(world, "node-1", "a").await;
    stop(world, &mut agent).await;
    agent
}

async fn names(world: &World, filter: &str) -> Vec<String> {
    let request = v1::ListNodesRequest {
        filter: filter.to_owned(),
        ..v1::ListNodesRequest::default()
    };
    let answer = world.query().list_nodes(request).await.expect("a list");
    let nodes = answer.into_inner().nodes;
    nodes.into_iter().map(|node| node.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_late_heartbeat_is_explained_with_evidence_and_what_acts_on_it() {
    let world = World::new();
    let _agent = stopped_once(&world).await;
    let gap = world.gaps().await.remove(0);
    assert_eq!(gap.lateness.expect("a lateness").seconds, 25);
    assert_eq!(gap.vantage(), v1::Vantage::Node);
    assert_eq!(gap.late_channels, [i32::from(v1::Channel::Lease)]);
    let cause = &gap.causes[0];
    assert_eq!(cause.kind(), CauseKind::KubeletStopped);
    assert!(cause.share > 0.9, "{}", cause.share);
    assert!(
        cause
            .sentence
            .starts_with("The kubelet's process stood still for 2"),
        "{}",
        cause.sentence
    );
    assert_eq!(cause.evidence[0].figure, "kubelet_process.stopped");
    assert_eq!(
        (cause.evidence[0].unit.as_str(), cause.evidence[0].usual),
        ("ratio", Some(0.0))
    );
    assert!(!cause.knobs.is_empty());

    let total = world.node("node-1").await.causes.remove(0);
    assert_eq!((total.kind(), total.gaps), (CauseKind::KubeletStopped, 1));
    assert_eq!(names(&world, "cause = KUBELET_STOPPED").await, ["node-1"]);
    assert!(names(&world, "cause = IO_STALLED").await.is_empty());
    assert!(names(&world, "NOT cause:*").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nodes_that_share_a_cause_are_told_together() {
    let world = World::new();
    let mut healthy = Vec::new();
    for number in 0..8 {
        healthy.push(settled(&world, &format!("good-{number}"), "a").await);
    }
    for number in 0..5 {
        let mut agent = settled(&world, &format!("bad-{number}"), "b").await;
        stop(&world, &mut agent).await;
        healthy.push(agent);
    }
    let shared = world.fleet().await.shared_causes;
    let [cause] = &shared[..] else {
        panic!("one cause: {shared:?}");
    };
    assert_eq!(
        (cause.kind(), cause.scope()),
        (CauseKind::KubeletStopped, CauseScope::Zone)
    );
    assert_eq!(
        (
            cause.value.as_str(),
            cause.nodes,
            cause.nodes_in_scope,
            cause.nodes_elsewhere
        ),
        ("b", 5, 5, 0)
    );
    assert!(!cause.simultaneous, "one after the other");
}

#[tokio::test(start_paused = true)]
async fn causes_are_the_same_after_a_crash() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::on_disk(directory.path());
    let mut agent = stopped_once(&world).await;
    // By now part of it is in a snapshot, and part in the log alone.
    agent.beats(7, seconds(10)).await;
    for second in 1..=25 {
        world.pass(seconds(1)).await;
        if second > 10 {
            let batch = agent.sample(sample("T", true));
            agent.send(batch).await.expect("an ack");
        }
    }
    let before = (world.gaps().await, world.node("node-1").await.causes);
    let world = world.crash(directory.path()).await;
    assert_eq!(
        before,
        (world.gaps().await, world.node("node-1").await.causes)
    );
    // The gap that ran meanwhile is judged as if nothing had been.
    let mut agent = agent.reconnect(&world).await;
    let batch = agent.beat();
    agent.send(batch).await.expect("an ack");
    let batch = agent.sample(sample("S", false));
    agent.send(batch).await.expect("an ack");
    let gap = world.gaps().await.remove(0);
    assert_eq!(gap.causes[0].kind(), CauseKind::KubeletStopped);
    assert!(gap.causes[0].share > 0.8, "{}", gap.causes[0].share);
}

#[tokio::test(start_paused = true)]
async fn the_row_of_a_gap_tells_its_cause() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::on_disk(directory.path());
    let mut agent = stopped_once(&world).await;
    agent.beats(1, seconds(10)).await;
    world.pass(seconds(2)).await;
    let connection =
        rusqlite::Connection::open(directory.path().join("history.db")).expect("a database");
    let (cause, late_by): (String, f64) = connection
        .query_row("SELECT cause, late_by_seconds FROM gaps", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("one gap");
    assert_eq!(cause, "KUBELET_STOPPED");
    assert!((late_by - 25.0).abs() < 0.5, "{late_by}");
}
