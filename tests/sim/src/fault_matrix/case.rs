//! What each node of a run goes through: a fault, two of them, none, or a habit.

use std::time::Duration;

use nodegrace_proto::v1::CauseKind;
use nodegrace_sim_cluster::kubelet::{Kind, NodeSpec};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom as _};

use super::fault::{Fault, Part};

/// Minutes that every node lives in peace first, at least and at most: its agent and the aggregator learn what is usual.
const PEACE: std::ops::Range<f64> = 20.0..25.0;
/// Share of nodes whose kubelet posts every status.
const POSTS_ALL: f64 = 0.25;
/// Each seed inflicts one fault in so many on nodes whose agent sees less.
const BARE_TURNS: u64 = 2;
/// Nodes of a run that nothing befalls.
const CONTROLS: usize = 6;
/// What one fault of a pair is inflicted for, in seconds: together they stay below a minute and a half.
const HALF: std::ops::Range<f64> = 20.0..40.0;
/// The same before an API server that is slow.
const BRIEF: std::ops::Range<f64> = 13.0..18.0;

/// Each seed takes one pair of causes in so many, the next seed the next: all pairs for each would take three times as long and
/// say the same.
const TURNS: u64 = 3;

/// The faults that come in pairs: one way, or several, of each cause of which the record of a node on its own can show a
/// part. A reboot ends the record, lost packets may meet no request, and a deadlock shows nothing.
const PAIRED: [&[Fault]; 10] = [
    &[Fault::Stopped],
    &[Fault::Restarted],
    &[
        Fault::Starved,
        Fault::Throttled,
        Fault::ThrottledV1,
        Fault::Stolen,
    ],
    &[Fault::IoStalled],
    &[Fault::MemoryPressure],
    &[Fault::RuntimeHung, Fault::RuntimeSlow],
    &[Fault::ApiBusy, Fault::ApiFails, Fault::ApiSlow],
    &[Fault::Disconnected],
    &[Fault::SteppedBack],
    &[Fault::Paused, Fault::Suspended],
];

/// What a node goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// Nothing.
    Nothing,
    /// One fault.
    Single(Fault),
    /// Two, the second beginning before the first is over, or both at once.
    Pair(Fault, Fault),
    /// One fault on a node whose agent sees neither the host's processes nor its runtime, as it is deployed by default.
    Bare(Fault),
    /// It has long periods as a rule, and this is why.
    Habit(CauseKind),
}

/// A node and what it goes through.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// The node.
    pub(super) spec: NodeSpec,
    /// What it goes through.
    pub(super) case: Case,
    /// When, from the start of the cluster.
    pub(super) at: Duration,
    /// The spells of it, from then on.
    pub(super) parts: Vec<Part>,
}

/// The nodes of the run of a seed: every fault, some pairs of causes, and controls.
pub(super) fn plan(seed: u64) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut cases = vec![Case::Nothing; CONTROLS];
    cases.extend(Fault::ALL.map(Case::Single));
    let bare = Fault::ALL.iter().enumerate();
    let bare = bare.filter(|(index, _)| *index as u64 % BARE_TURNS == seed % BARE_TURNS);
    cases.extend(bare.map(|(_, fault)| Case::Bare(*fault)));
    let pairs = pairs_of_causes();
    let mine = pairs
        .iter()
        .enumerate()
        .filter(|(index, _)| *index as u64 % TURNS == seed % TURNS);
    for (_, ways) in mine {
        let [one, other] =
            ways.map(|ways| *ways.choose(&mut random).expect("no cause is without a way"));
        let in_order = if must_begin(one) || must_end(other) {
            true
        } else if must_begin(other) || must_end(one) {
            false
        } else {
            random.random()
        };
        cases.push(if in_order {
            Case::Pair(one, other)
        } else {
            Case::Pair(other, one)
        });
    }
    cases.push(Case::Habit(CauseKind::RuntimeSlow));
    let planned = cases.into_iter().enumerate();
    planned
        .map(|(index, case)| planned_node(format!("n-{index:03}"), case, &mut random))
        .collect()
}

/// Every pair of causes that can meet on one node: with the ways in which each can come about.
fn pairs_of_causes() -> Vec<[&'static [Fault]; 2]> {
    let mut pairs = Vec::new();
    for (index, one) in PAIRED.iter().enumerate() {
        for other in &PAIRED[index + 1..] {
            // A slow runtime delays statuses, and a status need only have another stamp, not a later one.
            let never = one.contains(&Fault::RuntimeHung) && other.contains(&Fault::SteppedBack);
            if !never {
                pairs.push([*one, *other]);
            }
        }
    }
    pairs
}

/// Whether a fault delays nothing that is under way already: the runtime is asked before the status is sent.
fn must_begin(fault: Fault) -> bool {
    fault.cause() == CauseKind::RuntimeSlow
}

/// Whether a fault lets heartbeats through: it makes only that one later which comes after the other.
fn must_end(fault: Fault) -> bool {
    fault == Fault::ApiSlow
}

fn planned_node(name: String, case: Case, random: &mut StdRng) -> Planned {
    let kind = match case {
        Case::Habit(_) => Kind::SlowRuntime,
        _ => Kind::Healthy,
    };
    let mut spec = NodeSpec::new(name, kind, random.random());
    let parts = match case {
        Case::Nothing => Vec::new(),
        Case::Single(fault) => {
            fault.prepare(&mut spec);
            // Some kubelets post every status beside their Lease. A clock that is stepped back does not delay those.
            if fault.cause() != CauseKind::ClockStep && random.random_bool(POSTS_ALL) {
                spec.status_report_frequency = spec.status_update_frequency;
            }
            fault.alone(random)
        }
        Case::Bare(fault) => {
            fault.prepare(&mut spec);
            spec.agent_sees_host = false;
            fault.alone(random)
        }
        Case::Pair(first, second) => {
            first.prepare(&mut spec);
            second.prepare(&mut spec);
            pair(first, second, random)
        }
        Case::Habit(_) => {
            // As before there were Leases, and still set by some: every status is posted.
            spec.status_report_frequency = spec.status_update_frequency;
            Vec::new()
        }
    };
    Planned {
        spec,
        case,
        at: Duration::from_secs_f64(60.0 * random.random_range(PEACE)),
        parts,
    }
}

/// Two faults of which each makes the same heartbeat later.
fn pair(first: Fault, second: Fault, random: &mut StdRng) -> Vec<Part> {
    if at_once(first, second) && random.random_bool(0.3) {
        let length = random.random_range(25.0..60.0);
        return [first, second]
            .map(|fault| fault.part(random, 0.0, length, length + 1.0))
            .into();
    }
    let length = if second == Fault::ApiSlow {
        // It makes the heartbeat late by some seconds only.
        random.random_range(BRIEF)
    } else {
        random.random_range(HALF)
    };
    // The kubelet must not beat in between.
    let overlap = random.random_range(2.0..6.0);
    let begun = first.part(random, 0.0, length, length + 1.0);
    let after = length - overlap;
    let then = if second == Fault::SteppedBack {
        // Back beyond the last heartbeat before the first fault, by as much as the second is to last.
        let seconds = length + random.random_range(HALF);
        second.part(random, after, seconds, seconds + 1.0)
    } else {
        second.part(random, after, HALF.start + overlap, HALF.end + overlap)
    };
    vec![begun, then]
}

/// Whether both can hold up a process at the same time.
fn at_once(first: Fault, second: Fault) -> bool {
    let waits = |fault: Fault| {
        matches!(
            fault.cause(),
            CauseKind::CpuStarved | CauseKind::IoStalled | CauseKind::MemoryPressure
        )
    };
    waits(first) && waits(second)
}
