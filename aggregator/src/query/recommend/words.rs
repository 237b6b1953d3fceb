//! The recommendation in a sentence or two.

use std::time::Duration;

use nodegrace_core::{
    recommend::{Recommendation, Shortage},
    what_if::{Basis, WhatIf},
};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What to do, what it costs, and how far the data vouch for it.
pub(super) fn summary(recommendation: &Recommendation) -> String {
    let Recommendation {
        present,
        recommended,
        safe,
        shortage,
        ..
    } = recommendation;
    match (recommended, shortage) {
        (Some(recommended), _) => {
            let advice = advice(present, recommended);
            let raised = recommendation.raised_from.map_or_else(String::new, |gaps| {
                format!(
                    " The gaps alone allow {}; the checks ask for {}.",
                    seconds(gaps),
                    seconds(recommended.candidate.grace_period)
                )
            });
            format!("{advice}{raised} {}", reserve(recommended, safe.as_ref()))
        }
        (None, Some(shortage)) => obstacle(*shortage, present),
        (None, None) => "Nothing to recommend.".to_owned(),
    }
}

fn advice(present: &WhatIf, recommended: &WhatIf) -> String {
    let (now, then) = (
        seconds(present.candidate.grace_period),
        seconds(recommended.candidate.grace_period),
    );
    if now == then {
        return format!(
            "Keep the grace period of {now}: {} are expected in the fleet.",
            rate(present)
        );
    }
    format!(
        "Set the grace period to {then} (now {now}): {} are expected in the fleet instead of {}; a node that really dies is \
         marked after {} instead of {} on average.",
        rate(recommended),
        rate(present),
        seconds(recommended.mean_detection),
        seconds(present.mean_detection)
    )
}

/// How sure that is.
fn reserve(recommended: &WhatIf, safe: Option<&WhatIf>) -> String {
    match safe.map(|safe| safe.candidate.grace_period) {
        Some(safe) if safe <= recommended.candidate.grace_period => {
            "The goal is met at the upper end of the interval too.".to_owned()
        }
        Some(safe) => format!(
            "At the upper end of the interval the goal is met from {} on.",
            seconds(safe)
        ),
        None => "Too little was observed to vouch for it: the upper end of the interval misses the goal for every grace period \
                 considered."
            .to_owned(),
    }
}

fn obstacle(shortage: Shortage, present: &WhatIf) -> String {
    match shortage {
        Shortage::NothingMeasured => "No gap was measured yet.".to_owned(),
        Shortage::NotEnoughData { observed, needed } => format!(
            "Not enough data: {} node days were observed, and {} without a long gap would vouch for so low a rate.",
            days(observed),
            days(needed)
        ),
        Shortage::OutOfReach { longest } => format!(
            "No grace period up to {} meets the goal: see to the causes on the affected nodes, {} at the present setting.",
            seconds(longest),
            present.affected.len()
        ),
    }
}

/// The best figure for flips a day, with its interval.
fn rate(what_if: &WhatIf) -> String {
    what_if.estimate().map_or_else(
        || "an unknown number of flips a day".to_owned(),
        |estimate| {
            format!(
                "{} flips a day ({}, 95 % interval {} to {})",
                number(estimate.per_day),
                basis(estimate.basis),
                number(estimate.interval.lower),
                number(estimate.interval.upper)
            )
        },
    )
}

/// Where it comes from: other answers have the rate that was replayed, which may be another.
const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Replayed => "by replay",
        Basis::Extrapolated => "by the tail of the gaps",
        Basis::HardlySeen => "by replay of too few gaps",
    }
}

/// Two or three digits; a goal may be as low as thousandths.
fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else if value >= 0.0001 {
        format!("{value:.4}")
    } else {
        "0".to_owned()
    }
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if duration.subsec_millis() == 0 {
        format!("{seconds:.0} s")
    } else {
        format!("{seconds:.1} s")
    }
}

fn days(duration: Duration) -> String {
    number(duration.as_secs_f64() / DAY)
}
