//! Two simulated clusters, each with a Prometheus of its own that loads the alerts and writes on into one `VictoriaMetrics`.

use std::{fs, path::Path};

use anyhow::Context as _;
use nodegrace_tests::process::Process;
use tempfile::TempDir;

use super::engines::{Engine, free_address, get};

/// Nodes of each cluster: two of every kind.
pub(super) const NODES: usize = 14;

/// Everything, as long as a test holds it.
pub(super) struct World {
    pub(super) clusters: [Cluster; 2],
    /// Where both are written to.
    pub(super) store: Engine,
    _directory: TempDir,
}

/// A simulated cluster, its aggregator and its Prometheus.
pub(super) struct Cluster {
    pub(super) seed: u64,
    http: String,
    prometheus: Engine,
    _demo: Process,
}

impl World {
    pub(super) fn start() -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        // The clusters run at 60 times real time, Prometheus does not: what must last for minutes has lasted after a second.
        let rules = fs::read_to_string(super::rules::PLAIN)?;
        let hurried: Vec<_> = rules
            .lines()
            .map(|line| match line.split_once("for: ") {
                Some((indent, _)) => format!("{indent}for: 1s"),
                None => line.to_owned(),
            })
            .collect();
        fs::write(directory.path().join("rules.yaml"), hurried.join("\n"))?;
        let store = Engine::victoria_metrics(directory.path())?;
        let cluster = |name, seed| Cluster::start(name, seed, directory.path(), &store);
        Ok(Self {
            clusters: [cluster("east", 1)?, cluster("west", 2)?],
            store,
            _directory: directory,
        })
    }
}

impl Cluster {
    fn start(name: &str, seed: u64, directory: &Path, store: &Engine) -> anyhow::Result<Self> {
        let (grpc, http) = (free_address()?, free_address()?);
        let (nodes, seed_text) = (NODES.to_string(), seed.to_string());
        let demo = Process::start(
            "nodegrace-demo",
            &[
                "--nodes", &nodes, "--seed", &seed_text, "--listen", &grpc, "--http", &http,
            ],
        );
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: {name}}}}}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs: [{{job_name: nodegrace-aggregator, static_configs: [{{targets: ['{http}']}}]}}]\n\
             remote_write: [{{url: '{}/api/v1/write'}}]\n",
            store.url
        );
        let file = directory.join(format!("{name}.yaml"));
        fs::write(&file, config)?;
        Ok(Self {
            seed,
            http,
            prometheus: Engine::prometheus(&file, &directory.join(name))?,
            _demo: demo,
        })
    }

    /// What its aggregator answers at `path`.
    pub(super) async fn get(&self, path: &str, accept: &str) -> anyhow::Result<String> {
        get(&self.http, path, accept).await
    }

    /// What its Prometheus answers, one line a series.
    pub(super) fn query(&self, expr: &str) -> anyhow::Result<Vec<String>> {
        self.prometheus.query(expr)
    }

    /// The same, once there is something.
    pub(super) async fn query_when(&self, expr: &str) -> anyhow::Result<Vec<String>> {
        self.prometheus.query_when(expr).await
    }

    /// A node of which everything is known that can be, causes too.
    pub(super) async fn node_with_causes(&self) -> anyhow::Result<String> {
        let expr = "topk(1, sum by (node) (nodegrace_node_late_seconds_total) and on (node) \
                    (nodegrace_node_period_seconds_count{channel=\"LEASE\"} > 0) and on (node) nodegrace_node_running_gap_seconds)";
        let lines = self.query_when(expr).await?;
        let line = lines.first().context("no line")?;
        super::label(line, "node").context("no node")
    }
}
