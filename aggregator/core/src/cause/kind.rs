//! What can make a heartbeat late, and where the lateness can arise.

/// What made a heartbeat late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// The kubelet's process was stopped (SIGSTOP, a debugger, the freezer).
    KubeletStopped,
    /// The kubelet's process was gone, and started anew.
    KubeletRestarted,
    /// The kubelet was there and waited for a processor.
    CpuStarved,
    /// Tasks waited for a disk.
    IoStalled,
    /// Tasks waited for memory.
    MemoryPressure,
    /// The container runtime answered slowly or not at all.
    RuntimeSlow,
    /// The API server answered slowly or with errors.
    ApiServerSlow,
    /// The kubelet's requests or their answers were lost on the way.
    ConnectionLost,
    /// The node's wall clock was stepped back, so that renewals carried stamps that the controller does not credit.
    ClockStep,
    /// The machine was booted anew.
    NodeRebooted,
    /// The whole machine stood still.
    NodePaused,
    /// What was recorded accounts for too little of the lateness.
    Unknown,
}

impl CauseKind {
    /// Every kind, in the order of the wire.
    pub const ALL: [Self; 12] = [
        Self::KubeletStopped,
        Self::KubeletRestarted,
        Self::CpuStarved,
        Self::IoStalled,
        Self::MemoryPressure,
        Self::RuntimeSlow,
        Self::ApiServerSlow,
        Self::ConnectionLost,
        Self::ClockStep,
        Self::NodeRebooted,
        Self::NodePaused,
        Self::Unknown,
    ];

    /// Its name on the wire and in the store, without the wire's prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KubeletStopped => "KUBELET_STOPPED",
            Self::KubeletRestarted => "KUBELET_RESTARTED",
            Self::CpuStarved => "CPU_STARVED",
            Self::IoStalled => "IO_STALLED",
            Self::MemoryPressure => "MEMORY_PRESSURE",
            Self::RuntimeSlow => "RUNTIME_SLOW",
            Self::ApiServerSlow => "API_SERVER_SLOW",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::ClockStep => "CLOCK_STEP",
            Self::NodeRebooted => "NODE_REBOOTED",
            Self::NodePaused => "NODE_PAUSED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Where lateness arose, by the stamp of the heartbeat that came late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vantage {
    /// The stamp was late: the kubelet did not try in time, or tried in vain. Every try carries a stamp of its own.
    Node,
    /// The stamp was on time and the arrival late: the API server or the network.
    Delivery,
}
