//! What was named, held against what was inflicted.

use std::time::Duration;

use nodegrace_proto::v1::{self, CauseKind};

use super::{case::Case, run::Seen};

/// A gap below this is on time, or nearly: nothing has to be named. Heartbeats come every 10.4 s at most, and a gap is long from
/// one and a half of that on.
const LATE: Duration = Duration::from_secs(16);

/// What was named for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// No heartbeat was late, or not for both of two faults.
    NotLate,
    /// One was, and is not listed.
    NotListed,
    /// The causes of the longest gap or of the habit, the first of them first; none: it was not judged.
    Causes(Vec<CauseKind>),
}

/// A node's verdict.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// The run.
    pub(super) seed: u64,
    /// What was inflicted.
    pub(super) case: Case,
    /// What was named.
    pub(super) named: Named,
    /// Whether that is right.
    pub(super) right: bool,
    /// All about it, for whoever looks into a miss.
    pub(super) account: String,
}

impl Verdict {
    /// Judges what was seen of a node.
    pub(super) fn of(seen: &Seen, seed: u64) -> Self {
        let case = seen.planned.case;
        let named = match case {
            Case::Habit(_) => habit(&seen.node),
            _ => longest(seen),
        };
        Self {
            seed,
            case,
            right: is_right(case, &named),
            named,
            account: account(seen, seed),
        }
    }

    /// The cause named first.
    pub(super) fn first(&self) -> Option<CauseKind> {
        match &self.named {
            Named::Causes(causes) => causes.first().copied(),
            _ => None,
        }
    }

    /// Whether there was something to name.
    pub(super) fn counts(&self) -> bool {
        self.named != Named::NotLate || matches!(self.case, Case::Nothing)
    }
}

fn longest(seen: &Seen) -> Named {
    if !is_whole(seen) {
        return Named::NotLate;
    }
    match seen.gaps.first() {
        Some(gap) => Named::Causes(kinds(&gap.causes)),
        None if seen.truth.length >= LATE => Named::NotListed,
        None => Named::NotLate,
    }
}

/// Whether everything that was inflicted made the longest gap longer.
fn is_whole(seen: &Seen) -> bool {
    let pair = matches!(seen.planned.case, Case::Pair(..));
    !pair || seen.planned.parts.iter().all(|part| seen.truth.met(part))
}

fn habit(node: &v1::Node) -> Named {
    match node.habits.first() {
        Some(habit) => Named::Causes(kinds(&habit.causes)),
        None => Named::NotListed,
    }
}

fn kinds(causes: &[v1::Cause]) -> Vec<CauseKind> {
    causes.iter().map(v1::Cause::kind).collect()
}

fn is_right(case: Case, named: &Named) -> bool {
    let causes = match named {
        Named::Causes(causes) => causes.as_slice(),
        Named::NotLate => return case == Case::Nothing,
        Named::NotListed => return false,
    };
    match case {
        Case::Nothing => causes
            .first()
            .is_none_or(|kind| *kind == CauseKind::Unknown),
        Case::Single(fault) => causes.first() == Some(&fault.cause()),
        Case::Pair(one, other) => {
            let first_two = &causes[..causes.len().min(2)];
            first_two.contains(&one.cause()) && first_two.contains(&other.cause())
        }
        Case::Habit(cause) => causes.first() == Some(&cause),
    }
}

/// The node's story: what befell it when, and its longest gap with everything that was said about it.
fn account(seen: &Seen, seed: u64) -> String {
    let planned = &seen.planned;
    let mut text = format!(
        "seed {seed}, {}, {}, quota {:?}, {}:",
        planned.spec.name,
        if planned.spec.lease_duration.is_some() {
            "lease"
        } else {
            "status only"
        },
        planned.spec.cpu_quota_cores,
        case_label(planned.case)
    );
    for part in &planned.parts {
        let (after, length) = (part.after.as_secs_f64(), part.length.as_secs_f64());
        text += &format!(" {:?} from {after:.1} s for {length:.1} s;", part.effect);
    }
    let truth = seen.truth;
    let observation = seen.node.observation.unwrap_or_default();
    text += &format!(
        " longest gap in truth {:.1} s, from {:.1} s to {:.1} s; unmeasured {}, blind spells {}",
        truth.length.as_secs_f64(),
        truth.from,
        truth.to,
        observation.unmeasured_gaps,
        observation.blind_spells,
    );
    for gap in seen.gaps.iter().take(1) {
        text += &format!(
            "\n    gap of {:.1} s, {:.1} s late, {}, late {:?}",
            seconds(gap.duration),
            seconds(gap.lateness),
            gap.vantage().as_str_name(),
            gap.late_channels().collect::<Vec<_>>(),
        );
        text += &causes(&gap.causes);
    }
    for habit in &seen.node.habits {
        text += &format!("\n    habit of {:.1} s", seconds(habit.period));
        text += &causes(&habit.causes);
    }
    text
}

fn causes(causes: &[v1::Cause]) -> String {
    let mut text = String::new();
    for cause in causes {
        text += &format!(
            "\n      {} {:.2}: {}",
            cause.kind().as_str_name(),
            cause.share,
            cause.sentence
        );
        for evidence in &cause.evidence {
            text += &format!(
                "\n        {} = {:.3} {}, usual {:?}, {:.1} s",
                evidence.figure,
                evidence.value,
                evidence.unit,
                evidence.usual,
                seconds(evidence.recorded)
            );
        }
    }
    text
}

/// The case in words.
pub(super) fn case_label(case: Case) -> String {
    match case {
        Case::Nothing => "nothing".to_owned(),
        Case::Single(fault) => fault.label().to_owned(),
        Case::Pair(one, other) => format!("{}, then {}", one.label(), other.label()),
        Case::Habit(_) => "slow runtime as a habit".to_owned(),
    }
}

fn seconds(duration: Option<nodegrace_proto::prost_types::Duration>) -> f64 {
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.unwrap_or_default().as_secs_f64()
}
