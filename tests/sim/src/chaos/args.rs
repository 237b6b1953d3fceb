//! The flags of the chaos program.

use std::path::PathBuf;

use clap::Parser;

use super::Role;

/// Kills and starves real agents, a real aggregator and an API server for many rounds, and proves that no heartbeat was lost.
///
/// Every part is a process of its own that is really killed (SIGKILL); disks are file systems in memory that really run full.
/// At the end every heartbeat that the simulated kubelets posted is held against what the aggregator's database holds. Exits
/// with 1 when the ledger does not balance.
#[derive(Clone, Debug, Parser)]
#[command(name = "chaos", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What this process is, instead of the one that starts the others.
    #[command(subcommand)]
    pub role: Option<Role>,

    /// Rounds of faults; each takes 1.5 s.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,

    /// Seed of the schedule and of the simulated cluster. What the machine's scheduler does stays left to chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// How many times faster than real time the simulated cluster runs.
    #[arg(long, default_value_t = 20.0, value_parser = speed)]
    pub speed: f64,

    /// Let no disk run full: needs no root.
    #[arg(long)]
    pub no_disk_full: bool,

    /// Directory for data and logs. The logs are kept afterwards; the data too with --no-disk-full, else they are in memory and
    /// gone with the run. Default: one in the system's place for such, removed after a run that balanced.
    #[arg(long, value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
}

/// Faster, a machine's own delays would be as long as the heartbeats' periods.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=60.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 1 to 60".to_owned()),
    }
}
