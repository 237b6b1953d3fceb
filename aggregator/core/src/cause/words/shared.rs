//! What nodes share, in words.

use crate::cause::{
    kind::CauseKind,
    shared::{Scope, SharedCause},
};

impl SharedCause {
    /// The finding in a sentence.
    pub fn sentence(&self) -> String {
        let what = match self.kind {
            CauseKind::KubeletStopped => "Stopped kubelets",
            CauseKind::KubeletRestarted => "Restarted kubelets",
            CauseKind::CpuStarved => "Kubelets waiting for a processor",
            CauseKind::IoStalled => "Stalled disks",
            CauseKind::MemoryPressure => "Memory pressure",
            CauseKind::RuntimeSlow => "Slow container runtimes",
            CauseKind::ApiServerSlow => "A slow or failing API server",
            CauseKind::ConnectionLost => "Lost connections to the API server",
            CauseKind::ClockStep => "Clocks set back",
            CauseKind::NodeRebooted => "Reboots",
            CauseKind::NodePaused => "Machines standing still",
            CauseKind::Unknown => "Late heartbeats of unknown cause",
        };
        let scope = match self.scope {
            Scope::Fleet => "the fleet",
            Scope::Zone => "zone",
            Scope::Region => "region",
            Scope::InstanceType => "instance type",
            Scope::KernelVersion => "kernel",
            Scope::KubeletVersion => "kubelet",
            Scope::ContainerRuntimeVersion => "container runtime",
            Scope::Node => "node",
        };
        let beats = format!("{} late heartbeats", self.gaps);
        let mut sentence = match self.scope {
            Scope::Node => format!("{what} on {} alone: {beats}", self.value),
            Scope::Fleet => format!(
                "{what} on {} of the {} nodes: {beats}",
                self.nodes, self.nodes_in_scope
            ),
            _ => format!(
                "{what} on {} of the {} nodes of {scope} {}, and on {} elsewhere: {beats}",
                self.nodes, self.nodes_in_scope, self.value, self.nodes_elsewhere
            ),
        };
        if self.together_at.is_some() {
            sentence.push_str(", most of them at the same moment: ");
            sentence.push_str(where_to_look(self.kind));
        }
        sentence.push('.');
        sentence
    }
}

/// Where to look for what hit many nodes at one moment.
const fn where_to_look(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::ApiServerSlow | CauseKind::ConnectionLost | CauseKind::Unknown => {
            "look at the control plane or the network rather than at the nodes"
        }
        CauseKind::KubeletStopped
        | CauseKind::KubeletRestarted
        | CauseKind::CpuStarved
        | CauseKind::IoStalled
        | CauseKind::MemoryPressure
        | CauseKind::RuntimeSlow
        | CauseKind::ClockStep
        | CauseKind::NodeRebooted
        | CauseKind::NodePaused => {
            "look at what these nodes share, such as power, storage, a hypervisor or a rollout"
        }
    }
}
