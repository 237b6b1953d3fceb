//! `chaos`: kills real agents, a real aggregator and an API server at random, and proves that no heartbeat was lost.

use std::process::ExitCode;

use clap::Parser as _;
use nodegrace_sim::chaos::{self, Args};

fn main() -> ExitCode {
    let mut args = Args::parse();
    let outcome = match args.role.take() {
        Some(role) => role.play().map(|()| true),
        None => drive(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn drive(args: &Args) -> anyhow::Result<bool> {
    if !args.no_disk_full {
        // Before there is any thread.
        chaos::isolate()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(chaos::run(args))
}
