//! Which causes bring others about, and which are told by the same figures.

use super::{
    case::Claim,
    figure::Figure,
    judge::is_before_stamp,
    kind::{CauseKind, Vantage},
};

/// Which causes bring others about: what waits for a processor waits for everything else as well.
const CONSEQUENCES: [(CauseKind, &[CauseKind]); 6] = [
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
            CauseKind::KubeletStopped,
            CauseKind::CpuStarved,
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
];

/// True when the seconds of the second cause are explained by the first one. Between its stamp and its request a kubelet does so
/// little that waiting on the node explains only a small part of what passes before the answer.
pub(super) fn explains(first: &Claim, second: &Claim, vantage: Option<Vantage>) -> bool {
    let waits = matches!(
        first.kind,
        CauseKind::CpuStarved | CauseKind::IoStalled | CauseKind::MemoryPressure
    );
    let later = waits && is_on_the_way(second.kind);
    brings_about(first, second, vantage) && !later || are_alternatives(first, second)
}

/// True when the first cause can have brought the second one about.
pub(super) fn brings_about(first: &Claim, second: &Claim, vantage: Option<Vantage>) -> bool {
    // What delayed the heartbeat after its stamp was not brought about by what delays stamps.
    let after_stamp = vantage == Some(Vantage::Delivery)
        && is_before_stamp(first.kind)
        && is_on_the_way(second.kind);
    let consequences = CONSEQUENCES.iter().filter(|(kind, _)| *kind == first.kind);
    let mut kinds = consequences.flat_map(|(_, follow)| *follow);
    !after_stamp && kinds.any(|kind| *kind == second.kind) && !is_seen_itself(first, second)
}

/// True when what speaks for the second cause is nothing that the first one could bring about.
fn is_seen_itself(first: &Claim, second: &Claim) -> bool {
    let Some(figure) = second.led_by() else {
        return false;
    };
    match (first.kind, second.kind) {
        // Short of memory, tasks crowd the processors; no quota is used up and no hypervisor takes time for that.
        (CauseKind::MemoryPressure, CauseKind::CpuStarved) => matches!(
            figure,
            Figure::Throttled | Figure::CpuSteal | Figure::CpuUncounted
        ),
        // No want of anything puts a process into state T, nor does its end.
        (
            CauseKind::CpuStarved
            | CauseKind::IoStalled
            | CauseKind::MemoryPressure
            | CauseKind::KubeletRestarted,
            CauseKind::KubeletStopped,
        ) => figure == Figure::KubeletStopped,
        // Whatever the kubelet waited for: an error is the server's answer.
        (_, CauseKind::ApiServerSlow) if is_an_error(figure) => true,
        // A request that was under way when everything stood still took at least as long as that.
        (
            CauseKind::NodePaused | CauseKind::KubeletStopped,
            CauseKind::ApiServerSlow | CauseKind::ConnectionLost,
        ) => {
            let took = matches!(figure, Figure::DeliveryDelay | Figure::ApiPut);
            took && second.seconds < first.seconds
        }
        _ => false,
    }
}

/// True when the same requests without an answer, or with a late one, speak for either.
fn are_alternatives(first: &Claim, second: &Claim) -> bool {
    let errors = [first, second]
        .into_iter()
        .any(|claim| claim.led_by().is_some_and(is_an_error));
    first.kind != second.kind && is_on_the_way(first.kind) && is_on_the_way(second.kind) && !errors
}

const fn is_on_the_way(kind: CauseKind) -> bool {
    matches!(kind, CauseKind::ApiServerSlow | CauseKind::ConnectionLost)
}

const fn is_an_error(figure: Figure) -> bool {
    matches!(figure, Figure::ApiRefused | Figure::AgentRefused)
}
