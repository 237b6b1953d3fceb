//! What holds of every explanation, whatever was recorded.

use nodegrace_core::cause::{CauseKind, Explanation, Figure, Reading};
use proptest::prelude::*;

use super::kit::{Host, first};
use crate::kit::s;

/// Trouble with some figures from one second to another.
fn troubles() -> impl Strategy<Value = Vec<(Figure, u32, u32, f64)>> {
    let any_figure = prop::sample::select(Figure::all().collect::<Vec<_>>());
    prop::collection::vec((any_figure, 0..50_u32, 0..50_u32, 0.0..2.0_f64), 0..8)
}

fn explained(host: &mut Host, gap: u32, troubles: &[(Figure, u32, u32, f64)]) -> Explanation {
    host.late(gap, &|second| {
        let now = troubles
            .iter()
            .filter(|(_, from, to, _)| (*from..=*to).contains(&second));
        now.map(|(figure, _, _, value)| (*figure, *value)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_cause_accounts_for_more_than_the_lateness(gap in 16..60_u32, troubles in troubles()) {
        let why = explained(&mut Host::new().settle(20), gap, &troubles);
        prop_assert_eq!(why.lateness, s(f64::from(gap - 10)));
        prop_assert!(why.recorded <= why.lateness);
        prop_assert!(!why.causes.is_empty() && why.causes.len() <= 5);
        for cause in &why.causes {
            prop_assert!(cause.accounts_for <= why.lateness, "{:?}", cause);
            prop_assert!((0.0..=1.0).contains(&cause.share));
            for evidence in &cause.evidence {
                prop_assert!(evidence.recorded <= why.lateness, "{:?}", evidence);
                prop_assert!(evidence.value.is_finite());
            }
        }
        let known = why.causes.iter().filter(|cause| cause.kind != CauseKind::Unknown);
        let shares: Vec<f32> = known.map(|cause| cause.share).collect();
        let most = shares.iter().copied().fold(0.0, f32::max);
        // Each of them more than any weak figure, and all of them most of it.
        let strong = shares.iter().filter(|share| **share > 0.3);
        let together = strong.clone().count() > 1 && strong.sum::<f32>() >= 0.65;
        let is_unknown = first(&why).kind == CauseKind::Unknown;
        prop_assert!(!is_unknown || most < 0.4, "{:?}", why.causes);
        prop_assert!(is_unknown || most >= 0.4 || together, "{:?}", why.causes);
    }

    #[test]
    fn it_does_not_matter_which_series_is_heard_first(
        gap in 16..60_u32,
        troubles in troubles(),
    ) {
        let settled = Host::new().settle(20);
        let (mut as_taken, mut coarse_first) = (settled.clone(), settled);
        coarse_first.hold_fine_back();
        // What is true at a moment is better known when it is heard in order.
        let troubles: Vec<_> = troubles.into_iter().filter(|(figure, ..)| figure.reading() != Reading::Moment).collect();
        let early = explained(&mut as_taken, gap, &troubles);
        let late = explained(&mut coarse_first, gap, &troubles);
        for (left, right) in early.causes.iter().zip(&late.causes) {
            let off = left.accounts_for.abs_diff(right.accounts_for);
            prop_assert!(left.kind == right.kind && off < s(0.2), "{:?} {:?}", early, late);
        }
    }

    #[test]
    fn a_restart_of_the_aggregator_at_any_moment_changes_nothing(
        gap in 16..60_u32,
        troubles in troubles(),
        restart in 0..70_u32,
    ) {
        let settled = Host::new().settle(20);
        let (mut steady, mut restarted) = (settled.clone(), settled);
        let before = explained(&mut steady, gap, &troubles);
        restarted.restart_after(restart);
        let after = explained(&mut restarted, gap, &troubles);
        prop_assert_eq!(before, after);
        prop_assert_eq!(steady.history().causes(), restarted.history().causes());
    }
}
