//! What a chaos run prints.

use std::fmt::Write as _;

use super::{Args, Outcome, world::World};

/// Differences shown; the rest is counted.
const SHOWN: usize = 20;

/// How the processes fared.
#[derive(Debug)]
pub(super) struct Processes {
    struck: Vec<(&'static str, u64)>,
    refused_starts: u64,
    refused_agents: u64,
    forgot: usize,
    seconds: f64,
}

impl Processes {
    /// Those of a run.
    pub(super) fn of(world: &World) -> Self {
        let life = world.to_api_server.spans.first();
        let start = life.map_or(std::time::Duration::ZERO, |life| life.from);
        Self {
            struck: world
                .struck
                .iter()
                .map(|(kind, times)| (*kind, *times))
                .collect(),
            refused_starts: world.aggregator.refused_starts,
            refused_agents: world.agents.iter().map(|agent| agent.refused_starts).sum(),
            forgot: world.forgot.len(),
            seconds: (world.clock.now() - start).as_secs_f64(),
        }
    }
}

/// A line of progress.
pub(super) fn progress(args: &Args, round: u32, world: &World) -> String {
    let struck: u64 = world.struck.values().sum();
    let posted: usize = world
        .truth
        .stories()
        .flat_map(|(_, stories)| stories)
        .map(|story| story.posts.len())
        .sum();
    format!(
        "round {round} of {}: {struck} faults so far, {posted} heartbeats posted",
        args.rounds
    )
}

/// The ledger and the verdict.
pub(super) fn text(args: &Args, outcome: &Outcome) -> String {
    let Outcome {
        account,
        differences,
        processes,
    } = outcome;
    let mut text = format!(
        "nodegrace-chaos: {} rounds, seed {}, {:.0} minutes of the cluster's time at {} times real time\n\nFaults\n",
        args.rounds,
        args.seed,
        processes.seconds / 60.0,
        args.speed
    );
    let mut line = |number: u64, words: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{number:>8}  {words}");
    };
    for (kind, times) in &processes.struck {
        line(*times, kind);
    }
    line(
        processes.forgot as u64,
        "times the API server forgot its watch cache",
    );
    line(
        processes.refused_starts,
        "starts of the aggregator refused by its full disk, and tried again",
    );
    line(
        processes.refused_agents,
        "starts of agents refused by their full disks, and tried again",
    );
    if args.no_disk_full {
        line(0, "full disks: switched off");
    }
    let _ = writeln!(text, "\nHeartbeats that the controller credits");
    let mut line = |number: u64, words: &str| {
        let _ = writeln!(text, "{number:>8}  {words}");
    };
    line(account.posted, "posted by the kubelets");
    line(
        account.unwatched,
        "  while no watch was open, and overwritten before the next one",
    );
    line(account.unwatched_stored, "    of these stored all the same");
    line(
        account.under_way,
        "  under way to an agent that was killed or cut off the moment after",
    );
    line(account.under_way_stored, "    of these stored all the same");
    let share = account.observable * 100 / account.posted.max(1);
    line(
        account.observable,
        &format!("  surely observable: {share} % of those posted"),
    );
    line(account.stored, "    stored exactly once");
    line(
        account.dropped,
        "    dropped by the bound of a spool, as reported",
    );
    line(account.lost, "    lost");
    let _ = writeln!(text, "\nBesides");
    let mut line = |number: u64, words: &str| {
        let _ = writeln!(text, "{number:>8}  {words}");
    };
    line(
        account.baselines,
        "rows of what a run of an agent found when it began; not counted",
    );
    line(
        account.baselines_dropped,
        "of these surely found and dropped by the bound of a spool, as reported",
    );
    line(
        account.reported_drops,
        "heartbeats reported as dropped, whether observable or not",
    );
    line(account.duplicates, "records sent again and recognised");
    if differences.is_empty() {
        text.push_str("\nThe ledger balances.");
        return text;
    }
    let _ = writeln!(
        text,
        "\nThe ledger does NOT balance: {} differences",
        differences.len()
    );
    for difference in differences.iter().take(SHOWN) {
        let _ = writeln!(text, "  {difference}");
    }
    text
}
