//! What can befall a node, and what of the node each effect holds up.

/// What a spell does to the node while it lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Far more tasks want to run than there are processors: the kubelet waits on the run queue.
    Starved,
    /// The kubelet's control group ran out of its quota of processor time, on a machine that has plenty.
    Throttled,
    /// The hypervisor gives the machine's processor time to others.
    Stolen,
    /// The disk takes requests and hardly finishes any.
    IoStalled,
    /// Memory is short: everybody reclaims, and faults in again what was reclaimed.
    MemoryPressure,
    /// The kubelet is stopped (SIGSTOP).
    Stopped,
    /// The kubelet's process is gone; at the end it starts anew.
    Gone,
    /// The kubelet lives and its loops do not beat: a deadlock of its own, which nothing on the machine shows.
    Mute,
    /// Calls to the runtime take this many times as long.
    SlowRuntime(f64),
    /// The runtime takes calls and answers none until the end, as when it is stopped.
    RuntimeHung,
    /// The runtime refuses calls; the kubelet itself says Ready=False.
    RuntimeDown,
    /// The API server takes its time over what this node writes.
    ApiSlow,
    /// The API server refuses what this node writes with this code: 429 (too many requests) or 500.
    ApiErrors(u16),
    /// The kubelet's connection to the API server is dead; those of others on the machine are not.
    Disconnected,
    /// The whole machine has no network.
    Isolated,
    /// Many packets are lost: some requests, some answers, and others are late.
    Lossy,
    /// At the beginning the wall clock is stepped by these seconds.
    ClockStep(f64),
    /// The hypervisor pauses the machine: nothing on it moves, its clocks go on.
    Paused,
    /// The machine is suspended to memory: nothing on it moves, and its kernel knows.
    Suspended,
    /// The machine fails at the beginning and is up again at the end, the kubelet with it and the agent a little later.
    Rebooted,
}

impl Effect {
    /// Whether neither of the kubelet's loops moves while it lasts.
    pub(crate) fn holds_loops(self) -> bool {
        self.holds_kubelet() || self == Self::Mute
    }

    /// Whether the kubelet does nothing at all while it lasts, and answers nobody.
    pub(crate) fn holds_kubelet(self) -> bool {
        matches!(
            self,
            Self::Starved
                | Self::Throttled
                | Self::Stolen
                | Self::IoStalled
                | Self::MemoryPressure
                | Self::Stopped
        ) || self.ends_kubelet()
            || self.holds_machine()
    }

    /// Whether there is no kubelet while it lasts.
    pub(crate) fn ends_kubelet(self) -> bool {
        matches!(self, Self::Gone | Self::Rebooted)
    }

    /// Whether nothing on the machine moves while it lasts.
    pub(crate) fn holds_machine(self) -> bool {
        matches!(self, Self::Paused | Self::Suspended | Self::Rebooted)
    }

    /// Whether the kubelet's requests to the API server are lost while it lasts.
    pub(super) fn loses_requests(self) -> bool {
        matches!(self, Self::Disconnected | Self::Isolated)
    }
}
