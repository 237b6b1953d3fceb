//! Prometheus and `VictoriaMetrics`, as Debian has them, on two simulated clusters: what is scraped, what is told, what is shown.

mod agent;
mod dashboard;
mod engines;
mod rules;
mod world;

use std::collections::BTreeSet;

use nodegrace_sim_cluster::kubelet::{Kind, fleet};

pub(super) use self::engines::free_address;
use self::{
    engines::check_metrics,
    world::{NODES, World},
};

/// One world for everything that needs it: it takes half a minute until its nodes are judged.
#[tokio::test]
async fn real_engines_scrape_alert_and_tell_clusters_apart() -> anyhow::Result<()> {
    let world = World::start()?;
    let [one, _] = &world.clusters;

    check_metrics(&one.get("/metrics", "text/plain").await?)?;
    // A Prometheus of today asks for OpenMetrics, and takes nothing of an exposition with one wrong line.
    one.query_when("up == 1").await?;
    let open = one
        .get("/metrics", "application/openmetrics-text;version=1.0.0")
        .await?;
    assert!(open.trim_end().ends_with("# EOF"), "{open}");

    let firing = "ALERTS{alertstate=\"firing\",alertname=~\"NodegraceNode(NearTimeout|Flipping)\"}";
    for cluster in &world.clusters {
        let alerts = cluster.query_when(firing).await?;
        let told: BTreeSet<_> = alerts
            .iter()
            .filter_map(|line| label(line, "node"))
            .collect();
        assert!(!told.is_empty(), "{alerts:?}");
        let healthy: BTreeSet<_> = fleet(NODES, cluster.seed)
            .into_iter()
            .filter(|node| node.kind == Kind::Healthy)
            .map(|node| node.name)
            .collect();
        assert!(
            told.is_disjoint(&healthy),
            "{told:?} of healthy {healthy:?}"
        );
        let quiet = "ALERTS{alertname=~\"NodegraceAggregatorDown|NodegraceDataLost|NodegraceStoreFailing\"}";
        assert_eq!(cluster.query(quiet)?, [""; 0]);
    }

    let both = "count by (cluster) (nodegrace_node_state)";
    let apart = world
        .store
        .query_until(both, |lines| lines.len() == 2)
        .await?;
    let clusters: BTreeSet<_> = apart
        .iter()
        .filter_map(|line| label(line, "cluster"))
        .collect();
    assert_eq!(clusters, ["east", "west"].map(str::to_owned).into());

    // The one place where every series has its cluster: what the dashboard's variables pick by.
    for panel in dashboard::queries("east", &one.node_with_causes().await?)? {
        let lines = world.store.query_when(&panel.expr).await;
        assert!(lines.is_ok(), "panel {:?}: {}", panel.title, panel.expr);
    }
    Ok(())
}

/// The value of a label in a line such as `m{a="b"} => 1 @[2]`.
fn label(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    rest.split('"').next().map(str::to_owned)
}
