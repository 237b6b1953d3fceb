//! The recommendation in a sentence or two.

use std::time::Duration;

use nodegrace_core::{
    recommend::{Recommendation, Shortage},
    what_if::WhatIf,
};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What to do, and what it costs.
pub(super) fn summary(recommendation: &Recommendation) -> String {
    let Recommendation {
        present,
        recommended,
        shortage,
        ..
    } = recommendation;
    match (recommended, shortage) {
        (Some(recommended), _) => advice(present, recommended),
        (None, Some(shortage)) => obstacle(*shortage, present),
        (None, None) => "Nothing to recommend.".to_owned(),
    }
}

fn advice(present: &WhatIf, recommended: &WhatIf) -> String {
    let (from, to) = (
        seconds(present.candidate.grace_period),
        seconds(recommended.candidate.grace_period),
    );
    let flips = format!(
        "{} instead of {} flips a day",
        rate(recommended),
        rate(present)
    );
    let (now, then) = (present.mean_detection, recommended.mean_detection);
    let detection = format!(
        "a node that really dies is marked after {} instead of {} on average",
        seconds(then),
        seconds(now)
    );
    if from == to {
        format!(
            "Keep the grace period of {to}: {} flips a day are expected in the fleet.",
            rate(present)
        )
    } else {
        format!(
            "Set the grace period to {to} (now {from}): {flips} are expected in the fleet; {detection}."
        )
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

/// The best figure for flips a day.
fn rate(what_if: &WhatIf) -> String {
    what_if.estimate().map_or_else(
        || "an unknown number of".to_owned(),
        |estimate| number(estimate.per_day),
    )
}

/// Three digits, and no more zeros than needed to say "hardly any".
fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 0.01 {
        format!("{value:.2}")
    } else {
        "less than 0.01".to_owned()
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
