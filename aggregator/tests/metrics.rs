//! `/metrics`: every series of a small fleet, what is left out, and both formats.

use nodegrace_aggregator::{Config, MetricsFormat, MetricsNodes};
use nodegrace_proto::v1::ConditionStatus;

use crate::kit::{Agent, World, seconds};

/// What `/metrics` says of the fleet of [`a_fleet`]. Written anew where `NODEGRACE_BLESS` is set, to be looked at and committed.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/metrics.txt");

/// A healthy node, one that comes near the grace period, one that flips, and one of which little is known yet. Their agents stay
/// connected as long as they are held.
async fn a_fleet(world: &World) -> [Agent; 4] {
    let mut calm = world.agent("calm").await;
    let mut near = world.agent("near").await;
    let mut late = world.agent("late").await;
    for ten_seconds in 1..=240 {
        world.pass(seconds(10)).await;
        beat(&mut calm).await;
        if ten_seconds % 4 == 0 {
            beat(&mut near).await;
        }
        // Once it is silent for 60 s, and the controller acts.
        let silent = (121..=125).contains(&ten_seconds);
        if !silent {
            beat(&mut late).await;
        }
        let ready = match ten_seconds {
            125 => ConditionStatus::Unknown,
            126 => ConditionStatus::True,
            _ => continue,
        };
        let change = late.ready(ready);
        late.send(change).await.expect("an ack");
    }
    let mut new = world.agent("new").await;
    beat(&mut new).await;
    [calm, near, late, new]
}

async fn beat(agent: &mut Agent) {
    let batch = agent.beat();
    agent.send(batch).await.expect("an ack");
}

async fn metrics(world: &World, format: MetricsFormat) -> String {
    world.aggregator.metrics(format).await.expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn a_small_fleet_is_written_as_it_was_last_time() {
    let world = World::new();
    let _agents = a_fleet(&world).await;
    let written = metrics(&world, MetricsFormat::Text).await;
    // The version changes with every release, memory with the compiler.
    let varies = |line: &&str| {
        !line.starts_with("nodegrace_build_info{")
            && !line.starts_with("nodegrace_node_history_bytes ")
    };
    let mut steady: String = written
        .lines()
        .filter(varies)
        .collect::<Vec<_>>()
        .join("\n");
    steady.push('\n');
    if std::env::var_os("NODEGRACE_BLESS").is_some() {
        std::fs::write(GOLDEN, &steady).expect("a file of ours");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("it is committed");
    assert_eq!(steady, golden);
}

#[tokio::test(start_paused = true)]
async fn both_formats_have_the_same_samples() {
    let world = World::new();
    let _agents = a_fleet(&world).await;
    let samples = |text: &str| -> Vec<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_owned).collect()
    };
    let text = metrics(&world, MetricsFormat::Text).await;
    let open = metrics(&world, MetricsFormat::OpenMetrics).await;
    assert_eq!(samples(&text), samples(&open));
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    assert!(!text.contains("# EOF"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_has_no_series() {
    let world = World::new();
    let written = metrics(&world, MetricsFormat::Text).await;
    for unknown in [
        "nodegrace_expected_flips_per_day ",
        "nodegrace_gap_seconds{",
        "nodegrace_grace_period_contradicted ",
        "nodegrace_store_queue_batches ",
        // Of nodes without an agent the cluster's watch alone can tell.
        "nodegrace_nodes{state=\"NO_AGENT\"}",
    ] {
        assert!(
            !written.lines().any(|line| line.starts_with(unknown)),
            "{unknown}: {written}"
        );
    }
    assert!(written.contains("\nnodegrace_nodes{state=\"OK\"} 0\n"));
}

#[tokio::test(start_paused = true)]
async fn only_the_most_endangered_nodes_have_series_of_their_own() {
    for (shown, wanted) in [
        (MetricsNodes::All, &["calm", "late", "near", "new"][..]),
        (MetricsNodes::Top(2), &["late", "near"]),
        (MetricsNodes::None, &[]),
    ] {
        let world = World::with(Config {
            metrics_nodes: shown,
            ..Config::default()
        });
        let _agents = a_fleet(&world).await;
        let written = metrics(&world, MetricsFormat::Text).await;
        let named: Vec<_> = written
            .lines()
            .filter_map(|line| line.strip_prefix("nodegrace_node_state{node=\""))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(named, wanted, "{shown:?}");
        let count = format!("\nnodegrace_metrics_nodes_shown {}\n", wanted.len());
        assert!(written.contains(&count), "{written}");
        assert!(written.contains("\nnodegrace_metrics_nodes_known 4\n"));
    }
}
