//! Judging a late gap: what each cause accounts for, and which comes first.

use std::time::Duration;

use super::{
    baseline::Baseline,
    case::{Case, Claim},
    clock, delivery,
    explanation::{Cause, Explanation},
    kind::{CauseKind, Vantage},
    process, stalls,
    window::Ended,
};

/// Share of the lateness that the first cause must account for; with less, that the cause is not known comes first.
const CONVINCING: f32 = 0.4;
/// Share of the lateness below which a cause is not worth a word.
const WORTH_A_WORD: f32 = 0.1;
/// Most causes told of one gap, the first ones.
const MOST_CAUSES: usize = 4;
/// A cause that another one brings about comes after it where that accounts for at least this share of it.
const BROUGHT_ABOUT: f32 = 0.5;

/// Which causes bring others about: what waits for a processor waits for everything else as well.
const CONSEQUENCES: [(CauseKind, &[CauseKind]); 7] = [
    (
        CauseKind::NodePaused,
        &[
            CauseKind::KubeletStopped,
            CauseKind::CpuStarved,
            CauseKind::IoStalled,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
            CauseKind::ConnectionLost,
        ],
    ),
    (
        CauseKind::KubeletStopped,
        &[CauseKind::ApiServerSlow, CauseKind::ConnectionLost],
    ),
    (
        CauseKind::KubeletRestarted,
        &[
            CauseKind::KubeletStopped,
            CauseKind::ApiServerSlow,
            CauseKind::ConnectionLost,
        ],
    ),
    (
        CauseKind::MemoryPressure,
        &[
            CauseKind::IoStalled,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
        ],
    ),
    (
        CauseKind::IoStalled,
        &[
            CauseKind::KubeletStopped,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
        ],
    ),
    (
        CauseKind::CpuStarved,
        &[
            CauseKind::KubeletStopped,
            CauseKind::RuntimeSlow,
            CauseKind::ApiServerSlow,
        ],
    ),
    (CauseKind::ClockStep, &[CauseKind::ApiServerSlow]),
];

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
        causes: ranked(claims(&case, ended), lateness, ended.vantage),
        read: ended.seen.read,
        recorded: Duration::from_secs_f32(covered.min(lateness)),
        ended: ended.at,
    }
}

/// What each cause accounts for.
fn claims(case: &Case<'_>, ended: &Ended) -> Vec<Claim> {
    let memory = stalls::memory(case);
    let io = stalls::io(case, memory.as_ref());
    let paused = process::paused(case);
    let cpu = stalls::cpu(case, paused.as_ref());
    let stamp_late = stamp_late(ended);
    let claims = [
        paused,
        process::restarted(case, ended),
        process::stopped(case, ended),
        clock::step(case, ended),
        memory,
        io,
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
const fn is_before_stamp(kind: CauseKind) -> bool {
    matches!(
        kind,
        CauseKind::KubeletStopped
            | CauseKind::CpuStarved
            | CauseKind::IoStalled
            | CauseKind::MemoryPressure
            | CauseKind::RuntimeSlow
    )
}

/// Causes of `lateness` seconds, the most likely first.
pub(super) fn ranked(
    mut claims: Vec<Claim>,
    lateness: f32,
    vantage: Option<Vantage>,
) -> Vec<Cause> {
    claims.retain(|claim| claim.seconds >= WORTH_A_WORD * lateness);
    // Stable: of two that account for the same the one listed first comes first.
    claims.sort_by(|left, right| right.seconds.total_cmp(&left.seconds));
    put_consequences_after(&mut claims, CONVINCING * lateness, vantage);
    claims.truncate(MOST_CAUSES);
    let known = claims.iter().map(|claim| claim.seconds).fold(0.0, f32::max);
    let causes = claims.into_iter().map(|claim| cause(claim, lateness));
    if known >= CONVINCING * lateness {
        return causes.collect();
    }
    let unknown = Claim {
        kind: CauseKind::Unknown,
        seconds: lateness - known,
        evidence: Vec::new(),
    };
    std::iter::once(cause(unknown, lateness))
        .chain(causes)
        .collect()
}

fn cause(claim: Claim, lateness: f32) -> Cause {
    let seconds = claim.seconds.clamp(0.0, lateness);
    let mut evidence = claim.evidence;
    evidence.shrink_to_fit();
    Cause {
        kind: claim.kind,
        accounts_for: Duration::from_secs_f32(seconds),
        share: if lateness > 0.0 {
            seconds / lateness
        } else {
            0.0
        },
        evidence,
    }
}

/// Moves causes behind those that bring them about, unless those are not convincing and they are. What delayed the heartbeat
/// after its stamp was not brought about by what delays stamps.
fn put_consequences_after(claims: &mut Vec<Claim>, convincing: f32, vantage: Option<Vantage>) {
    let on_the_way = |kind| matches!(kind, CauseKind::ApiServerSlow | CauseKind::ConnectionLost);
    let brings_about = |first: &Claim, second: &Claim| {
        let enough = first.seconds >= BROUGHT_ABOUT * second.seconds
            && (first.seconds >= convincing || second.seconds < convincing);
        let after_stamp = vantage == Some(Vantage::Delivery)
            && is_before_stamp(first.kind)
            && on_the_way(second.kind);
        let consequences = CONSEQUENCES.iter().filter(|(kind, _)| *kind == first.kind);
        enough
            && !after_stamp
            && consequences
                .flat_map(|(_, follow)| *follow)
                .any(|kind| *kind == second.kind)
    };
    // One pass for each: what is moved forward may itself bring about what then stands before it.
    for _ in 0..claims.len() {
        for before in 0..claims.len() {
            let after = (before + 1..claims.len())
                .find(|after| brings_about(&claims[*after], &claims[before]));
            if let Some(after) = after {
                let origin = claims.remove(after);
                claims.insert(before, origin);
            }
        }
    }
}
