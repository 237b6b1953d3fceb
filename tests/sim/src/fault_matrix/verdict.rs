//! What was named, held against what was inflicted.

use std::time::Duration;

use nodegrace_proto::v1::{self, CauseKind};

use super::{account::Account, case::Case, run::Observed};

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
    /// Judges what was observed of a node.
    pub(super) fn of(observed: &Observed, seed: u64) -> Self {
        let case = observed.planned.case;
        let named = match case {
            Case::Habit(_) => habit(&observed.node),
            _ => longest(observed),
        };
        Self {
            seed,
            case,
            right: is_right(case, &named),
            named,
            account: Account { of: observed, seed }.to_string(),
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

fn longest(observed: &Observed) -> Named {
    if !is_whole(observed) {
        return Named::NotLate;
    }
    match observed.gaps.first() {
        Some(gap) => Named::Causes(kinds(&gap.causes)),
        None if observed.truth.length >= LATE => Named::NotListed,
        None => Named::NotLate,
    }
}

/// Whether everything that was inflicted made the longest gap longer.
fn is_whole(observed: &Observed) -> bool {
    let pair = matches!(observed.planned.case, Case::Pair(..));
    !pair
        || observed
            .planned
            .parts
            .iter()
            .all(|part| observed.truth.met(part))
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
        // What is not observed may stay unknown; it must not be taken for something else.
        Case::Bare(fault) => causes
            .first()
            .is_some_and(|kind| [fault.cause(), CauseKind::Unknown].contains(kind)),
        Case::Pair(one, other) => {
            let first_two = &causes[..causes.len().min(2)];
            first_two.contains(&one.cause()) && first_two.contains(&other.cause())
        }
        Case::Habit(of) => causes.first() == Some(&of),
    }
}
