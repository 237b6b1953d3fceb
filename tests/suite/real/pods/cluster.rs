//! The cluster around the pods: an API server that lets them do what is granted, and a node with its kubelet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    api::{API_AUDIENCE, Account},
    cri::{Contents, CriRuntime},
    kubelet::{Guard, Kind, NodeSpec},
};
use nodegrace_tests::authority::Authority;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{
    super::rights::{Right, access},
    surroundings::Surroundings,
};

/// The only node.
pub(super) const NODE: &str = "node-1";

/// What agents show to aggregators is made for this audience.
const AUDIENCE: &str = "nodegrace";

/// Where the manifests look for the kubelet: on the node, at the port that all kubelets have.
const KUBELET_PORT: u16 = 10250;

/// A running cluster of one node.
pub(super) struct SimulatedCluster {
    /// What its pods find.
    pub(super) surroundings: Surroundings,
    cluster: Cluster,
    of_kubelet: Arc<Mutex<Asked>>,
    dir: TempDir,
    _runtime: JoinSet<()>,
}

/// What the node's container runtime holds: many, so that it shows what memory the bridge needs.
pub(super) const HELD: Contents = Contents {
    running_containers: 500,
    dead_containers: 200,
    ready_sandboxes: 250,
    dead_sandboxes: 50,
    images: 500,
    image_bytes: 3 << 20,
};

/// What was asked of the kubelet.
#[derive(Default)]
struct Asked {
    used: BTreeSet<Right>,
    refused: Vec<String>,
}

impl SimulatedCluster {
    /// Starts it with what is granted to whom.
    pub(super) async fn start(granted: &BTreeSet<Right>) -> anyhow::Result<Self> {
        let authority = Authority::new();
        let spec = ClusterSpec::new(vec![NodeSpec::new(NODE, Kind::Healthy, 1)], 1);
        let cluster = Cluster::start(spec, &Clock::real())?;
        let mut access = access(granted);
        for name in ["nodegrace-agent", "nodegrace-aggregator"] {
            for audience in [None, Some(AUDIENCE)] {
                let account = account(name, audience.unwrap_or(API_AUDIENCE));
                access = access.with_account(&Surroundings::token(name, audience), account);
            }
        }
        cluster.server().set_access(access);
        let loopback = |port| ([127, 0, 0, 1], port).into();
        let api_server = cluster
            .listen(loopback(0), Some(authority.server()))
            .await?;

        let of_kubelet = Arc::new(Mutex::new(Asked::default()));
        let guard = guard(granted.clone(), Arc::clone(&of_kubelet));
        // It signs its own certificate.
        let own = Authority::new().server();
        cluster
            .listen_kubelet(NODE, loopback(KUBELET_PORT), own, guard)
            .await?;

        let names = ["nodegrace-ingest.nodegrace.svc", "nodegrace.nodegrace.svc"];
        let (certificate, key) = authority.server_pem_of(&names);
        let tls = [
            ("tls.crt", certificate),
            ("tls.key", key),
            ("ca.crt", authority.pem()),
        ];
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("ca.crt"), authority.pem())?;
        let runtime = dir.path().join("runtime");
        fs::create_dir(&runtime)?;
        Ok(Self {
            surroundings: Surroundings {
                node: NODE,
                api_server,
                api_authority: authority.pem(),
                secrets: BTreeMap::from([("nodegrace-tls", tls.into())]),
                runtime: runtime.clone(),
            },
            cluster,
            of_kubelet,
            dir,
            _runtime: run_runtime(&runtime)?,
        })
    }

    /// The file that a client of the aggregator knows it by.
    pub(super) fn authority_file(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// The rights that were used until now, and what was refused or takes no right that is known.
    pub(super) fn asked(&self) -> (BTreeSet<Right>, Vec<String>) {
        let asked = self.of_kubelet.lock();
        let asked = asked.unwrap_or_else(PoisonError::into_inner);
        let (mut used, mut refused) = (asked.used.clone(), asked.refused.clone());
        for request in self.cluster.server().request_log() {
            match Right::of(&request) {
                Some(rights) if request.code < 400 => used.extend(rights),
                _ => refused.push(format!("{request:?}")),
            }
        }
        (used, refused)
    }
}

/// Runs a container runtime with its socket in this folder, which is root's and nobody else's.
fn run_runtime(dir: &Path) -> anyhow::Result<JoinSet<()>> {
    let socket = dir.join("containerd.sock");
    let connections = CriRuntime::bind(&socket)?;
    fs::set_permissions(&socket, Permissions::from_mode(0o660))?;
    let runtime = CriRuntime::new(Clock::real(), HELD);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let never = std::future::pending();
        if let Err(error) = runtime.serve(connections, never).await {
            eprintln!("the container runtime ended: {error}");
        }
    });
    Ok(tasks)
}

/// An account of the manifests, and what is said of its tokens for `audience`.
fn account(name: &str, audience: &str) -> Account {
    let node = ("authentication.kubernetes.io/node-name", NODE);
    Account {
        name: ("nodegrace".into(), name.into()),
        audiences: vec![audience.into()],
        extra: [(node.0.into(), node.1.into())].into(),
        expires: None,
    }
}

/// Lets in whom the API server knows by what is granted, and remembers.
fn guard(granted: BTreeSet<Right>, asked: Arc<Mutex<Asked>>) -> Guard {
    Guard::new(move |token, resource| {
        let user = granted.iter().find(|right| {
            let name = right.user.rsplit(':').next().unwrap_or_default();
            token == Surroundings::token(name, None)
        });
        let right = Right {
            user: user.map_or_else(|| token.to_owned(), |right| right.user.clone()),
            verb: "get".to_owned(),
            group: String::new(),
            resource: resource.to_owned(),
            namespace: None,
        };
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let may = granted.contains(&right);
        if may {
            asked.used.insert(right);
        } else {
            asked.refused.push(format!("{right:?}"));
        }
        may
    })
}
