//! What is said of each figure.

use crate::cause::figure::Figure;

/// What is said of a figure, before and after its value. Of figures left out the value stands in the sentence already, or
/// says nothing to people.
pub(super) const PHRASES: &[(Figure, &str, &str)] = &[
    (
        Figure::PressureCpuSome,
        "tasks on the host waited for a processor",
        " of the time",
    ),
    (
        Figure::PressureIoSome,
        "tasks on the host waited for a disk",
        " of the time",
    ),
    (
        Figure::PressureIoFull,
        "everything that could run waited for a disk",
        " of the time",
    ),
    (
        Figure::PressureMemorySome,
        "tasks on the host waited for memory",
        " of the time",
    ),
    (
        Figure::PressureMemoryFull,
        "everything that could run waited for memory",
        " of the time",
    ),
    (
        Figure::CgroupPressureCpuSome,
        "tasks of the kubelet's cgroup waited for a processor",
        " of the time",
    ),
    (
        Figure::CgroupPressureIoSome,
        "tasks of the kubelet's cgroup waited for a disk",
        " of the time",
    ),
    (
        Figure::CgroupPressureIoFull,
        "the kubelet's whole cgroup waited for a disk",
        " of the time",
    ),
    (
        Figure::CgroupPressureMemorySome,
        "tasks of the kubelet's cgroup waited for memory",
        " of the time",
    ),
    (
        Figure::CgroupPressureMemoryFull,
        "the kubelet's whole cgroup waited for memory",
        " of the time",
    ),
    (
        Figure::MachineSuspended,
        "the machine was suspended",
        " of the time",
    ),
    (
        Figure::KubeletStopped,
        "its process was in state T",
        " of the time",
    ),
    (
        Figure::KubeletWaitsForIo,
        "some of its threads were in state D",
        " of the time",
    ),
    (
        Figure::MemoryAvailable,
        "only",
        " of the memory was available",
    ),
    (
        Figure::RunnablePerCpu,
        "tasks to run for each processor:",
        "",
    ),
    (
        Figure::AgentLateness,
        "the agent itself was kept waiting",
        " of the time",
    ),
    (
        Figure::CpuIowait,
        "processors were idle for want of a disk",
        " of the time",
    ),
    (
        Figure::CpuSteal,
        "the hypervisor took",
        " of the processor time",
    ),
    (
        Figure::CpuUncounted,
        "the kernel did not count",
        " of the processor time",
    ),
    (Figure::MajorFaults, "pages read back from disk:", ""),
    (
        Figure::DirectReclaims,
        "tasks that had to free memory themselves:",
        "",
    ),
    (Figure::OomKills, "processes killed for want of memory:", ""),
    (Figure::DiskBusy, "a disk was busy", " of the time"),
    (
        Figure::DiskStands,
        "a disk finished no request",
        " of the time",
    ),
    (
        Figure::KubeletRunQueueWait,
        "its threads stood in the run queue",
        " of the time",
    ),
    (
        Figure::KubeletMajorFaults,
        "pages the kubelet read back from disk:",
        "",
    ),
    (Figure::KubeletStill, "it used no processor", " of the time"),
    (
        Figure::ThrottledPeriods,
        "its cgroup ran out of its CPU quota in",
        " of the periods",
    ),
    (
        Figure::Throttled,
        "its cgroup was held back by its CPU quota",
        " of the time",
    ),
    (Figure::Retransmits, "the network lost", " of the segments"),
    (
        Figure::TcpTimeouts,
        "TCP segments that nobody acknowledged:",
        "",
    ),
    (
        Figure::AgentRetransmits,
        "the agent's own connections lost",
        " of their segments",
    ),
    (
        Figure::AgentTimeouts,
        "segments of the agent's own that nobody acknowledged:",
        "",
    ),
    (
        Figure::KubeletUnanswered,
        "its metrics could not be read",
        " of the time",
    ),
    (
        Figure::ApiUnanswered,
        "no answer came to",
        " of its requests",
    ),
    (
        Figure::ApiRefused,
        "the API server refused",
        " of its requests",
    ),
    (
        Figure::RuntimeFailed,
        "the runtime failed",
        " of the agent's calls",
    ),
    (Figure::DiskRequestTime, "a request to the disk took", ""),
    (
        Figure::RuntimeCall,
        "the agent's slowest call to the runtime took",
        "",
    ),
    (Figure::RuntimeContainers, "containers:", ""),
    (Figure::RuntimeImages, "images:", ""),
    (
        Figure::RuntimeOperation,
        "the kubelet's slowest kind of call to the runtime took",
        " on average",
    ),
    (Figure::PlegRelist, "listing the pods took", " on average"),
    (
        Figure::ApiPut,
        "a renewal was answered after",
        " on average",
    ),
    (
        Figure::DeliveryDelay,
        "the heartbeat arrived",
        " after its stamp",
    ),
    (
        Figure::UncreditedRenewals,
        "renewals that the controller did not credit:",
        "",
    ),
    (
        Figure::AgentUnconnected,
        "the agent could not reach the API server either, for",
        "",
    ),
    (
        Figure::AgentRefused,
        "the API server answered the agent with errors as well, for",
        "",
    ),
];
