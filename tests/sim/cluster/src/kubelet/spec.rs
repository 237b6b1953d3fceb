//! What a simulated node is: its name, its size, its settings and its kind of trouble.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

/// The kinds of kubelets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Renews in time, always.
    Healthy,
    /// Hundreds of containers and images, no Lease: only status posts, 10 s apart by its settings and 20-50 s in truth.
    Overloaded,
    /// Too little processor time: now and then nothing runs for many seconds, and both channels stall.
    CpuStarved,
    /// A slow container runtime: the status is late, the Lease on time.
    SlowRuntime,
    /// Requests or their answers get lost or are late; the kubelet retries.
    FlakyConnection,
    /// The wall clock is stepped forward and, minutes later, back.
    ClockStep,
    /// The kubelet is restarted every now and then.
    RestartedKubelet,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
        Self::Healthy,
        Self::Overloaded,
        Self::CpuStarved,
        Self::SlowRuntime,
        Self::FlakyConnection,
        Self::ClockStep,
        Self::RestartedKubelet,
    ];

    /// Words for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Overloaded => "overloaded",
            Self::CpuStarved => "cpu-starved",
            Self::SlowRuntime => "slow runtime",
            Self::FlakyConnection => "flaky connection",
            Self::ClockStep => "clock step",
            Self::RestartedKubelet => "restarted kubelet",
        }
    }
}

/// One simulated node. The same specification always lives the same life.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Name of the Node and of its Lease.
    pub name: String,
    /// Its trouble.
    pub kind: Kind,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How bad the trouble is, from 0 (mild) to 1 (severe).
    pub severity: f64,
    /// `topology.kubernetes.io/zone`.
    pub zone: String,
    /// `node.kubernetes.io/instance-type`.
    pub instance_type: String,
    /// `nodeInfo.kubeletVersion`.
    pub kubelet_version: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Pod sandboxes that are ready.
    pub pods: u32,
    /// Containers that run.
    pub running_containers: u32,
    /// Containers that exited and are still there.
    pub dead_containers: u32,
    /// Images on disk.
    pub images: u32,
    /// nodeLeaseDurationSeconds; none: a kubelet that renews no Lease.
    pub lease_duration: Option<Duration>,
    /// nodeStatusUpdateFrequency.
    pub status_update_frequency: Duration,
    /// nodeStatusReportFrequency.
    pub status_report_frequency: Duration,
    /// nodeStatusMaxImages; -1: no limit.
    pub status_max_images: i32,
    /// Version of the control groups' hierarchy: 1 or 2.
    pub cgroup_version: u32,
    /// Processors that the kubelet's control group may use; none: no quota.
    pub cpu_quota_cores: Option<f64>,
    /// Whether its agent is in the host's namespaces, and so sees the host's processes, the kubelet's control group and the
    /// host's network. Another sees its own.
    pub agent_sees_host: bool,
    /// Whether its agent waits where tasks wait for a processor, and then sees late what comes. Another always runs at once.
    pub agent_waits: bool,
}

impl NodeSpec {
    /// A node of a kind, with the size and the settings that go with it.
    pub fn new(name: impl Into<String>, kind: Kind, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let cpus = [4, 8, 16][random.random_range(0..3)];
        let pods = random.random_range(12..32);
        let mut spec = Self {
            name: name.into(),
            kind,
            seed,
            severity: random.random(),
            zone: format!("zone-{}", char::from(b'a' + random.random_range(0..3))),
            instance_type: format!("sim-{cpus}"),
            kubelet_version: "v1.36.2".to_owned(),
            cpus,
            memory_bytes: u64::from(cpus) * (4 << 30),
            pods,
            running_containers: pods + random.random_range(2..10),
            dead_containers: random.random_range(0..6),
            images: random.random_range(15..45),
            lease_duration: Some(Duration::from_secs(40)),
            status_update_frequency: Duration::from_secs(10),
            status_report_frequency: Duration::from_secs(300),
            status_max_images: 50,
            // One machine in four is an old one, and one in three has a quota that never hurts.
            cgroup_version: if seed.is_multiple_of(4) { 1 } else { 2 },
            cpu_quota_cores: seed.is_multiple_of(3).then_some(1.0),
            agent_sees_host: true,
            agent_waits: true,
        };
        match kind {
            Kind::Overloaded => {
                spec.pods = random.random_range(95..110);
                spec.running_containers = spec.pods * 3;
                spec.dead_containers = random.random_range(150..400);
                spec.images = random.random_range(250..600);
                spec.lease_duration = None;
                spec.status_report_frequency = spec.status_update_frequency;
            }
            Kind::SlowRuntime => {
                spec.pods = random.random_range(60..100);
                spec.running_containers = spec.pods * 2;
                spec.dead_containers = random.random_range(60..200);
                spec.images = random.random_range(200..450);
            }
            Kind::CpuStarved => spec.pods = random.random_range(60..100),
            _ => {}
        }
        spec
    }
}

/// A fleet with a sensible mix: some 70 % healthy, an overloaded one in ten, and every other kind of trouble at least once
/// from 20 nodes on. The trouble is spread over the fleet, not lumped at its end.
pub fn fleet(nodes: usize, seed: u64) -> Vec<NodeSpec> {
    let share = |percent: usize| (nodes * percent).div_ceil(100);
    let mut kinds = Vec::with_capacity(nodes);
    for (kind, percent) in [
        (Kind::Overloaded, 10),
        (Kind::CpuStarved, 5),
        (Kind::FlakyConnection, 5),
        (Kind::SlowRuntime, 5),
        (Kind::ClockStep, 2),
        (Kind::RestartedKubelet, 2),
    ] {
        kinds.extend(std::iter::repeat_n(kind, share(percent)));
    }
    kinds.resize(nodes, Kind::Healthy);
    let mut random = StdRng::seed_from_u64(seed);
    for last in (1..kinds.len()).rev() {
        kinds.swap(last, random.random_range(0..=last));
    }
    kinds
        .into_iter()
        .enumerate()
        .map(|(index, kind)| NodeSpec::new(format!("node-{index:03}"), kind, random.random()))
        .collect()
}
