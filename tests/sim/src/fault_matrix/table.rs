//! The confusion matrix: what was inflicted against what was named first.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use nodegrace_proto::v1::CauseKind;

use super::{
    account::case_label,
    case::Case,
    fault::Fault,
    verdict::{Named, Verdict},
};

/// The columns: every cause, with a name short enough for a column.
const CAUSES: [(CauseKind, &str); 12] = [
    (CauseKind::KubeletStopped, "stopped"),
    (CauseKind::KubeletRestarted, "restart"),
    (CauseKind::CpuStarved, "cpu"),
    (CauseKind::IoStalled, "io"),
    (CauseKind::MemoryPressure, "memory"),
    (CauseKind::RuntimeSlow, "runtime"),
    (CauseKind::ApiServerSlow, "api"),
    (CauseKind::ConnectionLost, "connect"),
    (CauseKind::ClockStep, "clock"),
    (CauseKind::NodeRebooted, "reboot"),
    (CauseKind::NodePaused, "paused"),
    (CauseKind::Unknown, "unknown"),
];

/// Hits and tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// How often it was right.
    pub(super) right: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl Share {
    /// The share of those that count among some verdicts.
    pub(super) fn among<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let counted = verdicts.into_iter().filter(|verdict| verdict.counts());
        counted.fold(Self::default(), |share, verdict| Self {
            right: share.right + u64::from(verdict.right),
            of: share.of + 1,
        })
    }

    /// Whether at least this share was right. Of nothing, no share was.
    pub(super) fn reaches(self, share: f64) -> bool {
        self.of > 0 && self.right as f64 >= share * self.of as f64
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = 100.0 * self.right as f64 / (self.of as f64).max(1.0);
        write!(formatter, "{}/{} = {percent:.1} %", self.right, self.of)
    }
}

/// A row for each fault, inflicted in one way, and for nodes without one; the right ones are in brackets, zeros left out.
pub(super) fn confusion(verdicts: &[Verdict], inflicted: fn(Fault) -> Case) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let mut header = vec!["inflicted".to_owned()];
    header.extend(CAUSES.map(|(_, name)| name.to_owned()));
    header.extend(["none", "unlisted", "not late", "right"].map(str::to_owned));
    table.set_header(header);
    let faults = Fault::ALL.map(inflicted);
    for case in faults.into_iter().chain([Case::Nothing]) {
        let of_case: Vec<&Verdict> = verdicts.iter().filter(|one| one.case == case).collect();
        table.add_row(row(case, &of_case));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(case: Case, verdicts: &[&Verdict]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for verdict in verdicts {
        *counts.entry(column(verdict)).or_default() += 1;
    }
    let wanted = match case {
        Case::Single(fault) | Case::Bare(fault) => name(fault.cause()),
        _ => "unknown",
    };
    let mut row = vec![case_label(case)];
    let columns = CAUSES.map(|(_, name)| name);
    for column in columns.into_iter().chain(["none", "unlisted", "not late"]) {
        let count = counts
            .get(column)
            .map_or_else(String::new, ToString::to_string);
        // The right ones stand out.
        row.push(if column == wanted {
            format!("[{count}]")
        } else {
            count
        });
    }
    row.push(Share::among(verdicts.iter().copied()).to_string());
    row
}

fn column(verdict: &Verdict) -> &'static str {
    match (&verdict.named, verdict.first()) {
        (Named::NotLate, _) => "not late",
        (Named::NotListed, _) => "unlisted",
        (Named::Causes(_), Some(cause)) => name(cause),
        (Named::Causes(_), None) => "none",
    }
}

/// A cause as its column is called.
pub(super) fn name(cause: CauseKind) -> &'static str {
    CAUSES
        .iter()
        .find(|(kind, _)| *kind == cause)
        .map_or("unspecified", |(_, name)| name)
}

/// A row for each pair of causes: how often both were among the first two.
pub(super) fn pairs(verdicts: &[Verdict]) -> Table {
    let mut by_causes: BTreeMap<[&str; 2], Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        if let Case::Pair(one, other) = verdict.case {
            let mut causes = [one, other].map(|fault| name(fault.cause()));
            causes.sort_unstable();
            by_causes.entry(causes).or_default().push(verdict);
        }
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "inflicted",
        "both among the first two",
        "not late",
        "misses: named",
    ]);
    for ([one, other], verdicts) in by_causes {
        let not_late = verdicts.iter().filter(|verdict| !verdict.counts()).count();
        let mut misses: BTreeMap<String, u64> = BTreeMap::new();
        for verdict in verdicts
            .iter()
            .filter(|verdict| !verdict.right && verdict.counts())
        {
            *misses.entry(first_two(verdict)).or_default() += 1;
        }
        let misses: Vec<String> = misses
            .into_iter()
            .map(|(named, times)| format!("{times} x {named}"))
            .collect();
        table.add_row([
            format!("{one} + {other}"),
            Share::among(verdicts.iter().copied()).to_string(),
            not_late.to_string(),
            misses.join(", "),
        ]);
    }
    table
}

fn first_two(verdict: &Verdict) -> String {
    match &verdict.named {
        Named::Causes(causes) => {
            let names: Vec<&str> = causes.iter().take(2).map(|cause| name(*cause)).collect();
            format!("[{}]", names.join(" "))
        }
        _ => column(verdict).to_owned(),
    }
}
