//! The kubelet's process: stopped, or gone and started anew. And the machine under it: standing still.

use super::{
    case::{Case, Claim},
    explanation::Evidence,
    figure::Figure,
    kind::CauseKind,
    window::Ended,
};

/// How much a kubelet that does nothing and does not answer counts: one that is frozen looks like that, and so does one whose
/// own locks are stuck.
const SILENT: f32 = 0.7;
/// How much a kubelet that does not answer counts, where nothing else is known of its process.
const UNANSWERED: f32 = 0.5;

/// The kubelet's process was stopped.
pub(super) fn stopped(case: &Case<'_>) -> Option<Claim> {
    let stopped = case.seconds(Figure::KubeletStopped);
    let (still, unanswered) = (
        case.seconds(Figure::KubeletStill),
        case.seconds(Figure::KubeletUnanswered),
    );
    let of_process = case.seen.figure(Figure::KubeletStill).is_some();
    let silent = match (of_process, case.seen.figure(Figure::KubeletUnanswered)) {
        (true, Some(_)) => SILENT * still.min(unanswered.max(stopped)),
        (true, None) => UNANSWERED * still,
        (false, _) => UNANSWERED * unanswered,
    };
    let seconds = stopped.max(silent);
    let figures = [
        Figure::KubeletStopped,
        Figure::KubeletUnanswered,
        Figure::KubeletStill,
    ];
    let off = |figure: &Figure| case.seconds(*figure) > 0.0;
    let evidence = figures.iter().filter(|figure| off(figure));
    (seconds > 0.0).then(|| Claim {
        kind: CauseKind::KubeletStopped,
        seconds,
        evidence: evidence
            .filter_map(|figure| case.evidence(*figure))
            .collect(),
    })
}

/// Another kubelet took the place of the one that beat last.
pub(super) fn restarted(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let gone = ended.gone.as_secs_f32().min(case.lateness);
    (gone > 0.0).then(|| {
        let gone = Evidence::found(Figure::KubeletGone, gone, None, gone);
        let mut evidence = vec![gone];
        evidence.extend(case.remarkable(&[Figure::OomKills]));
        Claim {
            kind: CauseKind::KubeletRestarted,
            seconds: gone.value,
            evidence,
        }
    })
}

/// The machine stood still: it was suspended, or its processors counted no time.
pub(super) fn paused(case: &Case<'_>) -> Option<Claim> {
    let shares = [(Figure::MachineSuspended, 1.0), (Figure::CpuUncounted, 1.0)];
    case.strongest(CauseKind::NodePaused, &shares, &[Figure::AgentLateness])
}
