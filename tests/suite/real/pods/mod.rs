//! The pods of the rendered manifests, run by runc from the images as a kubelet would have them run: with exactly their arguments,
//! environment, users, capabilities and volumes. The API server enforces exactly their RBAC.
//!
//! They listen on fixed ports, so these tests need a network of their own, and images to run: `.ci/run image` makes both and says
//! by `NODEGRACE_IMAGES` where the images are. What cannot be as in a cluster is listed in `surroundings.rs`.

mod cluster;
mod container;
mod image;
mod surroundings;
mod volume;

use std::collections::BTreeSet;

use nodegrace_agent::{Timeouts, TlsFiles, channel};
use nodegrace_proto::v1::{self, Visibility, query_client::QueryClient};
use serde_json::Value;

use self::{
    cluster::{NODE, SimulatedCluster},
    container::Container,
};
use super::{
    forms::{DEFAULT, kustomized},
    programs::output_of,
    rights::{Right, granted},
};

/// What is granted for what these tests do not do: verb and resource.
const UNUSED: [(&str, &str); 1] = [
    // Whether somebody may query is not asked about those who come from the pod's own loopback, as these tests do.
    ("create", "subjectaccessreviews"),
];

#[tokio::test]
async fn the_default_form_reports_and_uses_every_right_it_has_and_no_other() -> anyhow::Result<()> {
    let pods = Pods::start(DEFAULT).await?;
    pods.do_their_work("http", TlsFiles::default()).await
}

#[tokio::test]
async fn the_form_for_production_does_so_too() -> anyhow::Result<()> {
    let pods = Pods::start("deploy/overlays/production").await?;
    let files = TlsFiles {
        authorities: Some(pods.cluster.authority_file()),
        server_name: Some("nodegrace.nodegrace.svc".to_owned()),
        identity: None,
    };
    pods.do_their_work("https", files).await
}

/// It has the host's processes and /sys in sight, and no more power for it.
#[tokio::test]
async fn the_form_for_k3s_does_so_too() -> anyhow::Result<()> {
    let pods = Pods::start("deploy/overlays/k3s").await?;
    pods.do_their_work("http", TlsFiles::default()).await
}

/// Its agent's every request to the API server is in the name of its own node.
#[tokio::test]
async fn the_form_for_own_node_does_so_too() -> anyhow::Result<()> {
    let pods = Pods::start("deploy/overlays/own-node").await?;
    pods.do_their_work("http", TlsFiles::default()).await
}

/// The two pods of a form, and the cluster around them.
struct Pods {
    granted: BTreeSet<Right>,
    cluster: SimulatedCluster,
    agent: Container,
    aggregator: Container,
}

impl Pods {
    async fn start(form: &str) -> anyhow::Result<Self> {
        let objects = kustomized(form)?;
        let granted = granted(&objects);
        let cluster = SimulatedCluster::start(&granted).await?;
        let aggregator = Container::start(&objects, "StatefulSet", &cluster.surroundings)?;
        let agent = Container::start(&objects, "DaemonSet", &cluster.surroundings)?;
        Ok(Self {
            granted,
            cluster,
            agent,
            aggregator,
        })
    }

    async fn do_their_work(&self, scheme: &str, files: TlsFiles) -> anyhow::Result<()> {
        self.answer_for_their_node(scheme, files).await?;
        self.pass_their_probes()?;
        self.have_no_power()?;
        self.used_their_rights();
        Ok(())
    }

    /// Asks for the node until both channels, a heartbeat and the kubelet's figures have arrived.
    async fn answer_for_their_node(&self, scheme: &str, files: TlsFiles) -> anyhow::Result<()> {
        let url = format!("{scheme}://127.0.0.1:4850");
        let mut query = QueryClient::new(channel(&url, &files, &Timeouts::default())?);
        let request = || v1::GetNodeRequest { name: NODE.into() };
        let mut last = None;
        for _ in 0..container::PATIENCE_S {
            last = Some(query.get_node(request()).await);
            if let Some(Ok(node)) = &last
                && is_complete(node.get_ref())
            {
                return Ok(());
            }
            #[allow(clippy::disallowed_methods, reason = "processes live in real time")]
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let logs = [self.aggregator.log(), self.agent.log()].join("\n");
        anyhow::bail!("not enough is known of the node: {last:#?}\n{logs}")
    }

    /// Every probe of the aggregator, as the kubelet would make it: at the pod's address, whatever the certificate says.
    fn pass_their_probes(&self) -> anyhow::Result<()> {
        for kind in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let probe = &self.aggregator.spec()[kind];
            if let Some(port) = probe["grpc"]["port"].as_u64() {
                let address = format!("127.0.0.1:{port}");
                let health = "grpc.health.v1.Health/Check";
                let answer = output_of("grpcurl", ["-plaintext", &address, health])?;
                assert!(answer.contains("SERVING"), "{kind}: {answer}");
            } else {
                let url = self.url_of(&probe["httpGet"]);
                output_of("python3", ["-c", GET, &url])?;
            }
        }
        Ok(())
    }

    fn url_of(&self, probe: &Value) -> String {
        let ports = self.aggregator.spec()["ports"].as_array();
        let port = ports
            .into_iter()
            .flatten()
            .find(|port| port["name"] == probe["port"])
            .map(|port| &port["containerPort"]);
        let port = port.unwrap_or_else(|| panic!("no port for {probe}"));
        let scheme = probe["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        let path = probe["path"].as_str().unwrap_or_default();
        format!("{scheme}://127.0.0.1:{port}{path}")
    }

    /// Nobody's user, no capability, no way to get one, and nothing to write to but volumes.
    fn have_no_power(&self) -> anyhow::Result<()> {
        for container in [&self.agent, &self.aggregator] {
            let status = container.status()?;
            for (line, value) in [
                ("Uid", "65532\t65532\t65532\t65532"),
                ("Gid", "65532\t65532\t65532\t65532"),
                ("CapPrm", "0000000000000000"),
                ("CapEff", "0000000000000000"),
                ("CapBnd", "0000000000000000"),
                ("CapAmb", "0000000000000000"),
                ("NoNewPrivs", "1"),
            ] {
                assert_eq!(status.get(line).map(String::as_str), Some(value), "{line}");
            }
            assert!(container.root_is_read_only()?, "{}", container.name());
            println!(
                "{}: at most {} resident",
                container.name(),
                status["VmHWM"].trim()
            );
        }
        Ok(())
    }

    /// Nothing was refused, and nothing is granted in vain.
    fn used_their_rights(&self) {
        let (used, refused) = self.cluster.asked();
        assert!(refused.is_empty(), "{refused:?}");
        let wanted = self.granted.iter().filter(|right| {
            let what = (right.verb.as_str(), right.resource.as_str());
            !UNUSED.contains(&what)
        });
        assert_eq!(used, wanted.cloned().collect());
    }
}

fn is_complete(node: &v1::Node) -> bool {
    let seen = node.channels.iter().filter(|figures| {
        let view = figures.view.as_ref();
        view.is_some_and(|view| view.visibility() == Visibility::Observed)
    });
    let gaps = node.gap.as_ref().map_or(0, |gap| gap.count);
    seen.count() == 2 && gaps > 0 && node.kubelet_settings.is_some()
}

/// Gets the URL of the argument, and fails where a kubelet's probe would.
const GET: &str = "
import ssl, sys, urllib.request
unverified = ssl._create_unverified_context()
assert urllib.request.urlopen(sys.argv[1], timeout=5, context=unverified).status < 400
";
