//! Waiting for a processor, for a disk, for memory.
//!
//! The kubelet's own waiting counts in full, since it is what delays its heartbeat. That of some task on the host counts less:
//! it need not be the kubelet that waits.

use super::{
    case::{Case, Claim, MOST_EVIDENCE, WEAK},
    figure::Figure,
    kind::CauseKind,
};

/// Share of the waiting for a disk that waiting for memory must amount to for threads in state D to have waited for memory: what
/// waits for a page to be read back waits for both.
const FOR_MEMORY: f32 = 0.5;

/// How much it counts beside other figures that say that processors were short that the agent itself was kept waiting, or that
/// the kernel did not count all time: the agent has few shares, so it starves long before the kubelet does, and time that was
/// taken and not told as stolen need not have been the kubelet's.
const BESIDE_OTHERS: f32 = 0.5;

/// What takes a processor away comes before the waiting that it brings about.
const CPU: [(Figure, f32); 5] = [
    (Figure::Throttled, 1.0),
    (Figure::CpuSteal, 1.0),
    (Figure::KubeletRunQueueWait, 1.0),
    (Figure::CgroupPressureCpuSome, 0.9),
    (Figure::PressureCpuSome, 0.6),
];

/// Beside these, or beside waiting for memory, a thread of the kubelet in state D counts: alone it may as well wait for a lock of
/// the kernel, a network file system or the freezer, and need not be the one that renews the Lease.
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
    let others = claim.as_ref().map_or(0.0, |claim| claim.seconds);
    let known = paused.filter(|paused| !paused.is_weak);
    let stood_still = known.map_or(0.0, |paused| paused.seconds);
    let is_weak = !case.backs(others);
    let weight = if is_weak { WEAK } else { BESIDE_OTHERS };
    let figures = [Figure::CpuUncounted, Figure::AgentLateness];
    let claim = figures.into_iter().fold(claim, |claim, figure| {
        let seconds = weight * (case.seconds(figure) - stood_still);
        led_by(case, claim, figure, seconds)
    });
    claim.map(|claim| Claim { is_weak, ..claim })
}

/// The claim of too few processors, led by a figure that accounts for these seconds where that is more than the others do.
fn led_by(case: &Case<'_>, others: Option<Claim>, figure: Figure, seconds: f32) -> Option<Claim> {
    let so_far = others.as_ref().map_or(0.0, |claim| claim.seconds);
    if seconds <= so_far {
        return others;
    }
    let mut evidence = others.map_or_else(Vec::new, |claim| claim.evidence);
    evidence.truncate(MOST_EVIDENCE - 1);
    evidence.splice(0..0, case.evidence(figure));
    Some(Claim::of(CauseKind::CpuStarved, seconds, evidence))
}

/// Tasks waited for memory.
pub(super) fn memory(case: &Case<'_>) -> Option<Claim> {
    let context = [
        Figure::OomKills,
        Figure::MemoryAvailable,
        Figure::DirectReclaims,
        Figure::MajorFaults,
    ];
    let thread = (Figure::KubeletWaitsForIo, 1.0);
    let beside = threads_wait_for_memory(case).then_some(thread);
    let shares: Vec<_> = MEMORY.into_iter().chain(beside).collect();
    case.strongest(CauseKind::MemoryPressure, &shares, &context)
}

/// Tasks waited for a disk.
pub(super) fn io(case: &Case<'_>) -> Option<Claim> {
    let context = [Figure::DiskRequestTime, Figure::KubeletMajorFaults];
    let weight = if case.backs(of(case, &IO)) { 1.0 } else { WEAK };
    let thread = (Figure::KubeletWaitsForIo, weight);
    let beside = (!threads_wait_for_memory(case)).then_some(thread);
    let shares: Vec<_> = beside.into_iter().chain(IO).collect();
    case.strongest(CauseKind::IoStalled, &shares, &context)
}

/// True when memory is what threads in state D wait for.
fn threads_wait_for_memory(case: &Case<'_>) -> bool {
    let memory = of(case, &MEMORY);
    case.backs(memory) && memory >= FOR_MEMORY * of(case, &IO)
}

/// What the strongest of these shares of time accounts for.
fn of(case: &Case<'_>, shares: &[(Figure, f32)]) -> f32 {
    let seconds = shares
        .iter()
        .map(|(figure, weight)| weight * case.seconds(*figure));
    seconds.fold(0.0, f32::max)
}
