//! The figures of a node at a moment: its machine, its runtime, its kubelet's process and control group.

use std::time::Duration;

/// A node's figures at one moment. Ratios are shares of time, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// False while nothing on the machine moves: then nothing of the rest happens either.
    pub moves: bool,
    /// Tasks that run or wait for a processor.
    pub runnable: f64,
    /// Tasks that wait for IO.
    pub blocked: f64,
    /// Share of time in which a process that could run, any process, is kept from it.
    pub held: f64,
    /// Shares of all processor time; what is left is idle.
    pub cpu: Cpu,
    /// Pressure stall information.
    pub pressure: Pressure,
    /// Memory and its want.
    pub memory: Memory,
    /// The one disk.
    pub disk: Disk,
    /// TCP of the host.
    pub network: Network,
    /// TCP of a pod of its own network, such as that of an agent outside the host's: its connections to the API server and to an
    /// aggregator.
    pub pod_network: Network,
    /// The kubelet's process; none: it is not running.
    pub kubelet: Option<Process>,
    /// The control group of the kubelet's service.
    pub cgroup: Cgroup,
    /// The container runtime.
    pub runtime: Runtime,
    /// How the kubelet's requests to the API server go that are no heartbeats.
    pub requests: Requests,
}

/// Shares of processor time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    /// User mode.
    pub user: f64,
    /// Kernel mode.
    pub system: f64,
    /// Idle while waiting for IO.
    pub iowait: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
}

/// Shares of time in which some or all tasks waited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Some task waited for a processor.
    pub cpu_some: f64,
    /// Every task waited for one. Always zero for a whole machine.
    pub cpu_full: f64,
    /// Some task waited for IO.
    pub io_some: f64,
    /// Every task waited for IO.
    pub io_full: f64,
    /// Some task waited for memory.
    pub memory_some: f64,
    /// Every task waited for memory.
    pub memory_full: f64,
}

/// Memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Available without swapping, as a share of all.
    pub available_ratio: f64,
    /// Page faults per second that need IO.
    pub major_faults_per_second: f64,
    /// Times per second that a task has to reclaim before it gets any.
    pub direct_reclaims_per_second: f64,
    /// Processes killed per second for want of it.
    pub oom_kills_per_second: f64,
}

/// A disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disk {
    /// Share of time with requests in flight.
    pub busy: f64,
    /// Mean requests in flight.
    pub queue: f64,
    /// Requests finished per second.
    pub requests_per_second: f64,
    /// Mean time of those.
    pub request_time: Duration,
    /// Bytes read per second.
    pub read_bytes_per_second: f64,
    /// Bytes written per second.
    pub written_bytes_per_second: f64,
}

/// TCP of a network namespace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Segments sent per second.
    pub segments_per_second: f64,
    /// Segments sent again per second.
    pub retransmits_per_second: f64,
    /// Retransmission timeouts per second.
    pub timeouts_per_second: f64,
}

/// The kubelet's process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start, since the machine's boot.
    pub started: Duration,
    /// State letter of its first thread, as in `/proc/PID/stat`.
    pub state: char,
    /// Threads in state D.
    pub uninterruptible: u32,
    /// Processors used.
    pub cores: f64,
    /// Mean number of threads waiting on a run queue.
    pub run_queue_wait: f64,
    /// Page faults per second that need IO.
    pub major_faults_per_second: f64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
}

/// A control group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cgroup {
    /// Version of the hierarchy: 1 or 2.
    pub version: u32,
    /// Processors that the quota allows; none: no quota.
    pub quota_cores: Option<f64>,
    /// The scheduler's periods per second in which any of its tasks wanted to run.
    pub periods_per_second: f64,
    /// Share of those in which it ran out of its quota.
    pub throttled_periods: f64,
    /// Time its tasks were held back, over all processors, per second.
    pub throttled: f64,
    /// Its own pressure; the kernel says so of version 2 only.
    pub pressure: Pressure,
}

/// The container runtime: what it holds, how long its calls take, and whether it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Containers that run.
    pub running_containers: u32,
    /// Containers that exited.
    pub dead_containers: u32,
    /// Pod sandboxes that are ready.
    pub ready_sandboxes: u32,
    /// Images.
    pub images: u32,
    /// Whether it answers.
    pub answers: Answers,
    /// Version.
    pub version: Duration,
    /// Status.
    pub status: Duration,
    /// `ListPodSandbox`.
    pub list_sandboxes: Duration,
    /// `ListContainers`.
    pub list_containers: Duration,
    /// `ListImages`.
    pub list_images: Duration,
}

impl Runtime {
    /// The times of its calls.
    pub(super) fn calls_mut(&mut self) -> [&mut Duration; 5] {
        [
            &mut self.version,
            &mut self.status,
            &mut self.list_sandboxes,
            &mut self.list_containers,
            &mut self.list_images,
        ]
    }
}

/// How a runtime takes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It answers.
    Always,
    /// It takes the call and never answers.
    Never,
    /// There is nobody to take it.
    Refused,
}

/// How the kubelet's requests to the API server go that are no heartbeats: events, statuses of pods, secrets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requests {
    /// Requests per second.
    pub per_second: f64,
    /// The code they are answered with; none: they get no answer.
    pub code: Option<u16>,
    /// How long they take.
    pub took: Duration,
}
