//! What agents say: batches as real ones send them, with a sample of this very machine.

use std::time::{Duration, SystemTime};

use nodegrace_agent::{Config, HostFiles, KubeletProcessName, Series};
use nodegrace_clock::Clock;
use nodegrace_proto::{
    prost_types,
    v1::{
        AgentInstance, Channel, ChannelView, Heartbeat, KubeletMetrics, KubeletSettings, Latency,
        NodeFacts, Outcome, RenewalCount, ReportBatch, Runtime, RuntimeCall, Sample, Source,
        SourceReport, Visibility,
    },
};
use prost::Message as _;

/// How many operations of the runtime a kubelet tells of.
const OPERATIONS: [&str; 4] = [
    "list_images",
    "list_containers",
    "list_podsandbox",
    "status",
];
const CALLS: [&str; 5] = [
    "Version",
    "Status",
    "ListPodSandbox",
    "ListContainers",
    "ListImages",
];

/// A sample that all agents send, each as its own.
#[derive(Clone, Debug)]
pub(super) struct Template(Sample);

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) monotonic: Duration,
    pub(super) wall: SystemTime,
}

impl Moment {
    pub(super) fn now(clock: &Clock) -> Self {
        Self {
            monotonic: clock.now(),
            wall: clock.wall(),
        }
    }

    pub(super) fn before(self, by: Duration) -> Self {
        Self {
            monotonic: self.monotonic.saturating_sub(by),
            wall: self.wall - by,
        }
    }
}

impl Template {
    /// A sample of this machine with this process as its kubelet, and with what a kubelet and a runtime say of themselves.
    pub(super) async fn of_this_machine(clock: &Clock) -> anyhow::Result<Self> {
        let pid_file = tempfile::NamedTempFile::new()?;
        std::fs::write(pid_file.path(), std::process::id().to_string())?;
        let mut config = Config::new("this-machine");
        config.kubelet_process = KubeletProcessName::PidFile(pid_file.path().into());
        let (mut host, mut series) = (HostFiles::new(&config), Series::usual());
        // The first one has no rates.
        series.take(&mut host, clock, None);
        clock.sleep(Duration::from_secs(1)).await;
        let mut sample = series.take(&mut host, clock, Some(clock.now()));
        for source in [Source::Runtime, Source::KubeletMetrics] {
            sample.sources.push(SourceReport {
                source: source.into(),
                outcome: Outcome::Ok.into(),
                took: Some(duration(Duration::from_micros(3210))),
                ..SourceReport::default()
            });
        }
        sample.runtime = Some(runtime());
        sample.kubelet_metrics = Some(kubelet(clock.wall()));
        Ok(Self(sample))
    }

    /// Its size on the wire.
    pub(super) fn sample_bytes(&self) -> usize {
        self.0.encoded_len()
    }

    /// The sample of an agent at a moment, whose kubelet has renewed its Lease so often.
    pub(super) fn sample(&self, sequence_number: u64, at: Moment, renewals: u64) -> Sample {
        let mut sample = Sample {
            sequence_number,
            sample_monotonic: Some(duration(at.monotonic)),
            sample_time: Some(at.wall.into()),
            interval: Some(duration(Duration::from_secs(10))),
            ..self.0.clone()
        };
        if let Some(kubelet) = &mut sample.kubelet_metrics {
            let asked = at.before(Duration::from_millis(5));
            kubelet.renewals = Some(RenewalCount {
                asked_monotonic: Some(duration(asked.monotonic)),
                answered_monotonic: Some(duration(at.monotonic)),
                renewals,
            });
        }
        sample
    }
}

/// A heartbeat that arrived at a moment, some milliseconds after its stamp.
pub(super) fn heartbeat(channel: Channel, sequence_number: u64, at: Moment) -> Heartbeat {
    let stamp = at.before(Duration::from_millis(4)).wall;
    let stamp: prost_types::Timestamp = stamp.into();
    let whole = channel == Channel::NodeStatus;
    Heartbeat {
        sequence_number,
        channel: channel.into(),
        stamp_time: Some(prost_types::Timestamp {
            nanos: if whole { 0 } else { stamp.nanos / 1000 * 1000 },
            ..stamp
        }),
        arrival_monotonic: Some(duration(at.monotonic)),
        arrival_time: Some(at.wall.into()),
        resource_version: format!("{}", 810_000_000 + sequence_number),
        baseline: sequence_number <= 2,
        ..Heartbeat::default()
    }
}

/// Who the agent of a node is.
pub(super) fn instance(number: u32, started: Moment) -> AgentInstance {
    AgentInstance {
        boot_id: format!("{number:08x}-2f61-4c5e-9a3b-7d0c54e1b6aa"),
        start_time: Some(started.wall.into()),
        start_monotonic: Some(duration(started.monotonic)),
        version: "0.1.0".to_owned(),
    }
}

/// The envelope of a batch that sees both channels.
pub(super) fn envelope(node: &str, agent: &AgentInstance, sent: Moment) -> ReportBatch {
    let view = |channel: Channel| ChannelView {
        channel: channel.into(),
        visibility: Visibility::Observed.into(),
        ..ChannelView::default()
    };
    ReportBatch {
        node_name: node.to_owned(),
        agent: Some(agent.clone()),
        sent_monotonic: Some(duration(sent.monotonic)),
        sent_time: Some(sent.wall.into()),
        channel_views: vec![view(Channel::Lease), view(Channel::NodeStatus)],
        ..ReportBatch::default()
    }
}

/// What the first batch of a stream says besides.
pub(super) fn introduce(batch: &mut ReportBatch, number: u32) {
    batch.node_facts = Some(NodeFacts {
        kubelet_version: "v1.36.2".to_owned(),
        container_runtime_version: "containerd://2.1.4".to_owned(),
        kernel_version: "6.12.41-amd64".to_owned(),
        os_image: "Debian GNU/Linux 13 (trixie)".to_owned(),
        listed_images: Some(50),
        listed_images_cut: true,
        pod_capacity: Some(110),
        uid: format!("{number:08x}-77aa-4d0e-8f13-0c5b7e9a2d41"),
        zone: format!("zone-{}", char::from(b'a' + (number % 3) as u8)),
        region: "region-1".to_owned(),
        instance_type: "c8.4xlarge".to_owned(),
        ..NodeFacts::default()
    });
    let reserved = |cpu: &str, memory: &str| {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        [("cpu", cpu), ("memory", memory)].map(pair).into()
    };
    let seconds = |seconds| Some(duration(Duration::from_secs(seconds)));
    batch.kubelet_settings = Some(KubeletSettings {
        node_status_update_frequency: seconds(10),
        node_status_report_frequency: seconds(300),
        node_lease_duration: seconds(40),
        node_status_max_images: Some(50),
        max_pods: Some(110),
        runtime_request_timeout: seconds(120),
        serialize_image_pulls: Some(true),
        image_gc_high_threshold_percent: Some(85),
        image_gc_low_threshold_percent: Some(80),
        kube_reserved: reserved("100m", "256Mi"),
        system_reserved: reserved("100m", "128Mi"),
    });
}

fn runtime() -> Runtime {
    let call = |method: &str| RuntimeCall {
        method: method.to_owned(),
        took: Some(duration(Duration::from_micros(2345))),
        error: String::new(),
    };
    Runtime {
        runtime_name: "containerd".to_owned(),
        runtime_version: "v2.1.4".to_owned(),
        containers: Some(112),
        running_containers: Some(97),
        pod_sandboxes: Some(41),
        ready_pod_sandboxes: Some(38),
        images: Some(143),
        image_bytes: Some(61_234_567_890),
        calls: CALLS.map(call).into(),
    }
}

fn kubelet(now: SystemTime) -> KubeletMetrics {
    let latency = |operation: &str| Latency {
        operation: operation.to_owned(),
        calls: 10,
        mean: Some(duration(Duration::from_micros(4321))),
        p99_bound: Some(duration(Duration::from_millis(25))),
    };
    KubeletMetrics {
        running_pods: Some(38),
        running_containers: Some(97),
        runtime_operations: OPERATIONS.map(latency).into(),
        pleg_relist: Some(latency("")),
        pleg_relist_interval: Some(latency("")),
        pleg_last_seen_age: Some(duration(Duration::from_millis(712))),
        api_put: Some(latency("")),
        cpu_cores: Some(0.173),
        start_time: Some((now - Duration::from_secs(864_000)).into()),
        api_requests: Some(23),
        api_unanswered: Some(0),
        api_refused: Some(0),
        told_before: false,
        renewals: None,
    }
}

fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: duration.as_secs().cast_signed(),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}
