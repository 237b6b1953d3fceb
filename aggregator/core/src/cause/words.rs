//! Causes in words: what an operator reads first, with the numbers it rests on.

mod phrases;
mod shared;

use std::{fmt::Write as _, time::Duration};

use self::phrases::PHRASES;
use super::{
    explanation::{Cause, Evidence, Explanation},
    facts::Source,
    figure::{Figure, Unit},
    habit::Habit,
    kind::CauseKind,
};
use crate::event::Channel;

/// Figures that a sentence names at most; the others stand beside it.
const MOST_FIGURES: usize = 3;

impl Explanation {
    /// One of its causes in a sentence.
    pub fn sentence(&self, cause: &Cause) -> String {
        let of = format!("{} that the heartbeat was late", seconds(self.lateness));
        match cause.kind {
            CauseKind::Unknown => self.unknown(cause, &of),
            _ => known(cause, &of),
        }
    }

    fn unknown(&self, cause: &Cause, of: &str) -> String {
        if self.recorded.is_zero() {
            return format!("Not known: of the {of} no sample was taken.");
        }
        let time = seconds(cause.accounts_for);
        let mut sentence =
            format!("Not known: of the {of}, {time} have no cause in what was recorded.");
        // A Lease does not wait for the runtime, and between two heartbeats it need not have been asked.
        let telling = |source| source != Source::Runtime || self.late.has(Channel::NodeStatus);
        let missing: Vec<&str> = TELLING
            .iter()
            .filter(|(source, _)| telling(*source) && !self.read.has(*source))
            .map(|(_, name)| *name)
            .collect();
        if !missing.is_empty() {
            let _ = write!(sentence, " Nothing was recorded of {}.", missing.join(", "));
        }
        sentence
    }
}

impl Habit {
    /// One of its causes in a sentence.
    pub fn sentence(&self, cause: &Cause) -> String {
        let longer = self.period.saturating_sub(self.nominal);
        let of = format!("{} that each period is too long", seconds(longer));
        match cause.kind {
            CauseKind::Unknown => {
                format!("Of the {of} nothing that was recorded accounts for enough.")
            }
            _ => known(cause, &of),
        }
    }
}

fn known(cause: &Cause, of: &str) -> String {
    let time = format!("{} of the {of}", seconds(cause.accounts_for));
    let value = |figure| {
        let evidence = cause
            .evidence
            .iter()
            .find(|evidence| evidence.figure == figure);
        evidence.map_or_else(String::new, |evidence| {
            amount(evidence.value, Unit::Seconds)
        })
    };
    let mut sentence = match cause.kind {
        CauseKind::KubeletStopped if is_inferred(cause) => format!(
            "It may be that the kubelet's process stood still for {time}, which is inferred, since nobody saw it"
        ),
        CauseKind::KubeletStopped => format!("The kubelet's process stood still for {time}"),
        CauseKind::KubeletRestarted => {
            format!(
                "The kubelet was restarted: from the last sight of it, or from when the heartbeat was due, to the first heartbeat of the new one it took {time}"
            )
        }
        CauseKind::CpuStarved => format!("The kubelet waited for a processor for {time}"),
        CauseKind::IoStalled => format!("A disk was waited for during {time}"),
        CauseKind::MemoryPressure => format!("Memory was waited for during {time}"),
        CauseKind::RuntimeSlow => {
            format!("The container runtime kept the Node status waiting for {time}")
        }
        CauseKind::ApiServerSlow => format!("The API server was slow or failed for {time}"),
        CauseKind::ConnectionLost => {
            format!("The connection to the API server was lost for {time}")
        }
        CauseKind::ClockStep => format!(
            "The wall clock had been set back, up to {} behind the last renewal that was credited, and none was credited for {time}",
            value(Figure::ClockBehind)
        ),
        CauseKind::NodeRebooted => format!(
            "The machine was booted anew {} after the last heartbeat; that accounts for {time}",
            value(Figure::MachineOff)
        ),
        CauseKind::NodePaused => format!("The whole machine stood still for {time}"),
        CauseKind::Unknown => format!("Nothing accounts for {time}"),
    };
    let figures: Vec<String> = cause
        .evidence
        .iter()
        .filter_map(phrase)
        .take(MOST_FIGURES)
        .collect();
    if !figures.is_empty() {
        let _ = write!(sentence, ": {}", figures.join(", "));
    }
    sentence.push('.');
    sentence
}

/// True of a kubelet that nobody saw stopped or idle.
fn is_inferred(cause: &Cause) -> bool {
    let seen = [Figure::KubeletStopped, Figure::KubeletStill];
    cause
        .evidence
        .iter()
        .all(|evidence| !seen.contains(&evidence.figure))
}

/// Events so rare that a rate says nothing to people: told by their number.
const RARE: [Figure; 3] = [Figure::OomKills, Figure::TcpTimeouts, Figure::AgentTimeouts];

/// "processes killed for want of memory: 1 in 24.0 s".
fn number(evidence: &Evidence) -> String {
    let time = evidence.recorded.as_secs_f32();
    // A sample that covers more than the lateness speaks for a part of an event.
    let number = (evidence.value * time).round().max(1.0);
    let mut number = format!("{number:.0} in {}", seconds(evidence.recorded));
    if let Some(usual) = evidence.usual.filter(|usual| *usual > 0.0) {
        let _ = write!(number, " (usual: {:.1})", usual * time);
    }
    number
}

/// "its cgroup was held back by its CPU quota 89 % of the time (usual: 0 %)".
fn phrase(evidence: &Evidence) -> Option<String> {
    let (_, before, after) = PHRASES
        .iter()
        .find(|(figure, ..)| *figure == evidence.figure)?;
    if RARE.contains(&evidence.figure) {
        return Some(format!("{before} {}{after}", number(evidence)));
    }
    let unit = evidence.figure.unit();
    let mut phrase = format!("{before} {}{after}", amount(evidence.value, unit));
    if let Some(usual) = evidence.usual {
        let _ = write!(phrase, " (usual: {})", amount(usual, unit));
    }
    Some(phrase)
}

/// Sources that tell most causes, by the names that people know.
const TELLING: [(Source, &str); 6] = [
    (Source::KubeletProcess, "the kubelet's process"),
    (Source::KubeletCgroup, "its cgroup"),
    (Source::KubeletMetrics, "its metrics"),
    (Source::Pressure, "pressure stalls"),
    (Source::Network, "TCP counters"),
    (Source::Runtime, "the runtime"),
];

fn seconds(duration: Duration) -> String {
    amount(duration.as_secs_f32(), Unit::Seconds)
}

fn amount(value: f32, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 1.0 => format!("{:.0} ms", value * 1000.0),
        Unit::Seconds => format!("{value:.1} s"),
        Unit::Ratio => format!("{:.0} %", value * 100.0),
        Unit::PerSecond => format!("{value:.1} a second"),
        Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Count => format!("{value:.1}"),
    }
}
