//! The two real binaries as separate processes: an aggregator on free ports, and an agent that measures this machine and
//! reports to it.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Access, Resource, Store},
};
use nodegrace_tests::process::Process;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::relay::Relay;

/// Name of the node that agents of these tests report as.
pub(super) const NODE: &str = "this-machine";

/// What the agent shows to the API server.
const TOKEN: &str = "the-agents-token";

/// Who the API server takes the holder of [`TOKEN`] for.
const AGENT_USER: &str = "system:serviceaccount:nodegrace:nodegrace-agent";

/// Longest wait for a sample: agents take one every 10 s.
const SAMPLE_PATIENCE: Duration = Duration::from_secs(45);

/// Pause between two questions.
const POLL: Duration = Duration::from_millis(200);

/// A running aggregator.
pub(super) struct AggregatorProcess {
    /// IP:PORT of its gRPC.
    pub(super) address: String,
    _process: Process,
}

impl AggregatorProcess {
    /// Starts it on free ports of the loopback interface, with further flags.
    pub(super) async fn start(flags: &[&str]) -> anyhow::Result<Self> {
        let mut args = vec![
            "--listen=127.0.0.1:0",
            "--http=127.0.0.1:0",
            "--log-format=json",
        ];
        args.extend(flags);
        let mut process = Process::start("nodegrace-aggregator", &args);
        let line: Value = serde_json::from_str(&process.line("serving gRPC").await)?;
        let address = line["fields"]["address"]
            .as_str()
            .context("the log names no address")?;
        Ok(Self {
            address: address.to_owned(),
            _process: process,
        })
    }

    /// A connection to its gRPC.
    pub(super) async fn connect(&self) -> anyhow::Result<Channel> {
        let endpoint = Channel::from_shared(format!("http://{}", self.address))?;
        Ok(endpoint.connect().await?)
    }
}

/// A real agent on this machine. Only its API server is simulated: there is no cluster here that this machine belongs to.
pub(super) struct MeasuredNode {
    /// The API server the agent watches.
    pub(super) api: ApiServer,
    /// Where it listens.
    pub(super) api_address: SocketAddr,
    /// The agent's way to it.
    pub(super) agents_way: Relay,
    query: QueryClient<Channel>,
    _agent: Process,
    _aggregator: AggregatorProcess,
    _dir: tempfile::TempDir,
}

impl MeasuredNode {
    /// Starts an agent, an aggregator and an API server with one node and its Lease, and the agent with further flags.
    /// `access` says what the API server permits to [`AGENT_USER`].
    pub(super) async fn start(access: Access, flags: &[&str]) -> anyhow::Result<Self> {
        let clock = Clock::real();
        let api = ApiServer::new(Store::new(clock.clone(), 1), clock);
        for (resource, object) in [(Resource::Node, node()), (Resource::Lease, lease())] {
            api.store()
                .create(resource, object, "kubelet")
                .map_err(|refusal| anyhow::anyhow!("the simulated API server: {refusal:?}"))?;
        }
        api.set_access(access.with_token(TOKEN, AGENT_USER));
        let api_address = api.listen(([127, 0, 0, 1], 0).into(), None).await?;

        let dir = tempfile::tempdir()?;
        let kubeconfig = dir.path().join("kubeconfig");
        let agents_way = Relay::to(api_address).await?;
        write_kubeconfig(&kubeconfig, &format!("http://{}", agents_way.address))?;

        let aggregator = AggregatorProcess::start(&[]).await?;
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        let target = format!("--aggregator=http://{}", aggregator.address);
        let name = format!("--node-name={NODE}");
        let mut args = vec![kubeconfig.as_str(), &target, &name];
        args.extend(flags);
        let agent = Process::start("nodegrace-agent", &args);
        Ok(Self {
            api,
            api_address,
            agents_way,
            query: QueryClient::new(aggregator.connect().await?),
            _agent: agent,
            _aggregator: aggregator,
            _dir: dir,
        })
    }

    /// The first state of the node, as the aggregator has it, that is as `wanted`.
    pub(super) async fn node_when(
        &mut self,
        what: &str,
        wanted: impl Fn(&v1::Node) -> bool,
    ) -> anyhow::Result<v1::Node> {
        let mut last = None;
        for _ in 0..SAMPLE_PATIENCE.as_millis() / POLL.as_millis() {
            let request = v1::GetNodeRequest { name: NODE.into() };
            // NOT_FOUND until the agent's first report.
            let answer = self.query.get_node(request).await.ok();
            last = answer.map(tonic::Response::into_inner);
            if let Some(node) = last.take_if(|node| wanted(node)) {
                return Ok(node);
            }
            #[allow(clippy::disallowed_methods, reason = "a real process is waited for")]
            tokio::time::sleep(POLL).await;
        }
        anyhow::bail!("no {what} within {SAMPLE_PATIENCE:?}; the node is {last:?}");
    }

    /// The longest of its long gaps, once one is listed and judged.
    pub(super) async fn judged_gap(&mut self) -> anyhow::Result<v1::Gap> {
        let mut last = Vec::new();
        for _ in 0..SAMPLE_PATIENCE.as_millis() / POLL.as_millis() {
            last = self.gaps().await?;
            if let Some(gap) = last.first().filter(|gap| !gap.causes.is_empty()) {
                return Ok(gap.clone());
            }
            #[allow(clippy::disallowed_methods, reason = "a real process is waited for")]
            tokio::time::sleep(POLL).await;
        }
        anyhow::bail!("no judged gap within {SAMPLE_PATIENCE:?}; there are {last:?}")
    }

    /// Its long gaps, the longest first.
    pub(super) async fn gaps(&mut self) -> anyhow::Result<Vec<v1::Gap>> {
        let request = v1::ListGapsRequest {
            node_name: NODE.into(),
            order_by: "duration desc".into(),
            ..v1::ListGapsRequest::default()
        };
        Ok(self.query.list_gaps(request).await?.into_inner().gaps)
    }

    /// A sample of everything, taken after this call.
    pub(super) async fn next_sample(&mut self) -> anyhow::Result<v1::Sample> {
        let now = Clock::real().wall();
        let node = self
            .node_when("sample", |node| {
                // A fine one asks neither the kubelet nor the runtime.
                let taken = node
                    .latest_sample
                    .as_ref()
                    .filter(|sample| !sample.fine)
                    .and_then(|sample| sample.sample_time)
                    .and_then(|time| SystemTime::try_from(time).ok());
                taken.is_some_and(|taken| taken > now)
            })
            .await?;
        node.latest_sample.context("it was there a moment ago")
    }
}

fn write_kubeconfig(path: &Path, server: &str) -> anyhow::Result<()> {
    // JSON is YAML.
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "agent" } }],
        "clusters": [{ "name": "test", "cluster": { "server": server } }],
        "users": [{ "name": "agent", "user": { "token": TOKEN } }],
    });
    fs::write(path, kubeconfig.to_string()).context("write the kubeconfig")
}

fn node() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": NODE },
        "status": { "conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }] },
    })
}

fn lease() -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": NODE, "namespace": "kube-node-lease" },
        "spec": {
            "holderIdentity": NODE,
            "leaseDurationSeconds": 40,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    })
}
