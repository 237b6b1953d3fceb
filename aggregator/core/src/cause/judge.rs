//! Judging a late gap: what each cause accounts for.

use std::time::Duration;

use super::{
    baseline::Baseline,
    case::{Case, Claim},
    clock, delivery,
    explanation::Explanation,
    kind::{CauseKind, Vantage},
    order, process, stalls,
    window::Ended,
};

/// Why the gap was so long.
pub(super) fn explain(ended: &Ended, usual: &Baseline) -> Explanation {
    let lateness = ended.lateness.as_secs_f32();
    let case = Case {
        lateness,
        seen: &ended.seen,
        usual,
    };
    let covered: f32 = ended.seen.covered.iter().sum();
    Explanation {
        lateness: ended.lateness,
        vantage: ended.vantage,
        late: ended.late,
        causes: order::ranked(claims(&case, ended), lateness, ended.vantage),
        read: ended.seen.read,
        recorded: Duration::from_secs_f32(covered.min(lateness)),
        ended: ended.at,
    }
}

/// What each cause accounts for.
fn claims(case: &Case<'_>, ended: &Ended) -> Vec<Claim> {
    let paused = process::paused(case);
    let cpu = stalls::cpu(case, paused.as_ref());
    let stamp_late = stamp_late(ended);
    let claims = [
        paused,
        process::restarted(case, ended),
        process::stopped(case, ended),
        clock::step(case, ended),
        stalls::memory(case),
        stalls::io(case),
        cpu,
        delivery::connection(case, ended),
        delivery::api_server(case, ended),
        delivery::runtime(case, ended),
    ];
    let known = claims.into_iter().flatten();
    known
        .map(|claim| Claim {
            seconds: if is_before_stamp(claim.kind) {
                claim.seconds.min(stamp_late)
            } else {
                claim.seconds
            },
            ..claim
        })
        .collect()
}

/// Seconds by which the stamp was late: all of the lateness, unless the stamp was on time and the arrival late.
fn stamp_late(ended: &Ended) -> f32 {
    let lateness = ended.lateness.as_secs_f32();
    match ended.vantage {
        Some(Vantage::Delivery) => (lateness - (ended.delay.0 - ended.delay.1)).max(0.0),
        Some(Vantage::Node) | None => lateness,
    }
}

/// True of causes that keep the kubelet from writing a stamp: what came after the stamp is none of their doing.
pub(super) const fn is_before_stamp(kind: CauseKind) -> bool {
    matches!(
        kind,
        CauseKind::KubeletStopped
            | CauseKind::CpuStarved
            | CauseKind::IoStalled
            | CauseKind::MemoryPressure
            | CauseKind::RuntimeSlow
    )
}
