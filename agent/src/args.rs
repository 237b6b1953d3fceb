//! The command line, and what it means.

mod aggregator;
mod part;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use http::Uri;

pub use self::{
    aggregator::AggregatorArgs,
    part::{CommandLine, Part},
};
use crate::{
    config::{Config, FineAfter, KubeletProcessName},
    logging::LogArgs,
    wire,
};

/// The pod's own token, which the kubelet's server takes where RBAC allows.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Longest name of a node, as of everything that Kubernetes checks as a DNS-1123 subdomain.
const LONGEST_NODE_NAME: usize = 253;

// The comments below are the help text: quotes and URLs stand there as people type them.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// The agent's command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "nodegrace-agent", version, max_term_width = 100)]
pub struct Args {
    /// Name of this node in Kubernetes. Default: $NODE_NAME, as a DaemonSet sets it from spec.nodeName.
    #[arg(long, env = "NODEGRACE_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,

    /// Where the aggregator is, and how the two know each other.
    #[command(flatten)]
    pub aggregator: AggregatorArgs,

    /// kubeconfig that reaches the API server. Default: the pod's service account when running in a pod; else $KUBECONFIG or
    /// ~/.kube/config.
    #[arg(long, env = "NODEGRACE_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig. Default: its current one.
    #[arg(long, env = "NODEGRACE_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,

    /// Read the API server as this node and not as the agent's own account, by constrained impersonation (Kubernetes 1.36):
    /// then the agent can read its own Node and Lease and no others. The Lease is then asked for every second or two instead of
    /// being watched, about 2200 requests an hour.
    #[arg(long, env = "NODEGRACE_IMPERSONATE_OWN_NODE")]
    impersonate_own_node: bool,

    /// Where this node's /proc is.
    #[arg(
        long,
        env = "NODEGRACE_PROC_ROOT",
        value_name = "DIR",
        default_value = "/proc"
    )]
    proc_root: PathBuf,

    /// Where this node's /sys is.
    #[arg(
        long,
        env = "NODEGRACE_SYS_ROOT",
        value_name = "DIR",
        default_value = "/sys"
    )]
    sys_root: PathBuf,

    /// Time between two samples of load, pressure, disks, kubelet and runtime; at least 1s, and rounded up to half seconds.
    /// Runtime and kubelet are never asked more often than every 10s.
    #[arg(long, env = "NODEGRACE_SAMPLE_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    sample_interval: Duration,

    /// How long to wait for a heartbeat before load, pressure, disks, network and the kubelet's process are sampled every second
    /// until it comes: "auto" for 1.5 times as long as is usual on this node, a duration of at least 1s, or "off". After 2m
    /// they are sampled every 5s, and after 10m no more.
    #[arg(long, env = "NODEGRACE_FINE_AFTER", value_name = "auto|DURATION|off", default_value = "auto", value_parser = fine_after)]
    fine_after: FineAfter,

    /// Name of the program the kubelet runs in, by which its process is found under --proc-root. Default: kubelet, or else the
    /// first there is of k3s-server, k3s-agent, kubelite, microshift, k3s and hyperkube; where one of these holds the kubelet,
    /// the process's figures are those of all it holds.
    #[arg(long, env = "NODEGRACE_KUBELET_PROCESS_NAME", value_name = "NAME")]
    kubelet_process_name: Option<String>,

    /// File that holds the kubelet's process id, instead of --kubelet-process-name. Default: none.
    #[arg(long, env = "NODEGRACE_KUBELET_PID_FILE", value_name = "FILE")]
    kubelet_pid_file: Option<PathBuf>,

    /// Socket of the container runtime (CRI v1), as a path or as unix://PATH, to count containers and images and to time the
    /// calls. Default: none; the runtime is not asked. Who can open it is root on the node; see cri-bridge.
    #[arg(long, env = "NODEGRACE_CRI_SOCKET", value_name = "SOCKET", value_parser = socket)]
    cri_socket: Option<PathBuf>,

    /// Longest wait for one call to the runtime.
    #[arg(long, env = "NODEGRACE_CRI_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    cri_timeout: Duration,

    /// URL of the kubelet's own server, such as https://10.0.0.7:10250, for its /metrics and /configz. Default: none; it is
    /// not asked.
    #[arg(long, env = "NODEGRACE_KUBELET_URL", value_name = "URL")]
    kubelet_url: Option<Uri>,

    /// File with the bearer token for --kubelet-url, read again as it changes. Default: the pod's own token, if there is one.
    #[arg(long, env = "NODEGRACE_KUBELET_TOKEN_FILE", value_name = "FILE")]
    kubelet_token_file: Option<PathBuf>,

    /// File with the CA that signed the kubelet's serving certificate. Default: the system's roots.
    #[arg(
        long,
        env = "NODEGRACE_KUBELET_CA_FILE",
        value_name = "FILE",
        conflicts_with = "kubelet_insecure"
    )]
    kubelet_ca_file: Option<PathBuf>,

    /// Do not verify the kubelet's serving certificate: by default kubelets sign their own.
    #[arg(long, env = "NODEGRACE_KUBELET_INSECURE")]
    kubelet_insecure: bool,

    /// Directory that keeps records until every aggregator has them, so that they outlive restarts of the agent. Default:
    /// none; they are kept in memory, and so they are while the directory cannot be used.
    #[arg(long, env = "NODEGRACE_SPOOL_DIR", value_name = "DIR")]
    spool_dir: Option<PathBuf>,

    /// Most bytes of records kept until every aggregator has them, on disk or in memory; at least 524288. A quarter is for
    /// heartbeats, most of the rest for samples, so that samples are dropped long before heartbeats. Of each, the oldest are
    /// dropped first; all are counted. The default holds 14 hours of heartbeats.
    #[arg(long, env = "NODEGRACE_SPOOL_BYTES", value_name = "BYTES", default_value_t = 4 << 20,
          value_parser = clap::value_parser!(u64).range((512 << 10)..=(1 << 30)))]
    spool_bytes: u64,

    /// Most records in one batch to the aggregator, which takes no more than 1024.
    #[arg(long, env = "NODEGRACE_BATCH_RECORDS", value_name = "N", default_value_t = 256,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_records: u16,

    /// Address to serve the agent's own metrics at, as http://ADDR/metrics, to whoever reaches it: heartbeats with their gaps,
    /// periods and delays as histograms. They need no aggregator: see --aggregator none. Default: none; they are served nowhere.
    #[arg(long, env = "NODEGRACE_METRICS_LISTEN", value_name = "IP:PORT")]
    metrics_listen: Option<SocketAddr>,

    /// What to log, and how.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Args {
    /// What these arguments mean.
    ///
    /// # Errors
    /// When the node has no name or one that no node can have, /proc is not where it should be, or the kubelet's URL is none.
    pub fn config(&self) -> anyhow::Result<Config> {
        let node_name = self
            .node_name
            .clone()
            .or_else(|| std::env::var("NODE_NAME").ok())
            .filter(|name| !name.is_empty())
            .context("no node name: give --node-name, or set NODE_NAME")?;
        anyhow::ensure!(
            is_node_name(&node_name),
            "--node-name {node_name:?}: no node can have this name; it must be a DNS-1123 subdomain, of lower case letters, \
             digits, '-' and '.'"
        );
        let mut config = Config::new(node_name);
        config.impersonate_own_node = self.impersonate_own_node;
        config.proc_root.clone_from(&self.proc_root);
        // Whatever has no boot id is no /proc.
        config.boot_id = Some(config.read_boot_id().context("--proc-root")?);
        config.sys_root.clone_from(&self.sys_root);
        config.sample_interval = self.sample_interval;
        config.fine_after = self.fine_after;
        config.kubelet_process = match (&self.kubelet_pid_file, &self.kubelet_process_name) {
            (Some(file), _) => KubeletProcessName::PidFile(file.clone()),
            (None, Some(name)) => KubeletProcessName::Name(name.clone()),
            (None, None) => KubeletProcessName::Known,
        };
        config.cri_socket.clone_from(&self.cri_socket);
        config.cri_timeout = self.cri_timeout;
        config.kubelet = self.kubelet()?;
        config.spool_dir.clone_from(&self.spool_dir);
        config.spool_bytes = self.spool_bytes;
        config.batch_records = self.batch_records.into();
        config.metrics_listen = self.metrics_listen;
        config
            .aggregator_token
            .clone_from(&self.aggregator.token_file);
        Ok(config)
    }

    fn kubelet(&self) -> anyhow::Result<Option<kube::Config>> {
        let Some(url) = &self.kubelet_url else {
            return Ok(None);
        };
        anyhow::ensure!(
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some(),
            "kubelet URL {url}: must be https://HOST:PORT or http://HOST:PORT"
        );
        let mut kubelet = kube::Config::new(url.clone());
        let pod_token = || Some(PathBuf::from(POD_TOKEN)).filter(|token| token.exists());
        // A token is not for plain text.
        if url.scheme_str() == Some("https") {
            let token = self.kubelet_token_file.clone().or_else(pod_token);
            kubelet.auth_info.token_file = token.map(|token| token.to_string_lossy().into_owned());
        }
        kubelet.root_cert_file.clone_from(&self.kubelet_ca_file);
        kubelet.accept_invalid_certs = self.kubelet_insecure;
        if self.kubelet_insecure || self.kubelet_ca_file.is_some() {
            // No roots and none looked for: the image has no system roots, and without them the client would not be built. What
            // verifies by the file comes in their place.
            kubelet.root_cert = Some(Vec::new());
        }
        Ok(Some(kubelet))
    }
}

/// Whether Kubernetes takes this as the name of a node: a DNS-1123 subdomain, as its `IsDNS1123Subdomain` checks it.
fn is_node_name(name: &str) -> bool {
    let edge = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(edge)
            && label.ends_with(edge)
            && label.chars().all(|one| edge(one) || one == '-')
    };
    name.len() <= LONGEST_NODE_NAME && name.split('.').all(is_label)
}

/// What is wrong with a command line, on one line: of clap's words the first paragraph, without the usage that follows.
#[must_use]
pub fn complaint(error: &clap::Error) -> String {
    let text = error.to_string();
    let (words, _) = text.split_once("\n\n").unwrap_or((&text, ""));
    format!("{}; see --help", wire::flat(words))
}

/// The path of a socket, which may be written as crictl and the kubelet want it, as in `unix:///run/containerd/containerd.sock`.
pub(crate) fn socket(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    if path.is_empty() || path.contains("://") {
        return Err("must be the path of a unix socket".into());
    }
    Ok(path.into())
}

/// When to sample every second, in a word or as a duration.
fn fine_after(text: &str) -> Result<FineAfter, String> {
    match text {
        "auto" => Ok(FineAfter::Auto),
        "off" => Ok(FineAfter::Off),
        _ => duration(text)
            .map(FineAfter::After)
            .map_err(|error| format!("neither auto nor off: {error}")),
    }
}

/// A duration such as 10s or 1m30s, of at least a second.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_secs(1) {
        return Err("must be at least 1s".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests;
