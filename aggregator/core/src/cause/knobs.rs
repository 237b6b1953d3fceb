//! What acts on a cause: settings, and things to do.

use super::{explanation::Cause, figure::Figure, kind::CauseKind};

/// A setting, or a thing to do, that acts on a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knob {
    /// Where it is set.
    pub setting: &'static str,
    /// What to do with it, and why.
    pub advice: &'static str,
}

macro_rules! knobs {
    ($($name:ident: $($setting:literal => $advice:literal)*;)*) => {
        $(const $name: &[Knob] = &[$(Knob { setting: $setting, advice: $advice },)*];)*
    };
}

knobs! {
    RESTARTED:
        "the kubelet's unit" => "look into its journal for why it ended: a crash, an upgrade, or something that restarts it";
    RESTARTED_BESIDE_KILLS:
        "the kubelet's unit" => "look into its journal for why it ended: a crash, an upgrade, or the kernel that killed it for want of memory; others may have been killed instead"
        "KubeletConfiguration.systemReserved, kubeReserved" => "reserve more memory, so that pods are evicted before system processes are killed"
        "the kubelet's unit: OOMScoreAdjust" => "keep it at -999, so that others are killed first";
    QUOTA:
        "the quota of the kubelet's cgroup (cpu.max, CPUQuota= of its unit)" => "raise or remove it: the kubelet ran out of it"
        "the slices above it" => "a quota there counts as well; kubeReserved.cpu is a weight, which neither sets nor lifts a quota";
    STEAL:
        "the hypervisor" => "give the machine processors of its own, or move it to a host with less on it"
        "the instance type" => "burstable types run out of credits; others do not";
    CROWDED:
        "the slice of the kubelet's unit (CPUWeight=, mostly of system.slice)" => "raise it: who waits is decided by its weight beside that of kubepods.slice"
        "KubeletConfiguration.kubeReserved.cpu, systemReserved.cpu" => "reserve more: fewer pods are placed, and all of them together weigh less; it limits none of them"
        "requests and limits of the pods" => "give CPU requests to what runs without: it competes with the kubelet"
        "KubeletConfiguration.maxPods" => "lower it: every pod is probed and listed";
    DISK:
        "the disk under the kubelet and the runtime" => "give /var/lib/kubelet and the runtime's root a disk of their own, or a faster one"
        "KubeletConfiguration.serializeImagePulls, maxParallelImagePulls" => "pull fewer images at once: unpacking them fills the disk's queue"
        "KubeletConfiguration.containerLogMaxSize" => "rotate logs earlier, and look for containers that log much"
        "KubeletConfiguration.imageGCHighThresholdPercent, imageGCLowThresholdPercent" => "delete unused images earlier and fewer at a time";
    MEMORY:
        "KubeletConfiguration.systemReserved.memory, kubeReserved.memory" => "reserve more, so that pods cannot push the system into reclaim"
        "KubeletConfiguration.evictionHard, evictionSoft (memory.available)" => "evict earlier: reclaim begins long before memory is used up"
        "memory requests and limits of the pods" => "set them near what the pods use";
    RUNTIME:
        "KubeletConfiguration.imageGCHighThresholdPercent, imageGCLowThresholdPercent, imageMaximumGCAge" => "keep fewer images: listing them takes time"
        "KubeletConfiguration.maxPods; the kubelet's --maximum-dead-containers" => "keep fewer containers, dead ones too: the runtime lists all of them"
        "the container runtime" => "look into its journal, and upgrade it: some versions hold locks while they unmount"
        "KubeletConfiguration.nodeStatusReportFrequency, node Leases" => "use Leases where there are none: they do not wait for the runtime";
    API_SERVER:
        "kube-apiserver and etcd" => "look at their request and commit latencies at that time"
        "FlowSchema system-node-high, PriorityLevelConfiguration node-high" => "heartbeats must not queue behind other requests"
        "kube-controller-manager --node-monitor-grace-period" => "a longer one carries nodes over such times";
    CONNECTION:
        "the network between node and API server, and the load balancer in front of it" => "look for dropped or reset connections at that time"
        "kube-controller-manager --node-monitor-grace-period" => "above 45 s: the kubelet takes 30 s + 15 s to notice a dead connection"
        "the load balancer's idle timeout" => "longer than 30 s, the kubelet's HTTP/2 ping interval";
    CLOCK:
        "the node's NTP client" => "let it slew instead of step once the machine has booted (chrony: makestep 1 3)"
        "the hypervisor's time synchronisation" => "switch it off where an NTP client runs";
    STOPPED:
        "the kubelet's process" => "look for what stops it: a debugger, the freezer, a signal, a lock it waits for for ever";
    REBOOTED:
        "the machine's console and journal" => "look for why it was booted: an update, a panic, a power loss";
    PAUSED:
        "the hypervisor" => "look for snapshots, migrations and memory ballooning at that time";
}

impl Cause {
    /// What acts on it, the most effective first. Empty: nothing that is known.
    pub fn knobs(&self) -> &'static [Knob] {
        let by = self.evidence.first().map(|evidence| evidence.figure);
        match self.kind {
            CauseKind::KubeletStopped => STOPPED,
            CauseKind::KubeletRestarted if self.shows(Figure::OomKills) => RESTARTED_BESIDE_KILLS,
            CauseKind::KubeletRestarted => RESTARTED,
            CauseKind::CpuStarved => match by {
                Some(Figure::Throttled) => QUOTA,
                Some(Figure::CpuSteal) => STEAL,
                _ => CROWDED,
            },
            CauseKind::IoStalled => DISK,
            CauseKind::MemoryPressure => MEMORY,
            CauseKind::RuntimeSlow => RUNTIME,
            CauseKind::ApiServerSlow => API_SERVER,
            CauseKind::ConnectionLost => CONNECTION,
            CauseKind::ClockStep => CLOCK,
            CauseKind::NodeRebooted => REBOOTED,
            CauseKind::NodePaused => PAUSED,
            CauseKind::Unknown => &[],
        }
    }

    /// True when `figure` is among its evidence.
    fn shows(&self, figure: Figure) -> bool {
        self.evidence
            .iter()
            .any(|evidence| evidence.figure == figure)
    }
}
