//! Through a kubeconfig: the pod is found and its port forwarded, by a simulated API server.

use std::time::UNIX_EPOCH;

use clap::Parser as _;
use kubectl_nodegrace::{Args, reach::reach, show::screen::Screen};
use nodegrace_clock::Clock;
use nodegrace_proto::v1;
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Access, Key, Permission, Resource, Store},
    kubeconfig::{Credentials, kubeconfig},
};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::kit::{Fixed, answer};

/// A cluster with an aggregator's pod in it.
struct Cluster {
    server: ApiServer,
    kubeconfig: NamedTempFile,
}

impl Cluster {
    async fn start(token: Option<&str>) -> Self {
        let clock = Clock::scaled(1.0, UNIX_EPOCH);
        let server = ApiServer::new(Store::new(clock.clone(), 1), clock);
        let address = server.listen(([127, 0, 0, 1], 0).into(), None).await;
        let credentials = Credentials {
            token: token.map(str::to_owned),
            ..Credentials::default()
        };
        let file = NamedTempFile::new().expect("a place for files");
        let text = kubeconfig(address.expect("a port"), &credentials);
        std::fs::write(file.path(), text).expect("there is room");
        Self {
            server,
            kubeconfig: file,
        }
    }

    /// Adds a pod of the aggregator.
    fn pod(&self, name: &str, ready: bool) -> Key {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "nodegrace",
                "labels": {"app.kubernetes.io/name": "nodegrace-aggregator"},
            },
            "spec": {"containers": [{
                "name": "aggregator",
                "args": ["--listen=[::]:7000", "--insecure"],
                "ports": [{"name": "http", "containerPort": 7001}, {"name": "grpc", "containerPort": 7000}],
            }]},
            "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
        });
        let created = self.server.store().create(Resource::Pod, pod, "test");
        created.expect("a new pod").key.clone()
    }

    /// The fleet as asked for through the cluster, or what is said instead.
    async fn fleet(&self, words: &[&str]) -> Result<v1::Fleet, String> {
        let kubeconfig = self.kubeconfig.path().to_str().expect("a path");
        let program = ["kubectl-nodegrace", "fleet", "--kubeconfig", kubeconfig];
        let args = Args::try_parse_from(program.iter().chain(words)).expect("it makes sense");
        let mut queries = reach(&args.reach)
            .await
            .map_err(|error| format!("{error:#}"))?;
        let answer = queries.get_fleet(v1::GetFleetRequest {}).await;
        Ok(answer.map_err(|status| status.to_string())?.into_inner())
    }
}

#[tokio::test]
async fn the_pod_that_is_ready_is_asked_through_a_port_forward() {
    let (cluster, fixed) = (Cluster::start(None).await, Fixed::default());
    cluster.pod("nodegrace-aggregator-0", false);
    let ready = cluster.pod("nodegrace-aggregator-1", true);
    let address = fixed.serve().await;
    cluster.server.listen_in_pod(ready, 7000, address);
    assert_eq!(cluster.fleet(&[]).await.as_ref(), Ok(&fixed.fleet));
}

#[tokio::test]
async fn each_step_that_fails_is_named() {
    let cluster = Cluster::start(None).await;
    let error = cluster.fleet(&[]).await.expect_err("nobody is there");
    assert!(
        error.contains("no pod with label") && error.contains("--namespace"),
        "{error}"
    );
    cluster.pod("nodegrace-aggregator-0", false);
    let error = cluster.fleet(&[]).await.expect_err("nobody is ready");
    assert!(error.contains("none of the 1 aggregators"), "{error}");
    cluster.pod("nodegrace-aggregator-1", true);
    let error = cluster.fleet(&[]).await.expect_err("nobody listens");
    assert!(error.contains("failed to connect to port 7000"), "{error}");
    let error = cluster
        .fleet(&["--context", "other"])
        .await
        .expect_err("no such context");
    assert!(error.contains("other"), "{error}");
}

#[tokio::test]
async fn who_may_not_forward_is_told_which_rights_it_takes() {
    let cluster = Cluster::start(Some("reader's")).await;
    cluster.pod("nodegrace-aggregator-0", true);
    let reader = Permission::new(&["list"], Resource::Pod);
    let access = Access::closed().with_token("reader's", "reader");
    cluster.server.set_access(access.permit("reader", reader));
    let error = cluster.fleet(&[]).await.expect_err("forbidden");
    assert!(error.contains("pods/portforward"), "{error}");
}

/// The tunnel ends at a kubelet, whose certificate many API servers do not look at.
#[tokio::test]
async fn a_token_is_not_sent_through_a_tunnel_in_plain_text() {
    let cluster = Cluster::start(None).await;
    cluster.pod("nodegrace-aggregator-0", true);
    let error = cluster
        .fleet(&["--token", "secret"])
        .await
        .expect_err("refused");
    assert!(error.contains("not encrypted"), "{error}");
}

/// A server that takes connections and says nothing.
#[tokio::test]
async fn labels_are_not_waited_for_without_end() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let file = NamedTempFile::new().expect("a place for files");
    let text = kubeconfig(address, &Credentials::default());
    std::fs::write(file.path(), text).expect("there is room");
    let path = file.path().to_str().expect("a path");
    let words = [
        "top",
        "-l",
        "pool=a",
        "--kubeconfig",
        path,
        "--request-timeout",
        "200ms",
    ];
    let (_, outcome) = answer(&words, &Screen::PIPE, Fixed::default()).await;
    let said = outcome.expect_err("nobody answers").to_string();
    assert!(
        said.contains("does not answer") && said.contains("pool=a"),
        "{said}"
    );
}
