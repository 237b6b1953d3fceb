//! The kubelet's process: stopped, or gone and started anew. And the machine under it: standing still.

use super::{
    case::{Case, Claim, WEAK},
    explanation::Evidence,
    figure::Figure,
    kind::CauseKind,
    window::Ended,
};

/// How much a kubelet that does nothing and does not answer counts: one that is frozen looks like that, and so does one whose
/// own locks are stuck.
const SILENT: f32 = 0.7;
/// Share of the time that the kernel did not count for which the agent must have been held up for the whole machine to have stood
/// still. It is known by how much later than planned a sample was taken, which leaves out up to the interval before it.
const HELD: f32 = 0.2;

/// The kubelet's process was stopped. That its metrics could not be read is a weak sign where nobody sees the process: one that is
/// starved, or waits for a disk or for memory, does not answer either. And while it is known to be gone, nothing stood still.
pub(super) fn stopped(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let stopped = case.seconds(Figure::KubeletStopped);
    let still = case.seconds(Figure::KubeletStill);
    let unanswered = case.seconds(Figure::KubeletUnanswered);
    let of_process = case.seen.figure(Figure::KubeletStill).is_some();
    let both = SILENT * still.min(unanswered.max(stopped));
    let one = if of_process {
        WEAK * still
    } else {
        WEAK * (unanswered - ended.gone.as_secs_f32()).max(0.0)
    };
    let seconds = stopped.max(both).max(one);
    let figures = [
        Figure::KubeletStopped,
        Figure::KubeletUnanswered,
        Figure::KubeletStill,
    ];
    let off = |figure: &Figure| case.seconds(*figure) > 0.0;
    let evidence = figures.iter().filter(|figure| off(figure));
    (seconds > 0.0).then(|| Claim {
        is_weak: one > stopped.max(both),
        ..Claim::of(
            CauseKind::KubeletStopped,
            seconds,
            evidence
                .filter_map(|figure| case.evidence(*figure))
                .collect(),
        )
    })
}

/// Another kubelet took the place of the one that beat last.
pub(super) fn restarted(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let gone = ended.gone.as_secs_f32().min(case.lateness);
    (gone > 0.0).then(|| {
        let mut evidence = vec![Evidence::found(Figure::KubeletGone, gone, None, gone)];
        evidence.extend(case.remarkable(&[Figure::OomKills]));
        Claim::of(CauseKind::KubeletRestarted, gone, evidence)
    })
}

/// The machine stood still: it was suspended, or its processors counted no time while the agent, too, got no further. A guest
/// whose hypervisor does not tell the time that it takes counts as little, but whoever waits there gets his turn in between.
pub(super) fn paused(case: &Case<'_>) -> Option<Claim> {
    let suspended = case.seconds(Figure::MachineSuspended);
    let uncounted = case.seconds(Figure::CpuUncounted);
    let held = case.seconds_in_all(Figure::AgentLateness);
    let is_held = held.is_none_or(|held| held >= HELD * uncounted);
    let uncounted = if is_held { uncounted } else { WEAK * uncounted };
    let shares = [(Figure::MachineSuspended, 1.0), (Figure::CpuUncounted, 1.0)];
    let claim = case.strongest(CauseKind::NodePaused, &shares, &[Figure::AgentLateness])?;
    Some(Claim {
        seconds: suspended.max(uncounted),
        is_weak: !is_held && suspended < uncounted,
        ..claim
    })
}
