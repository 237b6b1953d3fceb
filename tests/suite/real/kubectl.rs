//! kubectl finds `kubectl-nodegrace` on the path and runs it as a plugin; and the krew manifest is one that krew would take.

use std::{collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt as _, process::Command};

use anyhow::Context as _;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_tests::process::{Ended, binary};
use serde_json::Value;

use super::{daemons::AggregatorProcess, grpcurl::report};

#[tokio::test]
async fn kubectl_nodegrace_top_shows_what_the_aggregator_answers() -> anyhow::Result<()> {
    let aggregator = AggregatorProcess::start(&[]).await?;
    let _streams = [
        report(&aggregator, "calm", 10).await?,
        report(&aggregator, "late", 30).await?,
        report(&aggregator, "slow", 20).await?,
    ];
    let nodes = nodes(&aggregator).await?;
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();

    let table = kubectl(&["top", "--no-headers"], &aggregator)?.stdout;
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    for (row, node) in rows.zip(&nodes) {
        let gap = node.gap.and_then(|gap| gap.p50).context("no gap")?;
        let p50 = format!("{:.1}s", gap.seconds as f64 + f64::from(gap.nanos) / 1e9);
        let state = node.state().as_str_name().trim_start_matches("STATE_");
        assert_eq!(
            row[..3],
            [node.name.as_str(), state, p50.as_str()],
            "{table}"
        );
    }
    assert_eq!(table.lines().count(), nodes.len(), "{table}");

    let json: Value = serde_json::from_str(&kubectl(&["top", "-o", "json"], &aggregator)?.stdout)?;
    let shown = json["nodes"].as_array().context("no nodes")?;
    let shown: Vec<_> = shown
        .iter()
        .filter_map(|node| node["name"].as_str())
        .collect();
    assert_eq!(shown, names);
    Ok(())
}

#[tokio::test]
async fn kubectl_passes_on_what_the_plugin_ends_with() -> anyhow::Result<()> {
    let aggregator = AggregatorProcess::start(&[]).await?;
    for (words, code) in [
        (&["top"][..], 0),
        (&["node", "nowhere"], 1),
        // Nothing is measured: whether the setting will do cannot be told.
        (&["recommend", "--check"], 4),
        (&["top", "--filter", "colour = red"], 64),
    ] {
        let ended = kubectl(words, &aggregator)?;
        assert_eq!(
            ended.status.code(),
            Some(code),
            "{words:?}: {}",
            ended.stderr
        );
    }
    Ok(())
}

/// kubectl asks an executable of a name of its own what may come next.
#[test]
fn kubectl_completes_the_plugins_command_line() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let plugin = binary("kubectl-nodegrace");
    let script = Command::new(&plugin)
        .args(["completion", "kubectl"])
        .output()?;
    let path = directory.path().join("kubectl_complete-nodegrace");
    fs::write(&path, script.stdout)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let plugins = plugin.parent().context("it is in no directory")?;
    let places = [directory.path(), plugins].map(|place| place.display().to_string());
    let path = format!("{}:{}", places.join(":"), env::var("PATH")?);
    let output = Command::new("kubectl")
        .args(["__complete", "nodegrace", "top", "--sort"])
        .env("PATH", path)
        .env("KUBECONFIG", "/dev/null")
        .output()
        .context("kubectl does not start; `.ci/run` installs it")?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.starts_with("--sort-by\t"), "{output:?}");
    Ok(())
}

/// krew takes a plugin whose program is in the archive, is called after it, and has its licence beside it.
#[test]
fn the_krew_manifest_names_the_program_and_its_licence() -> anyhow::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let text = fs::read_to_string(format!("{root}/deploy/krew/nodegrace.yaml"))?;
    let manifest: Value = serde_saphyr::from_str(&text)?;
    assert_eq!(
        manifest["apiVersion"],
        "krew.googlecontainertools.github.com/v1alpha2"
    );
    assert_eq!(manifest["kind"], "Plugin");
    let name = manifest["metadata"]["name"].as_str().context("no name")?;
    let program = format!("kubectl-{name}");
    let spec = &manifest["spec"];
    // krew's own limit for one line in its list.
    let short = spec["shortDescription"]
        .as_str()
        .context("no description")?;
    assert!(short.len() <= 50, "{short}");
    let mut places = BTreeSet::new();
    for platform in spec["platforms"].as_array().context("no platforms")? {
        assert_eq!(platform["bin"], program.as_str());
        let labels = &platform["selector"]["matchLabels"];
        let place = format!("{}_{}", text_of(&labels["os"])?, text_of(&labels["arch"])?);
        assert!(
            text_of(&platform["uri"])?.contains(&place.replace('_', "-")),
            "{place}"
        );
        assert_eq!(
            text_of(&platform["sha256"])?,
            format!("{{{{ .Sha256.{place} }}}}")
        );
        let files = platform["files"].as_array().context("no files")?;
        let files: BTreeSet<_> = files
            .iter()
            .filter_map(|file| file["from"].as_str())
            .collect();
        assert_eq!(files, BTreeSet::from([program.as_str(), "LICENSE"]));
        assert!(places.insert(place.clone()), "{place} twice");
    }
    assert!(fs::exists(format!("{root}/LICENSE"))?);
    assert!(binary(&program).exists());
    Ok(())
}

fn text_of(value: &Value) -> anyhow::Result<&str> {
    value
        .as_str()
        .with_context(|| format!("{value} is no text"))
}

/// Every node as the aggregator ranks it.
async fn nodes(aggregator: &AggregatorProcess) -> anyhow::Result<Vec<v1::Node>> {
    let mut queries = QueryClient::new(aggregator.connect().await?);
    let answer = queries.list_nodes(v1::ListNodesRequest::default()).await?;
    Ok(answer.into_inner().nodes)
}

/// Runs `kubectl nodegrace` with the built plugin on the path, and nothing of the user's.
fn kubectl(words: &[&str], aggregator: &AggregatorProcess) -> anyhow::Result<Ended> {
    let plugin = binary("kubectl-nodegrace");
    let plugin = plugin.parent().context("it is in no directory")?;
    let path = env::var("PATH")?;
    let output = Command::new("kubectl")
        .arg("nodegrace")
        .args(words)
        .args(["--address", &aggregator.address])
        .env("PATH", format!("{}:{path}", plugin.display()))
        .env("KUBECONFIG", "/dev/null")
        .output()
        .context("kubectl does not start; `.ci/run` installs it")?;
    Ok(Ended {
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}
