//! The faults that are inflicted, each one way in which a cause comes about.

use std::time::Duration;

use nodegrace_proto::v1::CauseKind;
use nodegrace_sim_cluster::kubelet::{Effect, NodeSpec};
use rand::{Rng, rngs::StdRng};

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The kubelet is stopped.
    Stopped,
    /// The kubelet's process ends, and another starts.
    Restarted,
    /// The kubelet waits on the run queue.
    Starved,
    /// The kubelet's control group runs out of its quota, on a host with version 2 of the control groups.
    Throttled,
    /// The same with version 1.
    ThrottledV1,
    /// The hypervisor takes the processors.
    Stolen,
    /// The disk stands still.
    IoStalled,
    /// Memory is short.
    MemoryPressure,
    /// The runtime is slow, on a node whose only heartbeat is its status.
    RuntimeSlow,
    /// The runtime does not answer, on such a node.
    RuntimeHung,
    /// The API server is slow.
    ApiSlow,
    /// The API server answers 429.
    ApiBusy,
    /// The API server answers 500.
    ApiFails,
    /// The kubelet's connection is dead.
    Disconnected,
    /// The node's network is gone, the agent's with it.
    Isolated,
    /// The node's network loses packets.
    Lossy,
    /// The wall clock is stepped back.
    SteppedBack,
    /// The wall clock is stepped forward and, two minutes later, back.
    SteppedAndBack,
    /// The machine is paused by its hypervisor.
    Paused,
    /// The machine is suspended.
    Suspended,
    /// The machine fails and is booted.
    Rebooted,
    /// The kubelet is in a deadlock of its own: what no figure shows.
    Mute,
}

/// From when to when an effect is in force, from the moment of the fault on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    /// The effect.
    pub(super) effect: Effect,
    /// When it begins.
    pub(super) after: Duration,
    /// How long it lasts.
    pub(super) length: Duration,
}

impl Fault {
    /// Every fault.
    pub(super) const ALL: [Self; 22] = [
        Self::Stopped,
        Self::Restarted,
        Self::Starved,
        Self::Throttled,
        Self::ThrottledV1,
        Self::Stolen,
        Self::IoStalled,
        Self::MemoryPressure,
        Self::RuntimeSlow,
        Self::RuntimeHung,
        Self::ApiSlow,
        Self::ApiBusy,
        Self::ApiFails,
        Self::Disconnected,
        Self::Isolated,
        Self::Lossy,
        Self::SteppedBack,
        Self::SteppedAndBack,
        Self::Paused,
        Self::Suspended,
        Self::Rebooted,
        Self::Mute,
    ];

    /// Words for people.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Stopped => "kubelet stopped",
            Self::Restarted => "kubelet restarted",
            Self::Starved => "run queue too long",
            Self::Throttled => "throttled (cgroup v2)",
            Self::ThrottledV1 => "throttled (cgroup v1)",
            Self::Stolen => "time stolen",
            Self::IoStalled => "disk stalled",
            Self::MemoryPressure => "memory short",
            Self::RuntimeSlow => "runtime slow",
            Self::RuntimeHung => "runtime hung",
            Self::ApiSlow => "API server slow",
            Self::ApiBusy => "API server busy (429)",
            Self::ApiFails => "API server fails (500)",
            Self::Disconnected => "connection dead",
            Self::Isolated => "network gone",
            Self::Lossy => "packets lost",
            Self::SteppedBack => "clock back",
            Self::SteppedAndBack => "clock forward and back",
            Self::Paused => "machine paused",
            Self::Suspended => "machine suspended",
            Self::Rebooted => "machine rebooted",
            Self::Mute => "kubelet deadlocked",
        }
    }

    /// The cause it is an instance of. UNKNOWN: nothing that is sampled can tell.
    pub(super) const fn cause(self) -> CauseKind {
        match self {
            Self::Stopped => CauseKind::KubeletStopped,
            Self::Restarted => CauseKind::KubeletRestarted,
            Self::Starved | Self::Throttled | Self::ThrottledV1 | Self::Stolen => {
                CauseKind::CpuStarved
            }
            Self::IoStalled => CauseKind::IoStalled,
            Self::MemoryPressure => CauseKind::MemoryPressure,
            Self::RuntimeSlow | Self::RuntimeHung => CauseKind::RuntimeSlow,
            Self::ApiSlow | Self::ApiBusy | Self::ApiFails => CauseKind::ApiServerSlow,
            Self::Disconnected | Self::Isolated | Self::Lossy => CauseKind::ConnectionLost,
            Self::SteppedBack | Self::SteppedAndBack => CauseKind::ClockStep,
            Self::Paused | Self::Suspended => CauseKind::NodePaused,
            Self::Rebooted => CauseKind::NodeRebooted,
            Self::Mute => CauseKind::Unknown,
        }
    }

    /// Makes a node one that the fault can befall.
    pub(super) fn prepare(self, spec: &mut NodeSpec) {
        match self {
            Self::RuntimeSlow | Self::RuntimeHung => {
                spec.lease_duration = None;
                spec.status_report_frequency = spec.status_update_frequency;
            }
            Self::Throttled => spec.cgroup_version = 2,
            Self::ThrottledV1 => spec.cgroup_version = 1,
            _ => {}
        }
    }

    /// The fault alone, drawn so that a heartbeat is late.
    pub(super) fn alone(self, random: &mut StdRng) -> Vec<Part> {
        match self {
            // Short enough to be seen only in the heartbeats that meet it.
            Self::ApiSlow => vec![self.part(random, 0.0, 60.0, 90.0)],
            // Long enough for some heartbeat to meet it that is late beyond doubt: the agent, on the same network, sees both ends
            // of a gap some seconds late.
            Self::Lossy => vec![self.part(random, 0.0, 120.0, 150.0)],
            Self::SteppedBack => vec![step(-random.random_range(20.0..60.0), 0.0)],
            Self::SteppedAndBack => {
                let seconds = random.random_range(20.0..60.0);
                vec![step(seconds, 0.0), step(-seconds, 120.0)]
            }
            _ => vec![self.part(random, 0.0, 20.0, 90.0)],
        }
    }

    /// The fault for some seconds between two bounds, `after` the moment.
    pub(super) fn part(self, random: &mut StdRng, after: f64, least: f64, most: f64) -> Part {
        let effect = match self {
            Self::Stopped => Effect::Stopped,
            Self::Restarted => Effect::Gone,
            Self::Starved => Effect::Starved,
            Self::Throttled | Self::ThrottledV1 => Effect::Throttled,
            Self::Stolen => Effect::Stolen,
            Self::IoStalled => Effect::IoStalled,
            Self::MemoryPressure => Effect::MemoryPressure,
            // A status that takes some ten milliseconds takes some ten seconds.
            Self::RuntimeSlow => Effect::SlowRuntime(random.random_range(2000.0..5000.0)),
            Self::RuntimeHung => Effect::RuntimeHung,
            Self::ApiSlow => Effect::ApiSlow,
            Self::ApiBusy => Effect::ApiErrors(429),
            Self::ApiFails => Effect::ApiErrors(500),
            Self::Disconnected => Effect::Disconnected,
            Self::Isolated => Effect::Isolated,
            Self::Lossy => Effect::Lossy,
            Self::SteppedBack | Self::SteppedAndBack => {
                return step(-random.random_range(least..most), after);
            }
            Self::Paused => Effect::Paused,
            Self::Suspended => Effect::Suspended,
            Self::Rebooted => Effect::Rebooted,
            Self::Mute => Effect::Mute,
        };
        Part {
            effect,
            after: Duration::from_secs_f64(after),
            length: Duration::from_secs_f64(random.random_range(least..most)),
        }
    }
}

fn step(seconds: f64, after: f64) -> Part {
    Part {
        effect: Effect::ClockStep(seconds),
        after: Duration::from_secs_f64(after),
        length: Duration::from_secs(1),
    }
}
