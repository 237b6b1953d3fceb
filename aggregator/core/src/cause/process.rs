//! The kubelet's process: stopped, or gone and started anew. And the machine under it: standing still.

use super::{
    case::{Case, Claim, WEAK},
    delivery,
    explanation::Evidence,
    figure::Figure,
    kind::{CauseKind, Vantage},
    window::Ended,
};

/// How much a kubelet that does nothing and does not answer counts: one that is frozen looks like that, and so does one whose
/// own locks are stuck.
const SILENT: f32 = 0.7;
/// How much it counts that the kubelet's metrics could not be read, where nobody sees its process, but its stamps are late and
/// the way to the API server is well: then it is inferred that the kubelet did not run. An API server that is away and a token
/// that has expired make the metrics unreadable as well.
const INFERRED: f32 = 0.5;

/// The kubelet's process was stopped.
pub(super) fn stopped(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let stopped = case.seconds(Figure::KubeletStopped);
    let (still, unanswered) = (
        case.seconds(Figure::KubeletStill),
        case.seconds(Figure::KubeletUnanswered),
    );
    let of_process = case.seen.figure(Figure::KubeletStill).is_some();
    let silent = if of_process {
        (SILENT * still.min(unanswered.max(stopped))).max(WEAK * still)
    } else if ended.vantage == Some(Vantage::Node) && delivery::is_well(case, ended) {
        INFERRED * unanswered
    } else {
        WEAK * unanswered
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
