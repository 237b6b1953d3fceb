//! What the core costs, and how that grows: `cargo bench -p nodegrace-core`.
//!
//! Times are the best of several runs, on whatever machine this is; what counts is the last column, the growth of the time
//! beside the growth of the input. Nothing here fails on a time.

mod fleets;
mod table;

use std::{hint::black_box, time::Duration};

use fleets::{busy_fleet, candidates, fine_reports, mixed_fleet, reports};
use nodegrace_core::{
    Fleet, NodeHistory,
    recommend::{Goal, LiveSettings, recommend},
    what_if::simulate,
};
use table::Table;

/// Grace periods asked about at once.
const CANDIDATES: u32 = 50;
/// The largest fleet.
const NODES: u32 = 10_000;

fn main() {
    // `cargo test --benches` runs this too, and only wants to see that it runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let nodes = if quick { NODES / 100 } else { NODES };
    what_if_by_nodes(nodes);
    what_if_by_gaps(nodes);
    what_if_by_candidates(nodes);
    writing(nodes);
    looking_closer(nodes);
    reading(nodes);
}

fn ask(fleet: &Fleet, count: u32) {
    let answers = simulate(fleet, &candidates(count), |_| Some(30));
    black_box(answers.expect("the candidates are settings"));
}

fn what_if_by_nodes(most: u32) {
    let mut table = Table::new(
        "what-if over 50 candidates, one node in twenty bad",
        "nodes",
    );
    for nodes in [most / 8, most / 4, most / 2, most] {
        let fleet = mixed_fleet(nodes);
        table.row(nodes, || ask(&fleet, CANDIDATES));
    }
}

fn what_if_by_gaps(nodes: u32) {
    let title = format!("what-if over 50 candidates, {nodes} nodes all bad");
    let mut table = Table::new(&title, "long gaps a node");
    for gaps in [12, 25, 50, 100] {
        let fleet = busy_fleet(nodes, gaps);
        table.row(gaps, || ask(&fleet, CANDIDATES));
    }
}

fn what_if_by_candidates(nodes: u32) {
    let title = format!("what-if over {nodes} nodes, one in twenty bad");
    let mut table = Table::new(&title, "candidates");
    let fleet = mixed_fleet(nodes);
    for count in [10, 50, 250] {
        table.row(count, || ask(&fleet, count));
    }
}

/// Ten seconds of a fleet: every node sends one batch of a heartbeat and a sample.
fn writing(most: u32) {
    let mut table = Table::new("applying a batch of every node", "nodes");
    for nodes in [most / 4, most / 2, most] {
        let mut fleet = mixed_fleet(nodes);
        let mut round = 0;
        table.row(nodes, || {
            round += 1;
            for report in reports(nodes, round) {
                fleet.apply(report, Duration::from_secs(100_000 + 10 * u64::from(round)));
            }
        });
    }
}

/// A second of a fleet whose heartbeats are all late: every node sends one fine sample.
fn looking_closer(most: u32) {
    let mut table = Table::new("applying a fine sample of every node, all late", "nodes");
    for nodes in [most / 4, most / 2, most] {
        let mut fleet = mixed_fleet(nodes);
        let mut round = 0;
        table.row(nodes, || {
            round += 1;
            for report in fine_reports(nodes, round) {
                fleet.apply(report, Duration::from_secs(100_000 + u64::from(round)));
            }
        });
    }
}

fn reading(nodes: u32) {
    let fleet = mixed_fleet(nodes);
    let now = Duration::from_secs(100_000);
    let mut table = Table::new(&format!("reading a fleet of {nodes} nodes"), "");
    table.named("figures of every node", || {
        black_box(fleet.nodes(now).collect::<Vec<_>>());
    });
    table.named("figures of the fleet", || {
        black_box(fleet.figures(now));
    });
    table.named("recommendation", || {
        let answer = recommend(&fleet, Goal::default(), &LiveSettings::default());
        black_box(answer.expect("a controller's settings"));
    });
    let bytes = fleet.histories().map(NodeHistory::bytes).sum::<usize>();
    println!(
        "{:>28}  {:>10}",
        "memory of a node",
        format!("{} B", bytes / nodes as usize)
    );
}
