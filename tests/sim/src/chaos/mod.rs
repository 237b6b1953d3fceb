//! Chaos: real processes killed and starved at random, and a ledger that must balance at the end.
//!
//! What is real: agents, aggregator and relays are processes that get SIGKILL and SIGSTOP; sockets are TCP; an agent's and
//! the aggregator's directories are file systems of their own that return ENOSPC when a filler has taken the rest. What is
//! not: the objects and the kubelets live in the driver, as etcd and other machines would go on when an API server dies. Its
//! death is that of a process which carries every connection to it, together with the loss of its watch cache, so that agents
//! must list again; a mere cut kills the same process and leaves the cache, so that they can resume. A crash of a machine is
//! no part of it: what was written but not synced is then lost, which the tests of spool and store cover write by write.

mod account;
mod args;
mod balance;
mod difference;
mod disk;
mod enough;
mod fleet;
mod kept;
mod outage;
mod part;
mod plan;
mod process;
mod report;
mod role;
mod truth;
mod way;
mod witness;
mod world;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nodegrace_clock::Clock;
use tempfile::TempDir;

use self::{
    account::Account,
    balance::{Circumstances, balance},
    difference::Difference,
    plan::{ROUND, Step, plan},
    witness::{SETTLE, Witness},
    world::World,
};
pub use self::{
    args::Args,
    disk::isolate,
    process::{Process, Program},
    role::{AggregatorRole, Role, play, play_on},
};

/// How often processes are looked after, in real time.
const LOOK: Duration = Duration::from_millis(100);
/// Time before the first fault, so that every agent has begun, in real time.
const WARM_UP: Duration = Duration::from_secs(3);
/// Time after the last fault, so that everybody has found everybody again, in real time.
const RECOVERY: Duration = Duration::from_secs(10);
/// Longest wait for the rows of what was counted last, in real time.
const LAST_ROWS: Duration = Duration::from_secs(20);
/// Rounds between two lines of progress.
const PROGRESS: u32 = 10;

/// What a run found.
#[derive(Debug)]
struct Outcome {
    account: Account,
    differences: Vec<Difference>,
    processes: report::Processes,
}

/// Runs the rounds and prints the ledger; true when it balances.
///
/// # Errors
/// When the machine refuses something, or a part ended by itself.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let place = Place::new(args.work_dir.clone())?;
    let outcome = rounds(args, place.path()).await;
    let outcome = outcome.inspect_err(|_| place.keep())?;
    println!("{}", report::text(args, &outcome));
    let balanced = outcome.differences.is_empty();
    if !balanced {
        place.keep();
    }
    Ok(balanced)
}

async fn rounds(args: &Args, root: &Path) -> anyhow::Result<Outcome> {
    let mut world = World::start(args, root).await?;
    let real = Clock::real();
    pass(&mut world, WARM_UP).await?;
    let start = real.now();
    let mut told = 0;
    let steps = plan(
        args.seed,
        args.rounds,
        world.members.len(),
        !args.no_disk_full,
    );
    for step in &steps {
        let left = (start + step.at).saturating_sub(real.now());
        pass(&mut world, left).await?;
        if step.begins {
            world.strike(step.fault).await?;
        } else {
            world.mend(step.fault).await?;
        }
        if step.round >= told + PROGRESS {
            told = step.round - step.round % PROGRESS;
            eprintln!("{}", report::progress(args, told, &world));
        }
    }
    pass(
        &mut world,
        (start + ROUND * args.rounds).saturating_sub(real.now()),
    )
    .await?;
    world.heal()?;
    pass(&mut world, RECOVERY).await?;
    eprintln!("everything runs again; stopping the agents, killing the aggregator a last time");
    world.stop_agents().await?;
    world.aggregator.kill(&world.clock).await?;
    world.aggregator.run(&world.clock)?;
    let outcome = settle(&mut world, args, &steps).await;
    world.stop().await;
    outcome
}

/// Lets real time pass while processes are looked after.
async fn pass(world: &mut World, time: Duration) -> anyhow::Result<()> {
    let real = Clock::real();
    let end = real.now() + time;
    loop {
        world.look_after()?;
        let left = end.saturating_sub(real.now());
        if left.is_zero() {
            return Ok(());
        }
        real.sleep(left.min(LOOK)).await;
    }
}

/// Reads what is kept and holds it against what was posted.
async fn settle(world: &mut World, args: &Args, steps: &[Step]) -> anyhow::Result<Outcome> {
    let real = Clock::real();
    let deadline = real.now() + LAST_ROWS;
    let data_dir = world.aggregator.disk().path().to_path_buf();
    // Rows are written with the transaction after the one that counted them.
    let (kept, history) = loop {
        pass(world, LOOK).await?;
        let late = real.now() > deadline;
        match kept::read(&data_dir, world.aggregator_address()).await {
            Ok(found) if late || world.agrees(&found.0) => break found,
            Err(error) if late => return Err(error).context("reading what is kept"),
            _ => {}
        }
    };
    ensure!(
        history.rejected_records == 0 && history.late_records == 0,
        "the aggregator refused {} records and took {} too late",
        history.rejected_records,
        history.late_records
    );
    let settled = SETTLE.mul_f64(args.speed);
    let aggregator = &world.aggregator;
    let outages = outage::outages(
        &[&aggregator.lives, &world.to_aggregator.spans],
        &aggregator.full,
        settled,
        world.clock.now(),
    );
    let (mut account, mut differences) = (Account::default(), Vec::new());
    for (node, stories) in world.truth.stories() {
        let found = world
            .members
            .iter()
            .position(|member| member.spec.name == node);
        let index = found.context("a node without an agent")?;
        let (agent, member) = (&world.agents[index], &world.members[index]);
        let witness = |index: usize| Witness {
            settle: settled,
            lives: &agent.lives,
            ways: &world.to_api_server.spans,
            forgot: &world.forgot,
            opened: &stories[index].opened,
        };
        let none = kept::Kept::default();
        let (of_node, wrong) = balance(
            node,
            stories,
            &[witness(0), witness(1)],
            kept.get(node).unwrap_or(&none),
            Circumstances {
                lives: &agent.lives,
                outages: if member.is_tight() { &outages } else { &[] },
            },
        );
        account = account.plus(of_node);
        differences.extend(wrong);
        differences.extend(enough::shows_too_little(node, &of_node));
    }
    differences.extend(enough::says_too_little(
        args,
        steps,
        &world.struck,
        &account,
    ));
    let processes = report::Processes::of(world);
    Ok(Outcome {
        account,
        differences,
        processes,
    })
}

/// Where a run keeps its data and its logs.
struct Place {
    path: PathBuf,
    temporary: std::cell::Cell<Option<TempDir>>,
}

impl Place {
    fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            std::fs::create_dir_all(&path)?;
            return Ok(Self {
                path: std::path::absolute(path)?,
                temporary: None.into(),
            });
        }
        let directory = TempDir::with_prefix("nodegrace-chaos-")?;
        Ok(Self {
            path: directory.path().to_path_buf(),
            temporary: Some(directory).into(),
        })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves everything where it is, for whoever has to find out what went wrong.
    fn keep(&self) {
        if let Some(directory) = self.temporary.take() {
            let path = directory.keep();
            eprintln!("logs are kept in {}", path.join("logs").display());
        }
    }
}
