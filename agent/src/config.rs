//! The agent's configuration as meant: every default is here, with its reason.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use nodegrace_proto::codec::BATCH_RECORDS;

use crate::journal::BatchLimits;

/// What one agent does. [`Config::new`] gives the defaults; override what differs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name in Kubernetes.
    pub node_name: String,
    /// Whether the API server is read as the node itself, by constrained impersonation, which lets the agent read no other node.
    /// A Lease can be got so, and not watched: it is polled. Default: no, which needs no Kubernetes 1.36.
    pub impersonate_own_node: bool,
    /// Where the node's /proc is. Default: `/proc`.
    pub proc_root: PathBuf,
    /// Where the node's /sys is. Default: `/sys`.
    pub sys_root: PathBuf,
    /// The boot id to report. Absent: read from `proc_root`.
    pub boot_id: Option<String>,
    /// Time between two samples of the host, on the agent's clock. Default: 10 s, the time between two heartbeats.
    pub sample_interval: Duration,
    /// From when on samples of the cheap sources are taken every second while a heartbeat is awaited. Default: as soon as its
    /// gap counts as long.
    pub fine_after: FineAfter,
    /// How the kubelet's process is found. Default: by the names of the programs it is known to run in.
    pub kubelet_process: KubeletProcessName,
    /// The container runtime's CRI socket. Absent: the runtime is not asked.
    pub cri_socket: Option<PathBuf>,
    /// Deadline of one call to the runtime, on the agent's clock. Default: 30 s; the kubelet's own is 2 min, but a call that
    /// takes longer than a whole grace period tells no more by being waited for.
    pub cri_timeout: Duration,
    /// The kubelet's own HTTP server. Absent: it is not asked.
    pub kubelet: Option<kube::Config>,
    /// Directory that keeps records until every aggregator has them, so that they outlive the agent. Absent, or when it
    /// cannot be used: they are kept in memory.
    pub spool_dir: Option<PathBuf>,
    /// Most bytes of records kept until they are acknowledged, on disk or in memory. A quarter is for heartbeats, most of the
    /// rest for samples. Default: 4 MiB, 14 hours of heartbeats and 8 hours of samples.
    pub spool_bytes: u64,
    /// Most records in one batch. Default: 256.
    pub batch_records: usize,
    /// Most bytes of records in one batch. Default: 3 KiB, half a minute of them. An aggregator's buffers for a stream grow with its
    /// largest batch and stay as long as it is open: with its envelope such a batch fits what is set apart
    /// ([`nodegrace_proto::codec`]). Smaller ones would part what was dropped from the next record that tells of it.
    pub batch_bytes: usize,
    /// Longest time without a batch, on the agent's clock. Default: 10 s: the aggregator takes a node as stale after 45 s.
    pub report_interval: Duration,
    /// Where the agent's own metrics are served, to whoever asks. Absent: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// File with the token that is shown to aggregators, read again for every batch. Absent: none is shown.
    pub aggregator_token: Option<PathBuf>,
    /// Timeouts of the connections.
    pub timeouts: Timeouts,
}

/// How long a heartbeat is awaited before samples are told every second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FineAfter {
    /// 1.5 times as long as is usual on the node.
    Auto,
    /// So long after the heartbeat before, on the agent's clock.
    After(Duration),
    /// They never are.
    Off,
}

/// How the kubelet's process is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeletProcessName {
    /// By the names of the programs it is known to run in: `kubelet` first, then the distributions that hold it in one process
    /// with other parts.
    Known,
    /// By the name of its program.
    Name(String),
    /// By the process id that this file holds.
    PidFile(PathBuf),
}

/// Timeouts of connections, in real time: they guard against dead peers, whatever clock the agent measures by.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// To open a TCP connection. Default: 3 s.
    pub connect: Duration,
    /// From a request to the API server or the kubelet until its answer (for a watch: its headers). Default: 5 s.
    pub request: Duration,
    /// Silence after which a connection to the API server or the kubelet is pinged, or up to half a second less: pings go with the agent's
    /// beats. Default: 2 s.
    pub keepalive_interval: Duration,
    /// Time to answer a ping, as exact as that. Default: 2 s: together with the interval, a dead API server is noticed within 5 s.
    pub keepalive_timeout: Duration,
    /// Longest wait for the aggregator to acknowledge a batch before the stream is opened anew, and for a sign of life while there
    /// is nothing to acknowledge. Default: 20 s.
    pub acknowledgement: Duration,
    /// Longest time to deliver what is left when the agent stops. Default: 4 s.
    pub drain: Duration,
}

impl Config {
    /// The defaults for the node `node_name`.
    pub fn new(node_name: impl Into<String>) -> Self {
        Self {
            node_name: node_name.into(),
            impersonate_own_node: false,
            proc_root: "/proc".into(),
            sys_root: "/sys".into(),
            boot_id: None,
            sample_interval: Duration::from_secs(10),
            fine_after: FineAfter::Auto,
            kubelet_process: KubeletProcessName::Known,
            cri_socket: None,
            cri_timeout: Duration::from_secs(30),
            kubelet: None,
            spool_dir: None,
            spool_bytes: 4 << 20,
            batch_records: 256,
            batch_bytes: BATCH_RECORDS,
            report_interval: Duration::from_secs(10),
            metrics_listen: None,
            aggregator_token: None,
            timeouts: Timeouts::default(),
        }
    }

    /// The boot id to report.
    pub(crate) fn read_boot_id(&self) -> anyhow::Result<String> {
        if let Some(boot_id) = &self.boot_id {
            return Ok(boot_id.clone());
        }
        let path = self.proc_root.join("sys/kernel/random/boot_id");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("boot id {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    pub(crate) fn batch_limits(&self) -> BatchLimits {
        BatchLimits {
            records: self.batch_records,
            bytes: self.batch_bytes,
        }
    }
}

impl Timeouts {
    /// Those of every connection to an API server or a kubelet.
    pub(crate) const fn connections(&self) -> nodegrace_kube::Timeouts {
        nodegrace_kube::Timeouts {
            connect: self.connect,
            keepalive_interval: self.keepalive_interval,
            keepalive_timeout: self.keepalive_timeout,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let connections = nodegrace_kube::Timeouts::default();
        Self {
            connect: connections.connect,
            request: Duration::from_secs(5),
            keepalive_interval: connections.keepalive_interval,
            keepalive_timeout: connections.keepalive_timeout,
            acknowledgement: Duration::from_secs(20),
            drain: Duration::from_secs(4),
        }
    }
}
