//! The fault matrix: faults inflicted on simulated nodes in virtual time, and the causes that are named held against them.

mod account;
mod case;
mod fault;
mod fleet;
mod run;
mod table;
mod verdict;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Parser;
use nodegrace_clock::Clock;

use self::{case::Case, fault::Fault, fleet::Shared, table::Share, verdict::Verdict};
use crate::pace;

/// Share of single faults that must be named first.
const SINGLES: f64 = 0.95;
/// Share of each fault that must be named first: none may hide behind the others.
const EACH: f64 = 0.90;
/// Share of pairs of which both must be among the first two.
const PAIRS: f64 = 0.90;
/// Share of nodes without a fault that must be told nothing, or UNKNOWN; of habits, and of troubles that nodes share, that must
/// be named.
const OTHERS: f64 = 0.95;
/// Runs that a fault needs for its share to say anything.
const ENOUGH: u64 = 20;

// The comments below are the help text.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// Inflicts faults on simulated nodes and prints which causes are named for them.
///
/// Each seed is a cluster of its own in virtual time, with a real agent on every node and a real aggregator: every fault alone,
/// pairs of causes, nodes that nothing befalls, and a fleet with trouble in common. Exits with 1 when less is named rightly than
/// should be.
#[derive(Clone, Debug, Parser)]
#[command(name = "fault-matrix", version)]
pub struct Args {
    /// Seeds to run.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: u64,

    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,

    /// Seeds run at the same time. Default: one for each processor.
    #[arg(long)]
    pub jobs: Option<usize>,

    /// Tell the story of every node, not only of the misses.
    #[arg(long)]
    pub verbose: bool,

    /// What to log to standard error, as a tracing filter.
    #[arg(long, default_value = "off")]
    pub log: String,
}

/// What one seed gave.
#[derive(Debug, Default)]
struct Results {
    verdicts: Vec<Verdict>,
    /// For each trouble in common: its seed, whether it was said, and what was.
    shared: Vec<(Shared, u64, bool, String)>,
}

/// Runs everything and prints it. True when everything that should be named was.
///
/// # Errors
/// When a run fails: then it says nothing.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let started = Clock::real().now();
    let results = run_seeds(args)?;
    print(&results, args.verbose);
    println!(
        "{} seeds in {:.0} s",
        args.seeds,
        (Clock::real().now() - started).as_secs_f64()
    );
    Ok(judge(&results, args.seeds >= ENOUGH))
}

fn run_seeds(args: &Args) -> anyhow::Result<Results> {
    let jobs = args
        .jobs
        .or_else(|| thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1);
    let next = AtomicU64::new(args.first_seed);
    let results = Mutex::new(Results::default());
    let work = || -> anyhow::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= args.first_seed + args.seeds {
                return Ok(());
            }
            let started = Clock::real().now();
            let of_seed = run_seed(seed)?;
            let took = Clock::real().now().saturating_sub(started);
            progress(seed, took, &of_seed);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.verdicts.extend(of_seed.verdicts);
            results.shared.extend(of_seed.shared);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let mut ended = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a run panicked")))
        });
        ended.try_for_each(|ended| ended)
    })?;
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.verdicts.sort_by_key(|verdict| verdict.seed);
    results.shared.sort_by_key(|(_, seed, ..)| *seed);
    Ok(results)
}

fn run_seed(seed: u64) -> anyhow::Result<Results> {
    let virtual_time = |planned, outage| pace::runtime()?.block_on(run::run(planned, outage, seed));
    let (observed, _) = virtual_time(case::plan(seed), None)?;
    let mut results = Results {
        verdicts: observed
            .iter()
            .map(|observed| Verdict::of(observed, seed))
            .collect(),
        shared: Vec::new(),
    };
    // One after the other, seed by seed.
    let shared = Shared::ALL[seed as usize % Shared::ALL.len()];
    let (_, fleet) = virtual_time(shared.plan(seed), shared.outage(seed))?;
    let said = shared.is_said(&fleet);
    results
        .shared
        .push((shared, seed, said, fleet::said(&fleet)));
    Ok(results)
}

fn progress(seed: u64, took: Duration, results: &Results) {
    let share = Share::among(&results.verdicts);
    eprintln!("seed {seed}: {share}, {:.0} s", took.as_secs_f64());
}

fn print(results: &Results, verbose: bool) {
    let verdicts = &results.verdicts;
    println!("{}", table::confusion(verdicts, Case::Single));
    println!("{}", table::confusion(verdicts, Case::Bare));
    println!("{}", table::pairs(verdicts));
    for shared in Shared::ALL {
        println!("{}: {}", shared.label(), share_of(results, shared));
    }
    let told = |verdict: &&Verdict| verbose || (verdict.counts() && !verdict.right);
    for verdict in verdicts.iter().filter(told) {
        let word = if verdict.right { "right" } else { "miss" };
        println!("{word}: {}", verdict.account);
    }
    for (shared, seed, said, what) in &results.shared {
        if verbose || !said {
            let word = if *said { "right" } else { "miss" };
            println!("{word}: seed {seed}, {}:{what}", shared.label());
        }
    }
}

fn share_of(results: &Results, shared: Shared) -> Share {
    let of_it = results.shared.iter().filter(|(one, ..)| *one == shared);
    of_it.fold(Share::default(), |share, (_, _, said, _)| Share {
        right: share.right + u64::from(*said),
        of: share.of + 1,
    })
}

/// Prints what should be and is not. `counted`: there are enough seeds for every fault on its own as well.
fn judge(results: &Results, counted: bool) -> bool {
    let of = |wanted: &dyn Fn(Case) -> bool| {
        let verdicts = results.verdicts.iter();
        Share::among(verdicts.filter(|verdict| wanted(verdict.case)))
    };
    let mut demands = vec![
        (
            "single faults named first".to_owned(),
            of(&|case| matches!(case, Case::Single(_))),
            SINGLES,
        ),
        (
            "pairs with both among the first two".to_owned(),
            of(&|case| matches!(case, Case::Pair(..))),
            PAIRS,
        ),
        (
            "nodes without a fault told nothing".to_owned(),
            of(&|case| case == Case::Nothing),
            OTHERS,
        ),
        (
            "faults observed from a pod named or unknown".to_owned(),
            of(&|case| matches!(case, Case::Bare(_))),
            OTHERS,
        ),
        (
            "habits named".to_owned(),
            of(&|case| matches!(case, Case::Habit(_))),
            OTHERS,
        ),
    ];
    if counted {
        demands.extend(Fault::ALL.map(|fault| {
            let share = of(&|case| case == Case::Single(fault));
            (format!("{} named first", fault.label()), share, EACH)
        }));
        demands.extend(Shared::ALL.map(|shared| {
            let what = format!("said that {}", shared.label());
            (what, share_of(results, shared), OTHERS)
        }));
    }
    let mut good = true;
    for (what, share, least) in demands {
        let reached = share.reaches(least);
        let word = if reached { "ok" } else { "TOO FEW" };
        println!("{what}: {share}, {:.0} % asked for: {word}", 100.0 * least);
        good &= reached;
    }
    for fault in Fault::ALL {
        let share = of(&|case| case == Case::Single(fault));
        if counted && share.of < ENOUGH {
            println!("{}: late only {} times", fault.label(), share.of);
            good = false;
        }
    }
    good
}
