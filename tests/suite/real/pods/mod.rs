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

use std::{collections::BTreeSet, iter};

use anyhow::Context as _;
use nodegrace_agent::{Timeouts, TlsFiles, channel};
use nodegrace_proto::v1::{self, Visibility, query_client::QueryClient};
use serde_json::Value;

use self::{
    cluster::{HELD, NODE, SimulatedCluster},
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

/// The runtime is known by its counts and times, and none but the bridge has its socket in sight.
#[tokio::test]
async fn the_form_with_a_bridge_to_the_runtime_does_so_too() -> anyhow::Result<()> {
    let pods = Pods::start("deploy/overlays/cri").await?;
    let [bridge] = &pods.beside[..] else {
        panic!("one container beside the agent");
    };
    pods.do_their_work("http", TlsFiles::default()).await?;
    let asked = |node: &v1::Node| {
        let sample = node.latest_sample.as_ref();
        sample.is_some_and(|sample| sample.runtime.is_some())
    };
    let node = pods.node_when("http", TlsFiles::default(), asked).await?;
    let runtime = node.latest_sample.and_then(|sample| sample.runtime);
    let runtime = runtime.context("it was there a moment ago")?;
    assert_eq!(runtime.runtime_name, "containerd");
    let counts = [
        (
            runtime.containers,
            HELD.running_containers + HELD.dead_containers,
        ),
        (runtime.running_containers, HELD.running_containers),
        (
            runtime.pod_sandboxes,
            HELD.ready_sandboxes + HELD.dead_sandboxes,
        ),
        (runtime.ready_pod_sandboxes, HELD.ready_sandboxes),
        (runtime.images, HELD.images),
    ];
    for (counted, held) in counts {
        assert_eq!(counted, Some(held), "{runtime:?}");
    }
    let bytes = u64::from(HELD.images) * HELD.image_bytes;
    // The bridge tells them in whole 256 MiB.
    assert_eq!(runtime.image_bytes, Some(bytes.next_multiple_of(256 << 20)));
    let untimed = runtime.calls.iter().find(|call| call.took.is_none());
    assert_eq!(untimed, None);

    assert_eq!(bridge.is_read_only("/run/containerd")?, Some(true));
    assert_eq!(pods.agent.is_read_only("/run/containerd")?, None);
    let swap = pods.agent.is_read_only("/run/nodegrace")?;
    assert_eq!(swap, Some(true), "nothing can be put in the socket's place");
    Ok(())
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
    /// Other containers of the agent's pod.
    beside: Vec<Container>,
    aggregator: Container,
}

impl Pods {
    async fn start(form: &str) -> anyhow::Result<Self> {
        let objects = kustomized(form)?;
        let granted = granted(&objects);
        let cluster = SimulatedCluster::start(&granted).await?;
        let start = |kind| Container::start_all(&objects, kind, &cluster.surroundings);
        let aggregator = start("StatefulSet")?.pop().context("no container")?;
        let mut beside = start("DaemonSet")?;
        let agent = beside.remove(0);
        Ok(Self {
            granted,
            cluster,
            agent,
            beside,
            aggregator,
        })
    }

    async fn do_their_work(&self, scheme: &str, files: TlsFiles) -> anyhow::Result<()> {
        self.node_when(scheme, files, is_complete).await?;
        self.pass_their_probes()?;
        self.have_no_power()?;
        self.used_their_rights();
        Ok(())
    }

    /// Asks for the node until what is known of it is `enough`.
    async fn node_when(
        &self,
        scheme: &str,
        files: TlsFiles,
        enough: impl Fn(&v1::Node) -> bool,
    ) -> anyhow::Result<v1::Node> {
        let url = format!("{scheme}://127.0.0.1:4850");
        let mut query = QueryClient::new(channel(&url, &files, &Timeouts::default())?);
        let request = || v1::GetNodeRequest { name: NODE.into() };
        let mut last = None;
        for _ in 0..container::PATIENCE_S {
            match query.get_node(request()).await {
                Ok(node) if enough(node.get_ref()) => return Ok(node.into_inner()),
                answer => last = Some(answer),
            }
            #[allow(clippy::disallowed_methods, reason = "processes live in real time")]
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let logs = self.containers().map(Container::log);
        let logs = logs.collect::<Vec<_>>().join("\n");
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

    fn containers(&self) -> impl Iterator<Item = &Container> {
        let beside = self.beside.iter();
        iter::once(&self.aggregator)
            .chain(iter::once(&self.agent))
            .chain(beside)
    }

    /// Nobody's user, no capability, no way to get one, and nothing to write to but volumes. The runtime's socket takes root's user,
    /// and no more of what makes it root.
    fn have_no_power(&self) -> anyhow::Result<()> {
        for container in self.containers() {
            let status = container.status()?;
            let user = match container.name() {
                "cri-bridge" => "0\t0\t0\t0",
                _ => "65532\t65532\t65532\t65532",
            };
            for (line, value) in [
                ("Uid", user),
                ("Gid", "65532\t65532\t65532\t65532"),
                ("CapPrm", "0000000000000000"),
                ("CapEff", "0000000000000000"),
                ("CapBnd", "0000000000000000"),
                ("CapAmb", "0000000000000000"),
                ("NoNewPrivs", "1"),
            ] {
                assert_eq!(status.get(line).map(String::as_str), Some(value), "{line}");
            }
            let root = container.is_read_only("/")?;
            assert_eq!(root, Some(true), "{}", container.name());
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
