//! The wall clock: set back, it makes renewals carry stamps that the controller does not credit.

use super::{
    case::{Case, Claim},
    explanation::Evidence,
    figure::Figure,
    kind::CauseKind,
    window::Ended,
};

/// The wall clock was set back, and renewals went uncredited until it had caught up: at most for as long as it was set back.
pub(super) fn step(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let back = ended.stepped_back.as_secs_f32();
    let uncredited = ended.uncredited as f32;
    let seconds = back.min(case.lateness);
    (seconds > 0.0 && ended.uncredited > 0).then(|| Claim {
        kind: CauseKind::ClockStep,
        seconds,
        evidence: vec![
            Evidence::found(Figure::ClockStep, back, None, seconds),
            Evidence::found(Figure::UncreditedRenewals, uncredited, None, seconds),
        ],
    })
}
