//! The bench: real processes on this machine, what they take and how fast they are, each figure beside its goal.

mod agent;
mod aggregator;
mod api_cost;
mod args;
mod exporter;
mod flood;
mod footprint;
mod http;
mod ingest;
mod latency;
mod load;
mod machine;
mod peers;
mod process;
mod programs;
mod queries;
mod scale;
mod sink;
mod table;

use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::runtime::Builder;

pub use self::args::Args;
use self::args::{Common, IngestArgs, Table};
use crate::soak;

/// Measures what is asked for, or plays a role.
///
/// # Errors
/// When a process ends that should not, or the machine refuses something.
pub fn run(args: Args) -> anyhow::Result<()> {
    soak::open_many_files()?;
    match args.table {
        // It has a time of its own.
        Table::ApiCost(common) => api_cost::run(common.quick),
        Table::All(common) => {
            api_cost::run(common.quick)?;
            on_a_runtime(all(common))
        }
        Table::Agent(common) => on_a_runtime(agent::run(&common)),
        Table::Ingest(args) => on_a_runtime(ingest::run(&args)),
        Table::Queries(common) => on_a_runtime(queries::run(&common)),
        Table::Peers(common) => on_a_runtime(peers::run(&common)),
        Table::Load(role) => part(role.run()),
        Table::Sink(role) => part(role.run()),
        Table::Exporter(role) => part(role.run()),
    }
}

async fn all(common: Common) -> anyhow::Result<()> {
    agent::run(&common).await?;
    ingest::run(&IngestArgs::new(common.clone())).await?;
    queries::run(&common).await?;
    peers::run(&common).await
}

fn on_a_runtime(table: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(table)
}

/// A part that another process started, and does not outlive.
fn part(role: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    on_a_runtime(role)
}
