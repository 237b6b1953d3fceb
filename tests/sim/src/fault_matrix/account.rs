//! The story of a node, for whoever looks into a miss: what befell it when, and what was said about its longest gap.

use std::{fmt, time::Duration};

use nodegrace_proto::{prost_types, v1};

use super::{case::Case, run::Observed};

/// A node's story, as text.
pub(super) struct Account<'a> {
    pub(super) of: &'a Observed,
    pub(super) seed: u64,
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (planned, truth) = (&self.of.planned, self.of.truth);
        let spec = &planned.spec;
        let beats = match spec.lease_duration {
            None => "statuses alone",
            Some(_) if spec.status_report_frequency == spec.status_update_frequency => {
                "lease and all statuses"
            }
            Some(_) => "lease",
        };
        write!(out, "seed {}, {}, {beats}, ", self.seed, spec.name)?;
        write!(out, "quota {:?}, ", spec.cpu_quota_cores)?;
        write!(out, "{}:", case_label(planned.case))?;
        for part in &planned.parts {
            let (after, length) = (part.after.as_secs_f64(), part.length.as_secs_f64());
            write!(
                out,
                " {:?} from {after:.1} s for {length:.1} s;",
                part.effect
            )?;
        }
        let longest = truth.length.as_secs_f64();
        write!(out, " longest gap in truth {longest:.1} s, ")?;
        write!(out, "from {:.1} s to {:.1} s; ", truth.from, truth.to)?;
        let observation = self.of.node.observation.unwrap_or_default();
        let (unmeasured, spells) = (observation.unmeasured_gaps, observation.blind_spells);
        write!(out, "unmeasured {unmeasured}, blind spells {spells}")?;
        if let Some(gap) = self.of.gaps.first() {
            let late: Vec<v1::Channel> = gap.late_channels().collect();
            let (length, lateness) = (seconds(gap.duration), seconds(gap.lateness));
            write!(out, "\n    gap of {length:.1} s, {lateness:.1} s late, ")?;
            write!(out, "{}, late {late:?}", gap.vantage().as_str_name())?;
            causes(&gap.causes, out)?;
        }
        for habit in &self.of.node.habits {
            write!(out, "\n    habit of {:.1} s", seconds(habit.period))?;
            causes(&habit.causes, out)?;
        }
        Ok(())
    }
}

fn causes(causes: &[v1::Cause], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for cause in causes {
        let (kind, share) = (cause.kind().as_str_name(), cause.share);
        write!(out, "\n      {kind} {share:.2}: {}", cause.sentence)?;
        for evidence in &cause.evidence {
            let v1::Evidence {
                figure,
                value,
                usual,
                unit,
                recorded,
                ..
            } = evidence;
            write!(out, "\n        {figure} = {value:.3} {unit}, ")?;
            write!(out, "usual {usual:?}, {:.1} s", seconds(*recorded))?;
        }
    }
    Ok(())
}

/// The case in words.
pub(super) fn case_label(case: Case) -> String {
    match case {
        Case::Nothing => "nothing".to_owned(),
        Case::Single(fault) => fault.label().to_owned(),
        Case::Bare(fault) => format!("{}, seen from a pod", fault.label()),
        Case::Pair(one, other) => format!("{}, then {}", one.label(), other.label()),
        Case::Habit(_) => "slow runtime as a habit".to_owned(),
    }
}

fn seconds(duration: Option<prost_types::Duration>) -> f64 {
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.unwrap_or_default().as_secs_f64()
}
