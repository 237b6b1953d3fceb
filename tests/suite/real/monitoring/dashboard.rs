//! Every query of the dashboard, with its variables put in as Grafana does.

use std::fs;

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::real::programs::output_of;

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

/// Prometheus 3 keeps the quantile 1 as 1.0, whatever the exposition says.
#[test]
fn the_longest_is_shown_however_prometheus_spells_its_quantile() -> anyhow::Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("quantiles.json");
    let queries = queries("east", "n")?;
    let by_quantile: Vec<_> = queries
        .iter()
        .filter(|query| query.expr.contains("quantile=~"))
        .collect();
    anyhow::ensure!(!by_quantile.is_empty(), "no panel shows quantiles");
    for query in by_quantile {
        let (before, _) = query.expr.split_once('{').context("no selector")?;
        let (_, name) = before.rsplit_once('(').context("no aggregation")?;
        let all = ["0.5", "0.99", "1", "1.0"];
        let series = all.map(|quantile| {
            let series = format!(
                "{name}{{cluster=\"east\",node=\"n\",channel=\"LEASE\",quantile=\"{quantile}\"}}"
            );
            json!({"series": series, "values": "7"})
        });
        let shown = all.map(|quantile| {
            let labels = format!("{{channel=\"LEASE\",quantile=\"{quantile}\"}}");
            json!({"labels": labels, "value": 7})
        });
        let asked = json!({"expr": query.expr, "eval_time": "0m", "exp_samples": shown});
        let test = json!({"tests": [{"input_series": series, "promql_expr_test": [asked]}]});
        fs::write(&file, test.to_string())?;
        output_of("promtool", ["test", "rules", &file.display().to_string()])
            .with_context(|| query.title.clone())?;
    }
    Ok(())
}
