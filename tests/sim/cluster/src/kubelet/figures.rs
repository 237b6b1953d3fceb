//! The figures of a node at a moment: its machine, its runtime, its kubelet's process.

use std::time::Duration;

/// A node's figures at one moment. Ratios are shares of time, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Tasks that run or wait for a processor.
    pub runnable: f64,
    /// Tasks that wait for IO.
    pub blocked: f64,
    /// Shares of all processor time; what is left is idle.
    pub cpu: Cpu,
    /// Pressure stall information.
    pub pressure: Pressure,
    /// Memory available without swapping, as a share of all.
    pub memory_available_ratio: f64,
    /// Page faults per second that need IO.
    pub major_faults_per_second: f64,
    /// The one disk.
    pub disk: Disk,
    /// TCP segments sent again per second.
    pub retransmits_per_second: f64,
    /// The kubelet's process; none: it is not running.
    pub kubelet: Option<Process>,
    /// The container runtime.
    pub runtime: Runtime,
    /// One PUT to the API server.
    pub api_put: Duration,
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// Some task waited for a processor.
    pub cpu_some: f64,
    /// Some task waited for IO.
    pub io_some: f64,
    /// Every task waited for IO.
    pub io_full: f64,
    /// Some task waited for memory.
    pub memory_some: f64,
    /// Every task waited for memory.
    pub memory_full: f64,
}

/// A disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disk {
    /// Share of time with requests in flight.
    pub busy: f64,
    /// Mean requests in flight.
    pub queue: f64,
    /// Mean time of a request.
    pub request_time: Duration,
    /// Bytes read per second.
    pub read_bytes_per_second: f64,
    /// Bytes written per second.
    pub written_bytes_per_second: f64,
}

/// The kubelet's process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start, on the monotonic clock.
    pub started: Duration,
    /// State letter, as in `/proc/PID/stat`.
    pub state: char,
    /// Processors used.
    pub cores: f64,
    /// Mean number of threads waiting on a run queue.
    pub run_queue_wait: f64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
}

/// The container runtime: what it holds and how long its calls take.
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
