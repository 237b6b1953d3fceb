//! What if: the flips that another grace period would have led to.
//!
//! Up to the longest gap seen this is a replay: every gap kept exactly is judged as the controller with those settings would
//! have judged it. Gaps below what is kept exactly come from the sketch, and their share is said. Where hardly any gap was as long
//! as the candidate accepts, or none, the replay counts few or none, which is no proof that none will come: there the tail of
//! the fleet's long gaps is fitted and extrapolated (`stats::pareto`), and what goes beyond the longest gap seen is marked.

use std::{sync::Arc, time::Duration};

use crate::{
    controller::{ControllerSettings, GapStart, Judge, SettingsError},
    expected::{DAY, ExpectedFlips, Risk},
    fleet::Fleet,
    gap_history::GapHistory,
    node::NodeHistory,
    panel::Panel,
    stats::{Interval, Tail},
    time::SignedDuration,
};

/// Risky gaps from which the replay alone is taken for the rate; with fewer, its interval spans a factor of four.
const GAPS_TO_TRUST_REPLAY: u64 = 10;

/// Work between two pauses, in nodes passed over, and what one at risk counts for: some hundred microseconds.
const SLICE: usize = 1024;
const AT_RISK: usize = 64;

/// A grace period that might be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// node-monitor-grace-period.
    pub grace_period: Duration,
    /// node-monitor-period.
    pub monitor_period: Duration,
}

/// What a candidate would have led to.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The candidate.
    pub candidate: Candidate,
    /// Flips of the fleet, replayed. Absent: no gap was measured.
    pub flips: Option<ExpectedFlips>,
    /// Share of the replayed flips that comes from gaps known within the sketch's error only.
    pub sketched_ratio: f64,
    /// Flips to expect by the fitted tail of the fleet's long gaps. Absent: too few were seen to fit one, the longest are of
    /// another kind than the others, or the candidate judges gaps so short that more than enough were seen.
    pub extrapolated: Option<Extrapolation>,
    /// Nodes with at least one gap at risk, the worst first.
    pub affected: Arc<[AffectedNode]>,
    /// Time that nodes of the fleet would stand as not ready for lost heartbeats though they are alive, per day. Absent like
    /// `flips`.
    pub not_ready_per_day: Option<Duration>,
    /// How much less that is than with the controller's present settings; negative: more. Absent like `flips`.
    pub saved_per_day: Option<SignedDuration>,
    /// Pods that would be marked not ready, per day, counting those that run on affected nodes now. Absent: no gap was measured,
    /// or how many run is not known of some affected node.
    pub lost_pods_per_day: Option<f64>,
    /// Mean time from the last heartbeat of a node that really died until the controller marks it. Counted from the death
    /// it is shorter by half a heartbeat period on average.
    pub mean_detection: Duration,
    /// The longest it can take.
    pub latest_detection: Duration,
}

/// A rate by the fitted tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extrapolation {
    /// Flips of the fleet per day.
    pub per_day: f64,
    /// Its 95 % interval.
    pub per_day_interval: Interval,
    /// The longest gap seen.
    pub longest_seen: Duration,
    /// True when the candidate judges longer gaps than that, where the shape of the tail is an assumption; false when the
    /// tail only smooths what was seen.
    pub beyond_seen: bool,
}

/// A node that a candidate would have endangered.
#[derive(Clone, Debug, PartialEq)]
pub struct AffectedNode {
    /// Its name.
    pub name: Arc<str>,
    risk: Risk,
    flips_per_day: f64,
}

impl AffectedNode {
    /// A node at risk. Absent: it is at none.
    fn of(node: &NodeHistory, risk: Risk) -> Option<Self> {
        let days = risk.observed().as_secs_f64() / DAY;
        (risk.expected() > 0.0).then(|| Self {
            name: node.name().clone(),
            flips_per_day: risk.expected() / days,
            risk,
        })
    }

    /// Its flips. Worked out when asked for: hardly anybody looks at more than the worst of ten thousand nodes.
    pub fn flips(&self) -> Option<ExpectedFlips> {
        self.risk.per_node()
    }
}

/// Where the rate of a candidate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Gaps that were seen, replayed.
    Replayed,
    /// The fitted tail of the gaps that were seen; see [`Extrapolation::beyond_seen`].
    Extrapolated,
    /// Hardly any gap was at risk, and there is no tail to extrapolate: only the interval says something.
    HardlySeen,
}

/// The best figure for the flips of the fleet per day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Flips of the fleet per day.
    pub per_day: f64,
    /// Its 95 % interval.
    pub interval: Interval,
    /// Where it comes from.
    pub basis: Basis,
}

impl WhatIf {
    /// True when so many gaps were at risk that the replay alone is taken for the rate.
    pub(crate) fn trusts_replay(&self) -> bool {
        self.flips
            .is_some_and(|flips| flips.risky_gaps >= GAPS_TO_TRUST_REPLAY)
    }

    /// The best figure: the replay where enough was seen, the fitted tail beyond, but never less than was replayed. Absent: no
    /// gap was measured.
    pub fn estimate(&self) -> Option<Estimate> {
        let flips = self.flips?;
        let replayed = |basis| Estimate {
            per_day: flips.per_day,
            interval: flips.per_day_interval,
            basis,
        };
        Some(match self.extrapolated {
            _ if self.trusts_replay() => replayed(Basis::Replayed),
            Some(extrapolated) => Estimate {
                per_day: extrapolated.per_day.max(flips.per_day),
                interval: Interval {
                    lower: extrapolated.per_day_interval.lower,
                    upper: extrapolated.per_day_interval.upper.max(flips.per_day),
                },
                basis: Basis::Extrapolated,
            },
            None => replayed(Basis::HardlySeen),
        })
    }
}

/// Replays the fleet's gaps under every candidate. `running_pods` tells how many pods run on a node now, where known.
///
/// # Errors
/// When a candidate is no controller's setting.
pub fn simulate(
    fleet: &Fleet,
    candidates: &[Candidate],
    running_pods: impl Fn(&str) -> Option<u32>,
) -> Result<Vec<WhatIf>, SettingsError> {
    simulate_in_slices(fleet, candidates, running_pods, &|| ())
}

/// The same, with a `pause` after every little piece of work: for whoever has but one processor, and others to serve with it.
///
/// # Errors
/// When a candidate is no controller's setting.
pub fn simulate_in_slices(
    fleet: &Fleet,
    candidates: &[Candidate],
    running_pods: impl Fn(&str) -> Option<u32>,
    pause: &dyn Fn(),
) -> Result<Vec<WhatIf>, SettingsError> {
    let replay = Replay::new(fleet);
    for candidate in candidates {
        replay.settings(*candidate).validate()?;
    }
    Ok(replay.run(candidates, &running_pods, pause))
}

/// What all candidates of a question share.
pub(crate) struct Replay<'a> {
    fleet: &'a Fleet,
    nodes: u64,
    observed: Duration,
    longest: Duration,
    tail: Option<Tail>,
    /// Time in which nodes stand as not ready per day, with the present settings.
    present: Duration,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(fleet: &'a Fleet) -> Self {
        let gaps = || fleet.histories().map(NodeHistory::gaps);
        // The tail is one for the fleet, and complete only above what every node has kept: one node with more long gaps than are
        // kept raises the threshold for all.
        let complete_above = gaps()
            .map(GapHistory::exact_above)
            .max()
            .unwrap_or_default();
        let long = gaps()
            .flat_map(GapHistory::exact)
            .map(|gap| gap.duration.as_secs_f64())
            .collect();
        let mut replay = Self {
            fleet,
            nodes: fleet.measured_nodes(),
            observed: gaps().map(GapHistory::measured).sum(),
            longest: gaps()
                .filter_map(|gaps| gaps.sketch().max())
                .max()
                .unwrap_or_default(),
            tail: Tail::fit(long, complete_above.as_secs_f64()),
            present: Duration::ZERO,
        };
        let present = fleet.risk(&Judge::new(fleet.config().controller)).outage();
        replay.present = present.mul_f64(replay.per_day());
        replay
    }

    /// Nodes of which gaps were measured.
    pub(crate) const fn nodes(&self) -> u64 {
        self.nodes
    }

    /// Time observed over all nodes.
    pub(crate) const fn observed(&self) -> Duration {
        self.observed
    }

    /// The controller's settings with the candidate's periods.
    const fn settings(&self, candidate: Candidate) -> ControllerSettings {
        self.fleet
            .config()
            .controller
            .with_periods(candidate.grace_period, candidate.monitor_period)
    }

    /// What one node's day stands for in a day of the fleet.
    fn per_day(&self) -> f64 {
        if self.observed.is_zero() {
            0.0
        } else {
            self.nodes as f64 * DAY / self.observed.as_secs_f64()
        }
    }

    /// What each of the candidates, which are a controller's settings, would have led to.
    pub(crate) fn run(
        &self,
        candidates: &[Candidate],
        running_pods: &impl Fn(&str) -> Option<u32>,
        pause: &dyn Fn(),
    ) -> Vec<WhatIf> {
        let settings = candidates.iter().map(|candidate| self.settings(*candidate));
        let panel = Panel::new(&settings.collect::<Vec<_>>());
        let mut tallies = vec![Tally::new(self.observed); panel.judges().len()];
        let mut work = 0;
        for node in self.fleet.histories() {
            if work >= SLICE {
                pause();
                work = 0;
            }
            work += 1;
            let Some(risks) = panel.risks(node.gaps()) else {
                continue;
            };
            work += AT_RISK;
            let pods = running_pods(node.name()).map(f64::from);
            for (tally, own) in tallies.iter_mut().zip(risks) {
                tally.take(node, own, pods);
            }
        }
        let judged = panel.judges().iter().zip(tallies);
        let outcomes: Vec<WhatIf> = judged
            .map(|(judge, tally)| {
                pause();
                self.outcome(judge.settings(), tally)
            })
            .collect();
        let of = |(number, candidate): (usize, &Candidate)| WhatIf {
            candidate: *candidate,
            ..outcomes[panel.stands_for(number)].clone()
        };
        candidates.iter().enumerate().map(of).collect()
    }

    fn outcome(&self, controller: &ControllerSettings, tally: Tally) -> WhatIf {
        let Tally {
            risk,
            affected,
            lost_pods,
        } = tally;
        let flips = risk.per_fleet(self.nodes);
        let not_ready_per_day = flips.map(|_| risk.outage().mul_f64(self.per_day()));
        WhatIf {
            candidate: Candidate {
                grace_period: controller.grace_period,
                monitor_period: controller.monitor_period,
            },
            flips,
            sketched_ratio: risk.sketched_ratio(),
            extrapolated: self.extrapolate(controller),
            affected: worst_first(&affected),
            not_ready_per_day,
            saved_per_day: not_ready_per_day
                .map(|not_ready| SignedDuration::difference(self.present, not_ready)),
            lost_pods_per_day: flips.and(lost_pods).map(|pods| pods * self.per_day()),
            mean_detection: controller.mean_detection(),
            latest_detection: controller.latest_flip(GapStart::Once),
        }
    }

    fn extrapolate(&self, controller: &ControllerSettings) -> Option<Extrapolation> {
        let tail = self.tail.as_ref()?;
        let from = controller.earliest_flip(GapStart::Once);
        let to = controller.latest_flip(GapStart::Once);
        if from.as_secs_f64() < tail.threshold() {
            return None;
        }
        let probability =
            |length| controller.flip_probability(Duration::from_secs_f64(length), GapStart::Once);
        let (expected, interval) = tail.expected(from.as_secs_f64(), to.as_secs_f64(), probability);
        Some(Extrapolation {
            per_day: expected * self.per_day(),
            per_day_interval: interval.times(self.per_day()),
            longest_seen: self.longest,
            beyond_seen: to > self.longest,
        })
    }
}

/// What the nodes would have come to under one controller.
#[derive(Clone)]
struct Tally {
    risk: Risk,
    affected: Vec<AffectedNode>,
    /// Absent: how many run is not known of some affected node.
    lost_pods: Option<f64>,
}

impl Tally {
    /// No node at risk in so much time, which is that of all nodes.
    fn new(observed: Duration) -> Self {
        Self {
            risk: Risk::observed_for(observed),
            affected: Vec::new(),
            lost_pods: Some(0.0),
        }
    }

    /// Takes a node that runs this risk, and how many pods run on it. Absent: not known.
    fn take(&mut self, node: &NodeHistory, own: Risk, pods: Option<f64>) {
        if let Some(node) = AffectedNode::of(node, own) {
            self.risk = self.risk.plus(own.in_time_counted());
            let lost = self.lost_pods.zip(pods);
            self.lost_pods = lost.map(|(lost, pods)| lost + pods * own.expected());
            self.affected.push(node);
        }
    }
}

/// The nodes that would flip most often first; equals as they were.
fn worst_first(nodes: &[AffectedNode]) -> Arc<[AffectedNode]> {
    // Nodes are large beside what they are compared by.
    let mut order: Vec<(f64, u32)> = nodes
        .iter()
        .map(|node| node.flips_per_day)
        .zip(0..)
        .collect();
    order.sort_unstable_by(|(one, first), (other, second)| {
        other.total_cmp(one).then_with(|| first.cmp(second))
    });
    let order = order.into_iter();
    order
        .map(|(_, number)| nodes[number as usize].clone())
        .collect()
}
