//! An agent without any aggregator, scraped by a Prometheus that takes native histograms.

use std::fs;

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    kubeconfig::{Credentials, kubeconfig},
    kubelet::{Kind, NodeSpec},
};
use nodegrace_tests::{process::Process, running::written};

use super::engines::{Engine, check_metrics, free_address, get};

#[tokio::test]
async fn an_agents_gaps_are_native_histograms_without_any_aggregator() -> anyhow::Result<()> {
    // The kubelet beats every half second of real time.
    let clock = Clock::scaled(20.0, Clock::real().wall());
    let node = NodeSpec::new("node-0", Kind::Healthy, 1);
    let cluster = Cluster::start(ClusterSpec::new(vec![node], 1), &clock)?;
    let api_server = cluster.listen("127.0.0.1:0".parse()?, None).await?;
    let file = written(&kubeconfig(api_server, &Credentials::default()));
    let address = free_address()?;
    let mut agent = Process::start(
        "nodegrace-agent",
        &[
            "--node-name",
            "node-0",
            "--kubeconfig",
            &file.path,
            "--aggregator",
            "none",
            "--metrics-listen",
            &address,
        ],
    );
    agent.line("serves metrics").await;
    check_metrics(&get(&address, "/metrics", "text/plain").await?)?;

    let directory = tempfile::tempdir()?;
    let config = directory.path().join("prometheus.yaml");
    let targets = format!("static_configs: [{{targets: ['{address}']}}]");
    fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: nodegrace-agent, {targets}}}]\n"
        ),
    )?;
    let native = "--enable-feature=native-histograms";
    let prometheus = Engine::prometheus_with(&config, &directory.path().join("data"), &[native])?;
    // Without buckets of its own in the expression, that is one of a native histogram.
    let median = "histogram_quantile(0.5, nodegrace_agent_gap_seconds) > 0";
    let lines = prometheus.query_when(median).await?;
    let (_, value) = lines[0].split_once("=> ").context("no value")?;
    let value: f64 = value.split(' ').next().unwrap_or_default().parse()?;
    assert!((0.4..0.8).contains(&value), "{lines:?}");
    let labelled = prometheus.query("nodegrace_agent_info{node=\"node-0\"}")?;
    assert_eq!(labelled.len(), 1);
    assert!(agent.terminate().await.success());
    cluster.stop().await;
    Ok(())
}
