//! Every query of the dashboard, with its variables put in as Grafana does.

use std::fs;

use anyhow::Context as _;
use serde_json::Value;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/monitoring/dashboard.json"
);

/// A query, and the panel that shows what it finds.
pub(super) struct Query {
    pub(super) title: String,
    pub(super) expr: String,
}

/// Every query for this cluster and this node.
///
/// # Errors
/// When a panel that shows data has no query.
pub(super) fn queries(cluster: &str, node: &str) -> anyhow::Result<Vec<Query>> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(FILE)?)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut queries = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().context("a panel without a title")?;
        let targets = panel["targets"].as_array().context("no targets")?;
        anyhow::ensure!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            let expr = target["expr"].as_str().context("no expression")?;
            let expr = expr
                .replace("$cluster", cluster)
                .replace("$node", node)
                .replace("$__rate_interval", "10s");
            anyhow::ensure!(!expr.contains('$'), "{expr}: an unknown variable");
            queries.push(Query {
                title: title.to_owned(),
                expr,
            });
        }
    }
    Ok(queries)
}
