//! What goes wrong when: a pure function of the seed.

use std::{collections::BTreeMap, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

/// Real time of one round: at the run's speed some heartbeats of each node.
pub(super) const ROUND: Duration = Duration::from_millis(1500);
/// Most faults that begin in one round.
const MOST_AT_ONCE: usize = 3;
/// Every so many rounds the aggregator stays away for [`LONG_OUTAGE`], so that the smallest spools overflow.
pub(super) const LONG_OUTAGE_EVERY: u32 = 25;
pub(super) const LONG_OUTAGE: Duration = Duration::from_secs(20);
/// How long any other fault lasts: from less than a heartbeat to several rounds.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_millis(2500);

/// How many of [`Fault::kinds`] need no disk that runs full.
const WITHOUT_DISKS: usize = 11;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fault {
    /// SIGKILL for an agent, and its start.
    KillAgent(usize),
    /// SIGKILL for the aggregator, and its start.
    KillAggregator,
    /// SIGKILL for what serves the API, which forgets its watch cache, and its start.
    KillApiServer,
    /// Every connection to the API server breaks, and none can be opened for a while.
    CutApiServer,
    /// Every connection to the API server falls silent for a while, then breaks.
    SilenceApiServer,
    /// Every connection to the aggregator breaks, and none can be opened for a while.
    CutAggregator,
    /// Every connection to the aggregator falls silent for a while, then breaks.
    SilenceAggregator,
    /// An agent's disk is full for a while.
    FillAgent(usize),
    /// The aggregator's disk is full for a while.
    FillAggregator,
}

/// What a fault strikes: one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Agent(usize),
    Aggregator,
    ApiServer,
    WayToAggregator,
    AgentDisk(usize),
    AggregatorDisk,
}

/// The beginning or the end of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Real time since the start of the run.
    pub(super) at: Duration,
    /// The round in which the fault began, from 1.
    pub(super) round: u32,
    /// The fault.
    pub(super) fault: Fault,
    /// True when it begins, false when it ends.
    pub(super) begins: bool,
}

impl Fault {
    /// Every kind of fault in words, of a run whose disks run full.
    pub(super) fn labels(disks: bool) -> impl Iterator<Item = &'static str> {
        let kinds = Self::kinds(0);
        let kinds = kinds
            .into_iter()
            .take(if disks { kinds.len() } else { WITHOUT_DISKS });
        kinds.map(Self::label)
    }

    /// Its kind in words.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::KillAgent(_) => "agent killed",
            Self::KillAggregator => "aggregator killed",
            Self::KillApiServer => "API server killed",
            Self::CutApiServer => "API server cut off",
            Self::SilenceApiServer => "API server silent",
            Self::CutAggregator => "aggregator cut off",
            Self::SilenceAggregator => "aggregator silent",
            Self::FillAgent(_) => "agent's disk full",
            Self::FillAggregator => "aggregator's disk full",
        }
    }

    const fn part(self) -> Part {
        match self {
            Self::KillAgent(agent) => Part::Agent(agent),
            Self::KillAggregator => Part::Aggregator,
            Self::KillApiServer | Self::CutApiServer | Self::SilenceApiServer => Part::ApiServer,
            Self::CutAggregator | Self::SilenceAggregator => Part::WayToAggregator,
            Self::FillAgent(agent) => Part::AgentDisk(agent),
            Self::FillAggregator => Part::AggregatorDisk,
        }
    }

    /// One of them by chance.
    fn draw(random: &mut StdRng, agents: usize, disks: bool) -> Self {
        let agent = random.random_range(0..agents);
        let kinds = Self::kinds(agent);
        let kinds = if disks {
            &kinds[..]
        } else {
            &kinds[..WITHOUT_DISKS]
        };
        *kinds.choose(random).unwrap_or(&Self::KillAggregator)
    }

    /// Every kind, as often as it is likely; those of disks last.
    const fn kinds(agent: usize) -> [Self; 14] {
        [
            Self::KillAgent(agent),
            Self::KillAgent(agent),
            Self::KillAgent(agent),
            Self::KillAggregator,
            Self::KillAggregator,
            Self::KillApiServer,
            Self::KillApiServer,
            Self::CutApiServer,
            Self::SilenceApiServer,
            Self::CutAggregator,
            Self::SilenceAggregator,
            Self::FillAgent(agent),
            Self::FillAgent(agent),
            Self::FillAggregator,
        ]
    }
}

/// Whether the aggregator begins to stay away for [`LONG_OUTAGE`] in this round.
const fn has_long_outage(round: u32) -> bool {
    round.is_multiple_of(LONG_OUTAGE_EVERY)
}

/// The steps of a run, in order; every fault ends. Every round has at least one.
pub(super) fn plan(seed: u64, rounds: u32, agents: usize, disks: bool) -> Vec<Step> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut busy_until = BTreeMap::<Part, Duration>::new();
    let mut steps = Vec::new();
    for round in 1..=rounds {
        let start = ROUND * (round - 1);
        let mut missing = random.random_range(1..=MOST_AT_ONCE);
        let mut long = has_long_outage(round);
        while missing > 0 {
            let at = start + random.random_range(Duration::ZERO..ROUND);
            let (fault, lasts) = if long {
                (Fault::KillAggregator, LONG_OUTAGE)
            } else {
                let lasts = random.random_range(SHORTEST..LONGEST);
                (Fault::draw(&mut random, agents, disks), lasts)
            };
            let busy = busy_until.entry(fault.part()).or_default();
            // What is struck for the rest of the round is left alone; the long outage waits until it can begin.
            if *busy > start + ROUND && !long {
                continue;
            }
            long = false;
            let at = at.max(*busy);
            // A moment between two faults of a part, in which it works again.
            *busy = at + lasts + SHORTEST;
            for (at, begins) in [(at, true), (at + lasts, false)] {
                steps.push(Step {
                    at,
                    round,
                    fault,
                    begins,
                });
            }
            missing -= 1;
        }
    }
    steps.sort_by_key(|step| (step.at, step.begins));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_run_and_another_seed_another() {
        assert_eq!(plan(1, 50, 8, true), plan(1, 50, 8, true));
        assert_ne!(plan(1, 50, 8, true), plan(2, 50, 8, true));
    }

    #[test]
    fn every_round_has_a_fault_every_fault_ends_and_no_part_is_struck_twice_at_once() {
        let steps = plan(3, 200, 8, true);
        for round in 1..=200 {
            assert!(steps.iter().any(|step| step.round == round && step.begins));
        }
        let mut struck = BTreeMap::new();
        for step in &steps {
            let before = struck.insert(step.fault.part(), step.begins);
            assert_eq!(before.unwrap_or(false), !step.begins, "{step:?}");
        }
        assert!(struck.values().all(|struck| !struck));
        let kinds: std::collections::BTreeSet<_> =
            steps.iter().map(|step| step.fault.label()).collect();
        assert_eq!(kinds.len(), 9);
    }

    #[test]
    fn every_long_outage_takes_place() {
        for seed in 1..=20 {
            let steps = plan(seed, 100, 8, true);
            for round in [25, 50, 75, 100] {
                let ends = steps.iter().filter(|step| {
                    step.round == round && step.fault == Fault::KillAggregator && !step.begins
                });
                let latest = ends.map(|step| step.at).max().unwrap_or_default();
                assert!(latest >= ROUND * (round - 1) + LONG_OUTAGE, "seed {seed}");
            }
        }
    }

    #[test]
    fn without_disks_none_runs_full() {
        let steps = plan(1, 200, 8, false);
        assert!(
            !steps
                .iter()
                .any(|step| matches!(step.fault, Fault::FillAgent(_) | Fault::FillAggregator))
        );
    }
}
