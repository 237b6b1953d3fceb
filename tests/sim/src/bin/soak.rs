//! `soak`: many real agents and a real aggregator for some minutes, and what they take.

use std::{alloc::System, process::ExitCode};

use cap::Cap;
use clap::Parser as _;
use nodegrace_sim::soak::{self, Args};

/// Counts what is allocated; its limit is none.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    let mut args = Args::parse();
    let outcome = match args.role.take() {
        Some(role) => soak::play_role(role, || HEAP.allocated()).map(|()| true),
        None => drive(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn drive(args: &Args) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(soak::run(args))
}
