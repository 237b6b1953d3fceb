//! The wall clock: set back, it makes renewals carry stamps that the controller does not credit.

use super::{
    case::{Case, Claim},
    explanation::Evidence,
    figure::Figure,
    kind::CauseKind,
    window::Ended,
};

/// The wall clock had been set back, before the last heartbeat or since, and had not caught up with the last stamp that was
/// credited.
pub(super) fn step(case: &Case<'_>, ended: &Ended) -> Option<Claim> {
    let seconds = ended.hidden.as_secs_f32().min(case.lateness);
    (seconds > 0.0).then(|| {
        let behind = ended.behind.as_secs_f32();
        let uncredited = ended.uncredited as f32;
        let mut evidence = vec![Evidence::found(Figure::ClockBehind, behind, None, seconds)];
        let renewals = Evidence::found(Figure::UncreditedRenewals, uncredited, None, seconds);
        evidence.extend((ended.uncredited > 0).then_some(renewals));
        Claim::of(CauseKind::ClockStep, seconds, evidence)
    })
}
