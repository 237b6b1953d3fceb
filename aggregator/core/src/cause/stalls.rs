//! Waiting for a processor, for a disk, for memory.
//!
//! The kubelet's own waiting counts in full, since it is what delays its heartbeat. That of some task on the host counts less:
//! it need not be the kubelet that waits.

use super::{
    case::{Case, Claim, WEAK},
    figure::Figure,
    kind::CauseKind,
};

/// Share of an IO stall that is told as one even where memory accounts for all of it: the disk is what is waited for.
const IO_BESIDE_MEMORY: f32 = 0.3;

/// Most figures named beside the agent's own waiting.
const MOST_BESIDE_AGENT: usize = 3;

/// How much it counts that the agent itself was kept waiting, where other figures say that processors were short: the agent has
/// few shares, so it starves long before the kubelet does.
const AGENT_WAITED: f32 = 0.5;

/// What takes a processor away comes before the waiting that it brings about.
const CPU: [(Figure, f32); 5] = [
    (Figure::Throttled, 1.0),
    (Figure::CpuSteal, 1.0),
    (Figure::KubeletRunQueueWait, 1.0),
    (Figure::CgroupPressureCpuSome, 0.9),
    (Figure::PressureCpuSome, 0.6),
];

/// Beside these a thread of the kubelet in state D counts: alone it may as well wait for a lock of the kernel, a network file
/// system or the freezer, and need not be the one that renews the Lease.
const IO: [(Figure, f32); 7] = [
    (Figure::CgroupPressureIoFull, 1.0),
    (Figure::DiskStands, 1.0),
    (Figure::PressureIoFull, 1.0),
    (Figure::CgroupPressureIoSome, 0.8),
    (Figure::PressureIoSome, 0.6),
    (Figure::CpuIowait, 0.6),
    (Figure::DiskBusy, WEAK),
];

const MEMORY: [(Figure, f32); 4] = [
    (Figure::CgroupPressureMemoryFull, 1.0),
    (Figure::PressureMemoryFull, 1.0),
    (Figure::CgroupPressureMemorySome, 0.8),
    (Figure::PressureMemorySome, 0.7),
];

/// The kubelet waited for a processor. While the machine stood still everybody waited: that is no sign of too few processors.
pub(super) fn cpu(case: &Case<'_>, paused: Option<&Claim>) -> Option<Claim> {
    let context = [Figure::ThrottledPeriods, Figure::RunnablePerCpu];
    let claim = case.strongest(CauseKind::CpuStarved, &CPU, &context);
    let stood_still = paused.map_or(0.0, |paused| paused.seconds);
    let others = claim.as_ref().map_or(0.0, |claim| claim.seconds);
    let weight = if case.backs(others) {
        AGENT_WAITED
    } else {
        WEAK
    };
    let agent = weight * (case.seconds(Figure::AgentLateness) - stood_still);
    if agent <= others {
        return claim;
    }
    let mut evidence = claim.map_or_else(Vec::new, |claim| claim.evidence);
    evidence.truncate(MOST_BESIDE_AGENT);
    evidence.splice(0..0, case.evidence(Figure::AgentLateness));
    Some(Claim {
        kind: CauseKind::CpuStarved,
        seconds: agent,
        evidence,
    })
}

/// Tasks waited for memory.
pub(super) fn memory(case: &Case<'_>) -> Option<Claim> {
    let context = [
        Figure::OomKills,
        Figure::MemoryAvailable,
        Figure::DirectReclaims,
        Figure::MajorFaults,
    ];
    case.strongest(CauseKind::MemoryPressure, &MEMORY, &context)
}

/// Tasks waited for a disk. What waits for memory to be read back or written out waits for a disk as well, so the seconds that
/// memory accounts for are taken off.
pub(super) fn io(case: &Case<'_>, memory: Option<&Claim>) -> Option<Claim> {
    let context = [Figure::DiskRequestTime, Figure::KubeletMajorFaults];
    let of_disk = case.strongest(CauseKind::IoStalled, &IO, &[]);
    let backed = case.backs(of_disk.map_or(0.0, |claim| claim.seconds));
    let thread = (Figure::KubeletWaitsForIo, if backed { 1.0 } else { WEAK });
    let shares: Vec<_> = std::iter::once(thread).chain(IO).collect();
    let claim = case.strongest(CauseKind::IoStalled, &shares, &context)?;
    let of_memory = memory.map_or(0.0, |memory| memory.seconds);
    let seconds = (claim.seconds - of_memory).max(IO_BESIDE_MEMORY * claim.seconds);
    Some(Claim { seconds, ..claim })
}
